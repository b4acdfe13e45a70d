# SPDX-License-Identifier: Apache-2.0
"""Each rule of the host's own resources, through every call that it guards, for each role."""

import json
import re
from typing import Any

from oslo_policy import policy
from oslo_utils import uuidutils

from cg_extension.contract import records
from cg_extension.policies import (
    availability_zones,
    extensions,
    limits,
    quotas,
    services,
    snapshots,
    volume_types,
    volumes,
)
from cg_extension.tests.unit.reference.service import base as service_base
from cg_extension.tests.unit.reference.wsgi import base

READERS = frozenset({"reader", "member", "admin"})
MEMBERS = frozenset({"member", "admin"})
ADMINS = frozenset({"admin"})
ROLES = (*READERS, "auditor")

META = {"meta": {"k": "v"}}
METADATA = {"metadata": {"k": "v"}}
SERVICE = {"host": service_base.HOST, "binary": "cg-manager"}
CONNECTOR = {"connector": {"host": "h"}}

# Rule → who may, and the calls that it guards: method, path, body.
CASES: dict[str, tuple[frozenset[str], list[tuple[str, str, Any]]]] = {
    volumes.CREATE: (MEMBERS, [("POST", "/volumes", {"volume": {"size": 1}})]),
    volumes.GET: (READERS, [("GET", "/volumes/{volume}", None)]),
    volumes.GET_ALL: (
        READERS,
        [("GET", "/volumes", None), ("GET", "/volumes/detail", None)],
    ),
    volumes.UPDATE: (MEMBERS, [("PUT", "/volumes/{volume}", {"volume": {"name": "n"}})]),
    volumes.DELETE: (MEMBERS, [("DELETE", "/volumes/{volume}", None)]),
    volumes.GET_METADATA: (
        READERS,
        [
            ("GET", "/volumes/{volume}/metadata", None),
            ("GET", "/volumes/{volume}/metadata/k", None),
        ],
    ),
    volumes.SET_METADATA: (
        MEMBERS,
        [
            ("POST", "/volumes/{volume}/metadata", METADATA),
            ("PUT", "/volumes/{volume}/metadata", METADATA),
            ("PUT", "/volumes/{volume}/metadata/k", META),
        ],
    ),
    volumes.DELETE_METADATA: (MEMBERS, [("DELETE", "/volumes/{volume}/metadata/k", None)]),
    volumes.ATTACH: (
        MEMBERS,
        [("POST", "/volumes/{volume}/action", {"os-attach": {"host_name": "h"}})],
    ),
    volumes.DETACH: (MEMBERS, [("POST", "/volumes/{attached}/action", {"os-detach": {}})]),
    volumes.INITIALIZE_CONNECTION: (
        MEMBERS,
        [("POST", "/volumes/{volume}/action", {"os-initialize_connection": CONNECTOR})],
    ),
    volumes.TERMINATE_CONNECTION: (
        MEMBERS,
        [("POST", "/volumes/{volume}/action", {"os-terminate_connection": CONNECTOR})],
    ),
    volumes.RESET_STATUS: (
        ADMINS,
        [("POST", "/volumes/{volume}/action", {"os-reset_status": {"status": "error"}})],
    ),
    volumes.FORCE_DELETE: (
        ADMINS,
        [
            ("POST", "/volumes/{volume}/action", {"os-force_delete": None}),
            ("DELETE", "/volumes/{volume}?force=True", None),
        ],
    ),
    snapshots.CREATE: (MEMBERS, [("POST", "/snapshots", {"snapshot": {"volume_id": "{volume}"}})]),
    snapshots.GET: (READERS, [("GET", "/snapshots/{snapshot}", None)]),
    snapshots.GET_ALL: (
        READERS,
        [("GET", "/snapshots", None), ("GET", "/snapshots/detail", None)],
    ),
    snapshots.UPDATE: (MEMBERS, [("PUT", "/snapshots/{snapshot}", {"snapshot": {"name": "n"}})]),
    snapshots.DELETE: (MEMBERS, [("DELETE", "/snapshots/{snapshot}", None)]),
    snapshots.GET_METADATA: (
        READERS,
        [
            ("GET", "/snapshots/{snapshot}/metadata", None),
            ("GET", "/snapshots/{snapshot}/metadata/k", None),
        ],
    ),
    snapshots.SET_METADATA: (
        MEMBERS,
        [
            ("POST", "/snapshots/{snapshot}/metadata", METADATA),
            ("PUT", "/snapshots/{snapshot}/metadata", METADATA),
            ("PUT", "/snapshots/{snapshot}/metadata/k", META),
        ],
    ),
    snapshots.DELETE_METADATA: (MEMBERS, [("DELETE", "/snapshots/{snapshot}/metadata/k", None)]),
    snapshots.RESET_STATUS: (
        ADMINS,
        [("POST", "/snapshots/{snapshot}/action", {"os-reset_status": {"status": "error"}})],
    ),
    snapshots.FORCE_DELETE: (
        ADMINS,
        [("POST", "/snapshots/{snapshot}/action", {"os-force_delete": None})],
    ),
    volume_types.CREATE: (ADMINS, [("POST", "/types", {"volume_type": {"name": "new"}})]),
    volume_types.GET: (READERS, [("GET", "/types/{type}", None)]),
    volume_types.GET_ALL: (READERS, [("GET", "/types", None)]),
    volume_types.UPDATE: (ADMINS, [("PUT", "/types/{type}", {"volume_type": {"name": "n"}})]),
    volume_types.DELETE: (ADMINS, [("DELETE", "/types/{type}", None)]),
    volume_types.GET_EXTRA_SPECS: (
        ADMINS,
        [
            ("GET", "/types/{type}/extra_specs", None),
            ("GET", "/types/{type}/extra_specs/k", None),
        ],
    ),
    volume_types.SET_EXTRA_SPECS: (
        ADMINS,
        [
            ("POST", "/types/{type}/extra_specs", {"extra_specs": {"k": "w"}}),
            ("PUT", "/types/{type}/extra_specs/k", {"k": "w"}),
        ],
    ),
    volume_types.DELETE_EXTRA_SPECS: (ADMINS, [("DELETE", "/types/{type}/extra_specs/k", None)]),
    quotas.SHOW: (
        READERS,
        [("GET", "/os-quota-sets/p", None), ("GET", "/os-quota-sets/p/defaults", None)],
    ),
    quotas.UPDATE: (ADMINS, [("PUT", "/os-quota-sets/p", {"quota_set": {"volumes": -1}})]),
    quotas.DELETE: (ADMINS, [("DELETE", "/os-quota-sets/p", None)]),
    limits.GET: (READERS, [("GET", "/limits", None)]),
    services.LIST: (ADMINS, [("GET", "/os-services", None)]),
    services.UPDATE: (
        ADMINS,
        [
            ("PUT", "/os-services/enable", SERVICE),
            ("PUT", "/os-services/disable", SERVICE),
            ("PUT", "/os-services/disable-log-reason", {**SERVICE, "disabled_reason": "r"}),
        ],
    ),
    services.FREEZE: (ADMINS, [("PUT", "/os-services/freeze", {"host": service_base.HOST})]),
    services.THAW: (ADMINS, [("PUT", "/os-services/thaw", {"host": service_base.HOST})]),
    availability_zones.LIST: (READERS, [("GET", "/os-availability-zone", None)]),
    extensions.LIST: (
        READERS,
        [("GET", "/extensions", None), ("GET", "/extensions/cgsnapshots", None)],
    ),
}
# Calls whose answer depends on a rule without being refused by it.
SEEN_IN_ANSWERS = {volume_types.GET_EXTRA_SPECS: {"/types", "/types/{id}"}}

