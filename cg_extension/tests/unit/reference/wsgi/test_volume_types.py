# SPDX-License-Identifier: Apache-2.0
"""Volume types and extra specs over HTTP."""

from typing import Any

from cg_extension.tests.unit.reference.service import base as service_base
from cg_extension.tests.unit.reference.wsgi import base


class VolumeTypesTest(base.HostTestCase):
    def create(self, **values: Any) -> dict[str, Any]:
        body = {"volume_type": {"name": "gold", **values}}
        created: dict[str, Any] = self.ok("POST", "/types", body)["volume_type"]
        return created

    def test_a_type_is_created_shown_changed_and_deleted(self) -> None:
        created = self.create(description="d", extra_specs={"a": "b"})
        self.assertEqual(
            ("gold", "d", True, True, {"a": "b"}),
            tuple(
                created[key]
                for key in (
                    "name",
                    "description",
                    "is_public",
                    "os-volume-type-access:is_public",
                    "extra_specs",
                )
            ),
        )
        path = f"/types/{created['id']}"
        self.assertEqual({"volume_type": created}, self.ok("GET", path))
        changed = self.ok("PUT", path, {"volume_type": {"name": "silver", "is_public": False}})
        self.assertEqual("silver", changed["volume_type"]["name"])
        self.assertIs(False, changed["volume_type"]["is_public"])
        self.assert_fault(self.call("PUT", path, {"volume_type": {}}), 400, "badRequest", "name")
        self.ok("DELETE", path, status=202)
        self.assert_fault(self.call("GET", path), 404, "itemNotFound")

    def test_a_name_is_taken_once(self) -> None:
        self.create()
        answer = self.call("POST", "/types", {"volume_type": {"name": "gold"}})
        self.assert_fault(answer, 409, "conflictingRequest", "gold")
        for values in ({}, {"name": ""}, {"name": "x" * 256}, {"name": "a\nb"}):
            self.assert_fault(
                self.call("POST", "/types", {"volume_type": values}), 400, "badRequest", "name"
            )

    def test_default_stands_for_the_default_types_id(self) -> None:
        self.assertEqual("__DEFAULT__", self.ok("GET", "/types/default")["volume_type"]["name"])
        self.assert_fault(self.call("GET", "/types/gold"), 404, "itemNotFound", "gold")

    def test_lists_tell_public_types_from_others(self) -> None:
        self.create(**{"os-volume-type-access:is_public": False})
        for query, names in (
            ("", ["__DEFAULT__", "gold"]),
            ("&is_public=None", ["__DEFAULT__", "gold"]),
            ("&is_public=True", ["__DEFAULT__"]),
            ("&is_public=false", ["gold"]),
            ("&name=gold", ["gold"]),
        ):
            found = self.ok("GET", f"/types?sort=name:asc{query}")["volume_types"]
            self.assertEqual(names, [item["name"] for item in found], query)
        self.assert_fault(self.call("GET", "/types?is_public=x"), 400, "badRequest", "is_public")
        member = self.ok("GET", "/types?is_public=None", roles="member")["volume_types"]
        self.assertEqual(["__DEFAULT__"], [item["name"] for item in member])

    def test_extra_specs_are_read_changed_and_removed(self) -> None:
        path = f"/types/{self.create(extra_specs={'a': '1'})['id']}/extra_specs"
        specs = {"extra_specs": {"b": "2"}}
        self.assertEqual(specs, self.ok("POST", path, specs))
        self.assertEqual({"b": "3"}, self.ok("PUT", f"{path}/b", {"b": "3"}))
        self.assertEqual({"extra_specs": {"a": "1", "b": "3"}}, self.ok("GET", path))
        self.assertEqual({"b": "3"}, self.ok("GET", f"{path}/b"))
        self.ok("DELETE", f"{path}/b", status=202)
        self.assert_fault(self.call("GET", f"{path}/b"), 404, "itemNotFound", "b")
        self.assert_fault(self.call("DELETE", f"{path}/b"), 404, "itemNotFound", "b")
        self.assert_fault(self.call("PUT", f"{path}/b", {"c": "3"}), 400, "badRequest", "path")
        for specs in ({}, {"extra_specs": {}}, {"extra_specs": {"k": 1}}):
            self.assert_fault(self.call("POST", path, specs), 400, "badRequest")

    def test_specs_of_a_type_that_is_none_are_not_found(self) -> None:
        for id in ("none", service_base.MISSING):
            self.assert_fault(self.call("GET", f"/types/{id}/extra_specs"), 404, "itemNotFound")
