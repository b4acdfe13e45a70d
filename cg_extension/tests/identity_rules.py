# SPDX-License-Identifier: Apache-2.0
"""What holds for either host at a real Keystone: who comes in with which token, and how clients do.

A host's tests mix these classes in.
"""

import json
import pathlib
import string
from typing import TYPE_CHECKING, Any

import openstack
import requests
from cinderclient.v3 import client as cinder_client

from cg_extension.tests.deployment import keystone
from cg_extension.tests.functional import cli

if TYPE_CHECKING:
    from oslotest import base

    _TestCase = base.BaseTestCase
else:
    _TestCase = object

GROUP = ("consistency", "group")

AUTHTOKEN = {"http_request_max_retries": "0"}
"""Options with which a host need not wait for a Keystone that is away."""


class Case(_TestCase):
    """A user's project at a running host.

    :cvar volume_type: the name of one.
    """

    volume_type: str

    def setUp(self) -> None:
        # Before oslotest's temporary directory, in which Keystone must not live.
        self.keystone = keystone.shared()
        super().setUp()
        self.project = self.keystone.new_project()
        self.url = self.serve()

    def serve(self) -> str:
        """The address of the running host, without a version."""
        raise NotImplementedError

    def status(self, token: str, service_token: str = "", path: str = "/consistencygroups") -> int:
        """Of the answer to a GET with these tokens, if they are not empty."""
        tokens = {"X-Auth-Token": token, "X-Service-Token": service_token}
        answer = requests.get(
            f"{self.url}/v3/{self.project}{path}",
            headers={name: value for name, value in tokens.items() if value},
            timeout=60,
        )
        if answer.status_code == 401:
            self.assertIn(self.keystone.url, answer.headers["WWW-Authenticate"])
        return answer.status_code


class TokenRules(Case):
    """What a request's tokens are worth."""

    def test_what_is_no_token_of_now_lets_nobody_in(self) -> None:
        member = self.keystone.token(keystone.MEMBER, self.project)
        admin = self.keystone.token(keystone.ADMIN, self.project)
        revoked = self.keystone.token(keystone.ADMIN, self.project)
        self.keystone.session(keystone.ADMIN, self.project).delete(
            f"{self.keystone.url}/v3/auth/tokens", headers={"X-Subject-Token": revoked}
        )
        middle = len(admin) // 2
        other = string.ascii_letters[admin[middle] == "a"]
        refused = {
            "missing": "",
            "unknown": "forged",
            "revoked": revoked,
            "expired": self.keystone.expired_token(keystone.ADMIN, self.project),
            "another letter": f"{admin[:middle]}{other}{admin[middle + 1 :]}",
            "cut off": admin[:-8],
            "begun twice": admin[:8] + admin,
            "two in one": f"{member},{admin}",
            "a path": "../users",
            "too long": "x" * 4096,
            "not ASCII": "\xff",
            "the name of its user": keystone.ADMIN,
        }
        for what, token in refused.items():
            with self.subTest(what):
                self.assertEqual(401, self.status(token))
        self.assertEqual(200, self.status(member))
        self.assertEqual(403, self.status(member, path="/os-services"))

    def test_a_services_token_lets_in_an_expired_one_and_gives_no_rights(self) -> None:
        expired = self.keystone.expired_token(keystone.MEMBER, self.project)
        member = self.keystone.token(keystone.MEMBER, self.project)
        admin = self.keystone.token(keystone.ADMIN, self.project)
        service = self.keystone.service_token()
        self.assertEqual(200, self.status(expired, service))
        self.assertEqual(401, self.status(expired), "although it was let in before")
        self.assertEqual(403, self.status(expired, service, "/os-services"))
        self.assertEqual(403, self.status(member, service, "/os-services"))
        for token, service_token in (
            (expired, admin),
            (expired, "forged"),
            (expired, expired),
            (member, admin),
            (admin, "forged"),
            ("", service),
            ("forged", service),
        ):
            self.assertEqual(401, self.status(token, service_token))

    def test_while_keystone_is_away_the_answer_is_503_and_then_as_before(self) -> None:
        before = self.keystone.token(keystone.MEMBER, self.project)
        self.assertEqual(200, self.status(before))
        unseen = self.keystone.token(keystone.MEMBER, self.project)
        self.keystone.crash()
        try:
            for token in (unseen, "forged"):
                self.assertEqual(503, self.status(token))
            self.assertEqual(401, self.status(""))
            self.assertLess(requests.get(self.url, timeout=60).status_code, 400)
        finally:
            self.keystone.start()
        for token in (before, unseen, self.keystone.token(keystone.MEMBER, self.project)):
            self.assertEqual(200, self.status(token))
        self.assertEqual(401, self.status("forged"))


