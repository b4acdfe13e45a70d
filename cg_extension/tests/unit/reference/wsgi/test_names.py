# SPDX-License-Identifier: Apache-2.0
"""Names and descriptions of everything that has them, over HTTP."""

from typing import Any

from cg_extension.tests.unit.reference.wsgi import base


class NamesTest(base.HostTestCase):
    def setUp(self) -> None:
        super().setUp()
        group = self.group()
        self.volume(group)
        # Path of the collection, key of one, what else a creation needs, and whether it changes.
        self.kinds: tuple[tuple[str, str, dict[str, Any], bool], ...] = (
            ("/types", "volume_type", {}, True),
            ("/volumes", "volume", {"size": 1}, True),
            ("/snapshots", "snapshot", {"volume_id": self.volume().id}, True),
            ("/consistencygroups", "consistencygroup", {"volume_types": "__DEFAULT__"}, True),
            ("/cgsnapshots", "cgsnapshot", {"consistencygroup_id": group.id}, False),
        )

    def _make(self, path: str, key: str, values: dict[str, Any]) -> Any:
        answer = self.call("POST", path, {key: values})
        self.assertIn(answer.status_int, (200, 202), answer.text)
        self.settle()
        return answer.json[key]

    def _change(self, path: str, key: str, values: dict[str, Any]) -> Any:
        answer = self.call("PUT", path, {key: values})
        self.assertIn(answer.status_int, (200, 202), answer.text)
        return self.ok("GET", path)[key]

    def test_outer_blanks_are_no_part_of_a_name(self) -> None:
        for path, key, values, changes in self.kinds:
            with self.subTest(path=path):
                made = self._make(path, key, {**values, "name": "  two words "})
                self.assertEqual("two words", made["name"])
                if changes:
                    changed = self._change(f"{path}/{made['id']}", key, {"name": " three  "})
                    self.assertEqual("three", changed["name"])

    def test_a_list_is_filtered_by_the_name_as_it_was_given(self) -> None:
        for path, key, values, _changes in self.kinds:
            with self.subTest(path=path):
                made = self._make(path, key, {**values, "name": " the one "})
                [found] = self.ok("GET", f"{path}?name=%20the%20one%E3%80%80")[f"{key}s"]
                self.assertEqual(made["id"], found["id"])

    def test_outer_blanks_are_no_part_of_the_name_of_a_type_or_zone_that_is_asked_for(self) -> None:
        wanted = {"volume_type": " __DEFAULT__ ", "availability_zone": " nova\u3000"}
        volume = self._make("/volumes", "volume", {"size": 1, **wanted})
        self.assertEqual(
            ("__DEFAULT__", "nova"), (volume["volume_type"], volume["availability_zone"])
        )
        wanted = {"volume_types": " __DEFAULT__ ", "availability_zone": " nova "}
        group = self._make("/consistencygroups", "consistencygroup", wanted)
        self.assertEqual("nova", group["availability_zone"])

    def test_what_is_given_and_empty_is_cleared_and_null_is_absent(self) -> None:
        for path, key, values, changes in self.kinds:
            if not changes:
                continue
            with self.subTest(path=path):
                made = self._make(path, key, {**values, "name": "n", "description": "d"})
                one = f"{path}/{made['id']}"
                changed = self._change(one, key, {"name": "m", "description": ""})
                self.assertEqual(("m", ""), (changed["name"], changed["description"]))
                self._change(one, key, {"description": "e"})
                changed = self._change(one, key, {"name": None, "description": ""})
                self.assertEqual(("m", ""), (changed["name"], changed["description"]))
                for nothing in ({}, {"name": None, "description": None}):
                    answer = self.call("PUT", one, {key: nothing})
                    self.assert_fault(answer, 400, "badRequest", "name")
                if key != "volume_type":
                    self.assertEqual("", self._change(one, key, {"name": "  "})["name"])

    def test_a_type_has_a_name_that_is_more_than_blanks(self) -> None:
        made = self._make("/types", "volume_type", {"name": "gold"})
        for name in ("", " ", "\u3000 "):
            for method, path in (("POST", "/types"), ("PUT", f"/types/{made['id']}")):
                answer = self.call(method, path, {"volume_type": {"name": name}})
                self.assert_fault(answer, 400, "badRequest", "name must not be empty")
        # Blanks make no second type of the same name.
        answer = self.call("POST", "/types", {"volume_type": {"name": " gold "}})
        self.assert_fault(answer, 409, "conflictingRequest", "gold")