MODULES = (
    availability_zones,
    extensions,
    limits,
    quotas,
    services,
    snapshots,
    volume_types,
    volumes,
)
RULES: dict[str, policy.DocumentedRuleDefault] = {
    rule.name: rule for module in MODULES for rule in module.RULES
}


class CasesTestCase(base.HostTestCase):
    """Makes the cases' calls, each on things of its own."""

    def _attached(self) -> records.Volume:
        volume = self.volume()
        self.service.attach_volume(
            self.member,
            volume.id,
            instance_uuid=None,
            host_name="h",
            mountpoint=None,
            mode=None,
        )
        return volume

    def target(self, kind: str) -> str:
        """Id of a fresh thing, of project ``p`` if it belongs to one, to act upon."""
        pairs = {"k": "v"}
        make = {
            "volume": lambda: self.volume(metadata=pairs),
            "attached": self._attached,
            "snapshot": lambda: self.snapshot(self.volume(), metadata=pairs),
            "type": lambda: self.service.create_type(
                self.admin,
                name=uuidutils.generate_uuid(),
                description=None,
                is_public=True,
                extra_specs=pairs,
            ),
        }
        return str(make[kind]().id)

    def make_call(self, case: tuple[str, str, Any], role: str, **options: Any) -> Any:
        """Make the case's call on things of its own."""
        filled = re.sub(r"{(\w+)}", lambda found: self.target(found[1]), json.dumps(case[1:]))
        path, body = json.loads(filled)
        return self.call(case[0], path, body, roles=role, **options)


