# SPDX-License-Identifier: Apache-2.0
"""What a deployer's rules may say of callers and resources; among them Cinder's own old ones."""

from collections.abc import Mapping
from typing import Any

from cg_extension.contract import context as cg_context
from cg_extension.reference.wsgi import pipeline
from cg_extension.tests.unit.reference.wsgi import base

# From the policy.json that Cinder shipped up to its release 12 (Queens), word for word.
CINDER = {
    "admin_or_owner": "is_admin:True or (role:admin and is_admin_project:True) or "
    "project_id:%(project_id)s",
    "default": "rule:admin_or_owner",
    "admin_api": "is_admin:True or (role:admin and is_admin_project:True)",
    "volume:create": "",
    "volume:delete": "rule:admin_or_owner",
    "volume:get": "rule:admin_or_owner",
    "volume:get_all": "rule:admin_or_owner",
    "volume:update_volume_metadata": "rule:admin_or_owner",
    "volume_extension:quotas:show": "",
    "volume_extension:services:index": "rule:admin_api",
    "consistencygroup:create": "group:nobody",
    "consistencygroup:get": "group:nobody",
}


class PolicyFileTest(base.HostTestCase):
    def _load(self, rules: Mapping[str, str]) -> None:
        self.set_rules(rules)
        self.application = self.load()

    def _status(self, method: str, path: str, body: Any = None, **options: Any) -> int:
        return self.call(method, path, body, **options).status_int

    def _volume(self, **options: Any) -> str:
        answer = self.ok("POST", "/volumes", {"volume": {"size": 1}}, status=202, **options)
        return f"/volumes/{answer['volume']['id']}"

    def test_an_old_file_of_cinders_says_what_it_says_there(self) -> None:
        self._load(CINDER)
        volume = self._volume(roles="any")
        self.assertEqual(200, self._status("GET", volume, roles="any"))
        self.assertEqual(200, self._status("GET", volume, roles="admin", project="q"))
        self.assertEqual(404, self._status("GET", volume, roles="any", project="q"))
        metadata = {"metadata": {"k": "v"}}
        self.assertEqual(200, self._status("POST", f"{volume}/metadata", metadata, roles="any"))
        for role, status in (("any", 403), ("admin", 200)):
            self.assertEqual(status, self._status("GET", "/os-services", roles=role))
        group = {"consistencygroup": {"volume_types": "__DEFAULT__"}}
        self.assertEqual(403, self._status("POST", "/consistencygroups", group, roles="admin"))

    def test_is_admin_is_whom_context_is_admin_says(self) -> None:
        self._load(
            {
                "context_is_admin": "role:cloud_admin or user_id:root",
                "volume_extension:services:index": "is_admin:True",
                "volume:get_all": "not is_admin:True",
            }
        )
        for roles, status in (("cloud_admin", 200), ("Cloud_Admin", 200), ("admin", 403)):
            self.assertEqual(status, self._status("GET", "/os-services", roles=roles))
        root = {"X-Auth-Token": "root:p:member"}
        self.assertEqual(200, self._status("GET", "/os-services", headers=root))
        self.assertEqual(403, self._status("GET", "/volumes", headers=root))
        self.assertEqual(200, self._status("GET", "/volumes", roles="admin"))

    def test_context_is_admin_may_ask_for_one_project(self) -> None:
        self._load(
            {
                "context_is_admin": "role:admin and 'ops':%(project_id)s",
                "volume_extension:services:index": "is_admin:True",
            }
        )
        for project, status in (("ops", 200), ("p", 403)):
            self.assertEqual(status, self._status("GET", "/os-services", project=project))

    def test_rules_may_name_users_and_projects(self) -> None:
        self._load(
            {
                "volume:get": "user_id:%(user_id)s and project_id:%(project_id)s",
                "volume:delete": "project_id:q",
            }
        )
        volume = self._volume(roles="member")
        self.assertEqual(200, self._status("GET", volume, roles="member"))
        other = {"X-Auth-Token": "other:p:member"}
        self.assertEqual(403, self._status("GET", volume, headers=other))
        self.assertEqual(403, self._status("DELETE", volume, roles="admin"))

    def test_rules_may_name_what_a_resource_is_like(self) -> None:
        self._load({"volume:get": "'__DEFAULT__':%(name)s or 'creating':%(status)s"})
        self.assertEqual(200, self._status("GET", self._volume(roles="member"), roles="member"))
        self._load({"volume:get": "'available':%(status)s"})
        self.assertEqual(403, self._status("GET", self._volume(roles="member"), roles="member"))

    def test_what_nobody_has_matches_nobody(self) -> None:
        for attribute in (
            "domain_id",
            "user_domain_id",
            "system_scope",
            "service_user_id",
            "tenant",
        ):
            for value in (f"%({attribute})s", "None", ""):
                with self.subTest(attribute=attribute, value=value):
                    self._load({"volume:get_all": f"{attribute}:{value}"})
                    self.assertEqual(403, self._status("GET", "/volumes", roles="reader"))

    def test_a_project_called_none_owns_nothing_that_has_no_owner(self) -> None:
        self._load({"volume_extension:quotas:show": "project_id:%(nobody)s or service_roles:None"})
        self.assertEqual(403, self._status("GET", "/os-quota-sets/None", project="None", roles="r"))


class AttributesTest(base.HostTestCase):
    """What only a Keystone tells."""

    RULES = (
        ("user_domain_id:u-d", {"user_domain_id": "u-d"}),
        ("project_domain_id:p-d", {"project_domain_id": "p-d"}),
        ("domain_id:d", {"domain_id": "d"}),
        ("system_scope:all", {"system_scope": "all"}),
        ("system:all", {"system_scope": "all"}),
        ("service_roles:service", {"service_roles": ["service"]}),
        ("service_user_id:nova", {"service_user_id": "nova"}),
        ("service_project_id:services", {"service_project_id": "services"}),
        ("is_admin_project:True", {"is_admin_project": True}),
        ("role:auditor", {"roles": ["auditor"]}),
    )

    def test_rules_may_name_every_attribute_of_a_token(self) -> None:
        for rule, attributes in self.RULES:
            with self.subTest(rule=rule):
                self.set_rules({"volume:get_all": rule})
                self.load()
                enforcer = pipeline.host_policy.make_enforcer(self.conf)
                for given, expected in ((attributes, True), ({"is_admin_project": False}, False)):
                    context = cg_context.RequestContext(user_id="u", **given)
                    creds = context.to_policy_values()
                    allowed = enforcer.allows("volume:get_all", {}, creds)
                    self.assertIs(expected, allowed)
