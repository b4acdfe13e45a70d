# SPDX-License-Identifier: Apache-2.0
"""Statements to the database for each call: as many for a long page as for a short one."""

import contextlib
from collections.abc import Callable, Iterator
from typing import Any

import sqlalchemy as sa

from cg_extension.contract import records
from cg_extension.tests.unit.reference.service import base


class QueryCountTest(base.ServiceTestCase):
    @contextlib.contextmanager
    def _statements(self) -> Iterator[list[str]]:
        seen: list[str] = []

        def note(_conn: Any, _cursor: Any, statement: str, *_rest: Any) -> None:
            if not statement.startswith(("BEGIN", "START", "ROLLBACK")):
                seen.append(statement)

        for engine in self.database.engines:
            sa.event.listen(engine, "before_cursor_execute", note)
        try:
            yield seen
        finally:
            for engine in self.database.engines:
                sa.event.remove(engine, "before_cursor_execute", note)

    def _counted(self, call: Callable[[], Any]) -> int:
        with self._statements() as seen:
            call()
        return len(seen)

    def test_lists_take_a_constant_number(self) -> None:
        group = self.group()
        for _ in range(4):
            self.volume(group, metadata={"a": "1"})
            self.group()
            self.cgsnapshot(group)
        for call, expected in (
            (self.service.list_groups, 1),
            (self.service.list_group_names, 1),
            (self.service.list_cgsnapshots, 1),
            (self.service.list_cgsnapshot_names, 1),
            (self.service.list_volumes, 3),
            (self.service.list_snapshots, 2),
            (self.service.list_types, 2),
        ):
            for limit in (1, 4):
                query = records.ListQuery(limit=limit)
                count = self._counted(lambda c=call, q=query: c(self.member, q))
                self.assertEqual(expected, count, call)

    def test_receipts_take_one_for_any_number_and_none_for_none(self) -> None:
        for ids, expected in (([], 0), (["a"], 1), (["a", "b", "c"], 1)):
            count = self._counted(lambda i=ids: self.service.get_receipts(self.member, i))
            self.assertEqual(expected, count)

    def test_showing_a_group_takes_one(self) -> None:
        group = self.group()
        self.assertEqual(1, self._counted(lambda: self.service.get_group(self.member, group.id)))

    def test_creating_a_group_takes_few(self) -> None:
        self.group()
        create = lambda: self.service.create_group(  # noqa: E731
            self.member,
            name=None,
            description=None,
            volume_types=[self.default_type.id],
            availability_zone=None,
        )
        # Types, backends, project; group, its types, operation.
        self.assertEqual(6, self._counted(create))
        self.conf.set_override("quota_groups", 100)
        self.assertEqual(6, self._counted(create))

    def test_creating_a_volume_takes_few(self) -> None:
        group, source = self.group(), self.volume()
        self.conf.set_override("quota_volumes", 100)
        create = lambda **values: self.service.create_volume(  # noqa: E731
            self.member, **self.volume_arguments(**values)
        )
        # Default type: name, row, extra specs; project, backends; volume, operation.
        self.assertEqual(7, self._counted(create))
        # Its lock; the group and its types.
        self.assertEqual(10, self._counted(lambda: create(consistencygroup_id=group.id)))
        # Its lock; the source, before and under it; no default type's name.
        self.assertEqual(9, self._counted(lambda: create(source_volid=source.id)))

    def test_group_work_takes_as_many_for_many_members_as_for_one(self) -> None:
        counts = set()
        for members in (1, 4):
            group = self.group()
            for _ in range(members):
                self.volume(group, metadata={"a": "1"})
            counts.add(
                (
                    self._counted(
                        lambda g=group: self.service.create_cgsnapshot(
                            self.member, group_id=g.id, name=None, description=None
                        )
                    ),
                    self._counted(
                        lambda g=group: self.service.create_group_from_src(
                            self.member, name=None, description=None, source_cgid=g.id
                        )
                    ),
                )
            )
        self.assertEqual(1, len(counts), counts)
