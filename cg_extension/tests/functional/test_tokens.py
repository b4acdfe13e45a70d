# SPDX-License-Identifier: Apache-2.0
"""What a request's tokens are worth on the reference host, as a real Keystone says."""

import json
from typing import Any

import requests

from cg_extension.tests import identity_rules
from cg_extension.tests.deployment import keystone
from cg_extension.tests.functional import base


class TokensTest(identity_rules.TokenRules, base.FunctionalTest):
    options: dict[str, dict[str, Any]] = {keystone.SECTION: identity_rules.AUTHTOKEN}

    def serve(self) -> str:
        self.service = self.useFixture(base.Standalone.with_keystone(self.keystone, **self.options))
        return self.service.url


class ScopesTest(identity_rules.Case, base.FunctionalTest):
    """Tokens that name no project."""

    def serve(self) -> str:
        # As in Cinder's old files, which would let in whose project is None to None's own.
        owner = "is_admin:True or project_id:%(project_id)s"
        rules = dict.fromkeys(("volume:get_all", "consistencygroup:get_all"), owner)
        [policy] = self.create_tempfiles([("policy", json.dumps(rules))], ".yaml")
        options = {"oslo_policy": {"policy_file": policy}}
        return self.useFixture(base.Standalone.with_keystone(self.keystone, **options)).url

    def _call(
        self, method: str, path: str, token: str, body: object | None = None
    ) -> requests.Response:
        headers = {"X-Auth-Token": token}
        return requests.request(
            method, f"{self.url}/v3{path}", json=body, headers=headers, timeout=60
        )

    def test_one_without_any_scope_may_do_nothing(self) -> None:
        token = self.keystone.token(keystone.MEMBER)
        for path in ("/volumes", "/consistencygroups"):
            answer = self._call("GET", path, token)
            self.assertEqual((403, ["forbidden"]), (answer.status_code, list(answer.json())))

    def test_an_administrator_of_the_system_sees_all_but_has_no_project_for_new_things(
        self,
    ) -> None:
        body = {"volume": {"size": 1}}
        member = self.keystone.token(keystone.MEMBER, self.project)
        volume = self._call("POST", f"/{self.project}/volumes", member, body).json()["volume"]
        system = self.keystone.token(keystone.ADMIN, system=True)
        listed = self._call("GET", "/volumes?all_tenants=1", system).json()["volumes"]
        self.assertEqual([volume["id"]], [item["id"] for item in listed])
        self.assertEqual(200, self._call("GET", "/os-services", system).status_code)
        group = {"consistencygroup": {"volume_types": "__DEFAULT__"}}
        for path, new in (("/volumes", body), ("/consistencygroups", group)):
            answer = self._call("POST", path, system, new)
            self.assertEqual(403, answer.status_code)
            self.assertIn("project", answer.json()["forbidden"]["message"])


class ServiceUserTest(identity_rules.Case, base.FunctionalTest):
    """A service whose own user lacks the role by which tokens may be checked."""

    def serve(self) -> str:
        options = {
            keystone.SECTION: {
                "username": keystone.READER,
                "project_name": "",
                "project_domain_id": "",
                "project_id": self.project,
            }
        }
        self.service = self.useFixture(base.Standalone.with_keystone(self.keystone, **options))
        return self.service.url

    def test_is_the_deployments_fault_not_the_clients(self) -> None:
        self.assertEqual(503, self.status(self.keystone.token(keystone.MEMBER, self.project)))
        self.assertIn("can't check a token", self.service.log)
