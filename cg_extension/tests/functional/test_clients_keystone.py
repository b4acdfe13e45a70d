# SPDX-License-Identifier: Apache-2.0
"""Clients that log in at a Keystone, whose tokens the service has checked there."""

import requests

from cg_extension.tests.functional import base, cli, keystone


class KeystoneTest(base.FunctionalTest):
    def setUp(self) -> None:
        super().setUp()
        self.keystone = self.useFixture(keystone.Keystone())
        self.service = self.useFixture(
            base.Standalone(
                {
                    "DEFAULT": {"auth_strategy": "keystone"},
                    "keystone_authtoken": self.keystone.middleware_options(),
                }
            )
        )
        self.keystone.block_storage = self.service.url

    def _openstack(self, role: str, project: str = "demo") -> cli.OpenStack:
        return cli.OpenStack(self.keystone.client_environment(role, project))

    def test_each_role_may_do_what_it_should(self) -> None:
        group = ("consistency", "group")
        create = (*group, "create", "--volume-type", "__DEFAULT__")
        self._openstack("member").run(*create, "mine")
        [listed] = self._openstack("reader").json(*group, "list")
        self.assertEqual("mine", listed["Name"])
        error = self.assertRaises(cli.Failed, self._openstack("reader").run, *create)
        self.assertIn("consistencygroup:create", str(error))
        self.assertEqual([], self._openstack("member", "other").json(*group, "list"))
        shown = self._openstack("admin", "other").json(*group, "show", listed["ID"])
        self.assertEqual("mine", shown["name"])

    def test_quotas_are_shown_set_and_given_back(self) -> None:
        admin = self._openstack("admin")
        admin.run("quota", "set", "--volumes", "21", "--snapshots", "22", "demo")
        shown = admin.json("quota", "show", "--volume", "demo")
        found = {item["Resource"]: item["Limit"] for item in shown}
        self.assertEqual((21, 22), (found["volumes"], found["snapshots"]))
        usage = admin.json("quota", "show", "--volume", "--usage", "demo")
        self.assertIn(0, [item["In Use"] for item in usage if item["Resource"] == "volumes"])
        [listed] = admin.json("quota", "list", "--volume")
        self.assertEqual(21, listed["Volumes"])
        admin.run("quota", "delete", "--volume", "demo")
        shown = admin.json("quota", "show", "--volume", "--default", "demo")
        self.assertIn(10, [item["Limit"] for item in shown if item["Resource"] == "volumes"])

    def test_limits_are_shown(self) -> None:
        shown = self._openstack("member").json("limits", "show", "--absolute")
        found = {item["Name"]: item["Value"] for item in shown}
        self.assertEqual(10, found["max_total_volumes"])

    def test_an_administrator_lists_one_project(self) -> None:
        self._openstack("member").run("volume", "create", "--size", "1", "mine")
        for project, names in (("demo", ["mine"]), ("other", [])):
            listed = self._openstack("admin", "other").json("volume", "list", "--project", project)
            self.assertEqual(names, [item["Name"] for item in listed])

    def test_a_token_that_keystone_does_not_know_is_refused(self) -> None:
        url = f"{self.service.url}/v3/demo/consistencygroups"
        for headers in ({}, {"X-Auth-Token": "forged"}):
            answer = requests.get(url, headers=headers, timeout=30)
            self.assertEqual(401, answer.status_code)
            self.assertEqual(["unauthorized"], list(answer.json()))
            self.assertIn(self.keystone.url, answer.headers["WWW-Authenticate"])