class ClientRules(Case):
    """Clients that know nothing but a clouds.yaml, of each role in two projects."""

    def setUp(self) -> None:
        super().setUp()
        self.keystone.publish(self.url)
        self.other = self.keystone.new_project()
        self.file = pathlib.Path(self.create_tempfiles([("clouds", "")], ".yaml")[0])
        self.clouds: dict[str, Any] = {
            f"{role}{name}": {"auth": self.keystone.login(role, project)}
            for role in (keystone.READER, keystone.MEMBER, keystone.ADMIN)
            for name, project in (("", self.project), ("-other", self.other))
        }

    def openstack(self, cloud: str) -> cli.OpenStack:
        """The ``openstack`` command as that cloud's user."""
        return cli.OpenStack({**keystone.write_clouds(self.file, self.clouds), "OS_CLOUD": cloud})

    def create(self, cloud: str) -> str:
        """Create a group named ``mine``; gives its id."""
        create = (*GROUP, "create", "--volume-type", self.volume_type, "mine")
        return str(self.openstack(cloud).json(*create)["id"])

    def test_each_role_may_do_what_it_should(self) -> None:
        group = self.create("member")
        [listed] = self.openstack("reader").json(*GROUP, "list")
        self.assertEqual((group, "mine"), (listed["ID"], listed["Name"]))
        error = self.assertRaises(cli.Failed, self.create, "reader")
        self.assertIn("consistencygroup:create", str(error))
        self.assertEqual([], self.openstack("member-other").json(*GROUP, "list"))
        shown = self.openstack("admin-other").json(*GROUP, "show", group)
        self.assertEqual("mine", shown["name"])

    def test_an_application_credential_has_the_roles_and_rules_that_it_was_given(self) -> None:
        """Made by the user with the same client."""
        rules = [{"service": "block-storage", "method": "GET", "path": "/v3/**"}]
        for cloud, options in (
            ("plain", ()),
            ("readers", ("--role", "reader")),
            ("ruled", ("--access-rules", json.dumps(rules))),
        ):
            made = self.openstack("member").json(
                *("application", "credential", "create", *options, f"{cloud}-{self.project}")
            )
            self.clouds[cloud] = {
                "auth_type": "v3applicationcredential",
                "auth": {
                    "auth_url": f"{self.keystone.url}/v3",
                    "application_credential_id": made["ID"],
                    "application_credential_secret": made["Secret"],
                },
            }
        self.create("plain")
        for cloud, refusal in (("readers", "consistencygroup:create"), ("ruled", "401")):
            [listed] = self.openstack(cloud).json(*GROUP, "list")
            self.assertEqual("mine", listed["Name"])
            error = self.assertRaises(cli.Failed, self.create, cloud)
            self.assertIn(refusal, str(error))

    def test_every_client_finds_the_service_by_either_type_of_the_catalog(self) -> None:
        self.create("member")
        files = [str(self.file)]
        config = openstack.config.OpenStackConfig(config_files=files, load_envvars=False)
        for service_type in keystone.CATALOG_TYPES:
            self.keystone.publish(self.url, service_type)
            connection = openstack.connection.Connection(config=config.get_one("member"))
            self.addCleanup(connection.close)
            volumes: Any = connection.block_storage
            cinder = cinder_client.Client(
                "3", session=connection.session, region_name=keystone.REGION
            )
            found = [
                [group.name for group in volumes.consistency_groups()],
                [group.name for group in cinder.consistencygroups.list()],
                [group["Name"] for group in self.openstack("member").json(*GROUP, "list")],
            ]
            self.assertEqual([["mine"]] * 3, found, service_type)
