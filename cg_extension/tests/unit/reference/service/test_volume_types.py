# SPDX-License-Identifier: Apache-2.0
"""Tests of reference.service.volume_types and quotas on every database."""

import sqlite3
from typing import Any

from cg_extension.contract import exceptions, records
from cg_extension.reference.db import volume_types
from cg_extension.tests.unit.reference.service import base


class VolumeTypesTest(base.ServiceTestCase):
    def _create(self, name: str, **values: Any) -> records.VolumeType:
        arguments = {"description": None, "is_public": True, "extra_specs": {}, **values}
        return self.service.create_type(self.admin, name=name, **arguments)

    def test_a_type_is_found_by_id_and_name_with_its_specs(self) -> None:
        kind = self._create("t", description="d", extra_specs={"a": "1"})
        self.assertEqual(kind, self.service.get_type(self.member, kind.id))
        self.assertEqual(kind, self.service.get_type_by_name(self.member, "t"))

    def test_as_many_can_be_asked_for_as_a_body_has_room_for(self) -> None:
        kind = self._create("t")
        # Short ones, with a comma each.
        names = [f"{number:03x}" for number in range(112 * 1024 // 4)]
        with self.database.writer() as conn:
            raw: Any = conn.connection.dbapi_connection
            if isinstance(raw, sqlite3.Connection):  # As SQLite comes; Debian's takes more.
                raw.setlimit(sqlite3.SQLITE_LIMIT_VARIABLE_NUMBER, 32_766)
            found = volume_types.find(conn, [*names, "t", kind.id])
        self.assertEqual([kind.id], [each["id"] for each in found])

    def test_names_differ(self) -> None:
        kind = self._create("t")
        self.assertRaises(exceptions.Conflict, self._create, "t")
        other = self._create("t ")
        self.assertRaises(
            exceptions.Conflict,
            self.service.update_type,
            self.admin,
            other.id,
            name=kind.name,
            description=None,
            is_public=None,
        )

    def test_a_private_type_is_an_administrators(self) -> None:
        kind = self._create("t", is_public=False)
        self.assertRaises(
            exceptions.VolumeTypeNotFound, self.service.get_type, self.member, kind.id
        )
        query = records.ListQuery(limit=10, sort=(("name", "asc"),))
        listed = [item.name for item in self.service.list_types(self.member, query).items]
        self.assertEqual(["__DEFAULT__"], listed)
        listed = [item.name for item in self.service.list_types(self.admin, query).items]
        self.assertEqual(["__DEFAULT__", "t"], listed)

    def test_the_default_type_can_be_neither_deleted_nor_renamed(self) -> None:
        default = self.default_type
        self.refused(
            "default_volume_type",
            exceptions.InvalidState,
            self.service.delete_type,
            self.admin,
            default.id,
        )
        same: dict[str, Any] = {"description": "ours", "is_public": None}
        self.refused(
            "default_volume_type",
            exceptions.InvalidState,
            self.service.update_type,
            self.admin,
            default.id,
            name="other",
            **same,
        )
        for name in (None, default.name):
            changed = self.service.update_type(self.admin, default.id, name=name, **same)
            self.assertEqual((default.name, "ours"), (changed.name, changed.description))
        self.conf.set_override("default_volume_type", self._create("t").name)
        self.service.delete_type(self.admin, default.id)

    def test_it_changes(self) -> None:
        kind = self._create("t", extra_specs={"a": "1"})
        changed = self.service.update_type(
            self.admin, kind.id, name="u", description=None, is_public=False
        )
        self.assertEqual(("u", False), (changed.name, changed.is_public))
        specs = self.service.set_type_extra_specs(self.admin, kind.id, {"b": "2"})
        self.assertEqual({"a": "1", "b": "2"}, specs)
        self.service.delete_type_extra_spec(self.admin, kind.id, "a")
        self.assertEqual({"b": "2"}, self.service.get_type(self.admin, kind.id).extra_specs)
        self.assertRaises(
            exceptions.NotFound, self.service.delete_type_extra_spec, self.admin, kind.id, "a"
        )

    def test_one_that_is_used_is_kept(self) -> None:
        of_volume, of_group, unused = (self._create(name) for name in ("v", "g", "u"))
        self.volume(volume_type="v")
        self.group(volume_types=["g"])
        for kind in (of_volume, of_group):
            self.refused(
                "in use", exceptions.InvalidState, self.service.delete_type, self.admin, kind.id
            )
        self.service.delete_type(self.admin, unused.id)
        self.assertRaises(
            exceptions.VolumeTypeNotFound, self.service.delete_type, self.admin, unused.id
        )


class QuotasTest(base.ServiceTestCase):
    def test_a_projects_own_limits_go_before_the_defaults(self) -> None:
        self.conf.set_override("quota_volumes", 7)
        self.assertEqual(7, self.service.default_quotas(self.admin)["volumes"])
        limits = self.service.update_quotas(self.admin, "p", {"volumes": 3, "groups": -1})
        self.assertEqual((3, -1), (limits["volumes"], limits["groups"]))
        self.assertEqual(limits, self.service.get_quotas(self.admin, "p"))
        self.service.delete_quotas(self.admin, "p")
        self.assertEqual(7, self.service.get_quotas(self.admin, "p")["volumes"])

    def test_usage_is_counted_from_the_rows(self) -> None:
        volume = self.volume(self.group(), size=3)
        self.snapshot(volume)
        usage = self.service.get_quota_usage(self.admin, "p")
        counted = {resource: usage[resource].in_use for resource in usage}
        self.assertEqual({"groups": 1, "volumes": 1, "snapshots": 1, "gigabytes": 6}, counted)
        self.conf.set_override("no_snapshot_gb_quota", True)
        self.assertEqual(3, self.service.get_quota_usage(self.admin, "p")["gigabytes"].in_use)
        usage = self.service.get_quota_usage(self.admin, "q")
        self.assertEqual({0}, {value.in_use for value in usage.values()})