class RolesTest(CasesTestCase):
    def test_every_rule_has_its_cases(self) -> None:
        self.assertEqual(set(RULES), set(CASES))

    def test_the_cases_of_a_rule_are_the_calls_that_it_documents(self) -> None:
        for name, (_, cases) in CASES.items():
            documented = {
                (operation["method"], operation["path"].split(" ")[0])
                for operation in RULES[name].operations
                if operation["path"] not in SEEN_IN_ANSWERS.get(name, ())
            }
            self.assertEqual(len(documented), len(cases), name)
            self.assertEqual({method for method, _ in documented}, {case[0] for case in cases})

    def test_each_role_may_do_what_it_should_in_its_own_project(self) -> None:
        for rule, (allowed, cases) in CASES.items():
            for case in cases:
                # Administrators last: they may take away what others look for.
                for role in sorted(ROLES, key=lambda role: role in allowed):
                    with self.subTest(rule=rule, role=role, case=case):
                        answer = self.make_call(case, role)
                        if role not in allowed:
                            self.assert_fault(answer, 403, "forbidden", rule)
                        elif answer.status_int >= 400:
                            # A second time the same thing may be gone or taken.
                            self.assertIn(answer.status_int, (404, 409), answer.text)

    def test_nobody_but_an_administrator_touches_another_projects_things(self) -> None:
        for rule, (allowed, cases) in CASES.items():
            for case in cases:
                if not any(
                    f"{{{kind}" in case[1] for kind in ("volume}", "attached}", "snapshot}")
                ):
                    continue
                for role in allowed - ADMINS:
                    with self.subTest(rule=rule, role=role, case=case):
                        answer = self.make_call(case, role, project="q")
                        self.assert_fault(answer, 404, "itemNotFound")

    def test_another_projects_quotas_are_an_administrators(self) -> None:
        for path in ("/os-quota-sets/q", "/os-quota-sets/q/defaults", "/limits?project_id=q"):
            self.assert_fault(self.call("GET", path, roles="member"), 403, "forbidden")
            self.ok("GET", path)

    def test_extra_specs_are_shown_to_those_who_may_see_them(self) -> None:
        type_id = self.target("type")
        for path, get in (
            ("/types", lambda answer: answer["volume_types"][0]),
            (f"/types/{type_id}", lambda answer: answer["volume_type"]),
        ):
            self.assertNotIn("extra_specs", get(self.ok("GET", path, roles="member")))
            self.assertEqual({"k": "v"}, get(self.ok("GET", path))["extra_specs"])
