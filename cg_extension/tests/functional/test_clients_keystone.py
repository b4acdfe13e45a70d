# SPDX-License-Identifier: Apache-2.0
"""Clients that log in at a real Keystone, whose catalog has the service."""

from cg_extension.tests import identity_rules
from cg_extension.tests.functional import base


class KeystoneTest(identity_rules.ClientRules, base.FunctionalTest):
    volume_type = "__DEFAULT__"

    def serve(self) -> str:
        return self.useFixture(base.Standalone.with_keystone(self.keystone)).url

    def test_quotas_are_shown_set_and_given_back(self) -> None:
        admin = self.openstack("admin")
        admin.run("quota", "set", "--volumes", "21", "--snapshots", "22", self.project)
        shown = admin.json("quota", "show", "--volume", self.project)
        found = {item["Resource"]: item["Limit"] for item in shown}
        self.assertEqual((21, 22), (found["volumes"], found["snapshots"]))
        usage = admin.json("quota", "show", "--volume", "--usage", self.project)
        self.assertIn(0, [item["In Use"] for item in usage if item["Resource"] == "volumes"])
        [listed] = admin.json("quota", "list", "--volume")
        self.assertEqual(21, listed["Volumes"])
        admin.run("quota", "delete", "--volume", self.project)
        shown = admin.json("quota", "show", "--volume", "--default", self.project)
        self.assertIn(10, [item["Limit"] for item in shown if item["Resource"] == "volumes"])

    def test_limits_are_shown(self) -> None:
        shown = self.openstack("member").json("limits", "show", "--absolute")
        found = {item["Name"]: item["Value"] for item in shown}
        self.assertEqual(10, found["max_total_volumes"])

    def test_an_administrator_lists_one_project(self) -> None:
        self.openstack("member").run("volume", "create", "--size", "1", "mine")
        for project, names in ((self.project, ["mine"]), (self.other, [])):
            listed = self.openstack("admin-other").json("volume", "list", "--project", project)
            self.assertEqual(names, [item["Name"] for item in listed])
