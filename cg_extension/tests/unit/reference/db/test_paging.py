# SPDX-License-Identifier: Apache-2.0
"""Tests of db.paging on every database: one order everywhere, no row skipped or repeated."""

import datetime
import itertools
import random
import uuid
from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa
import testscenarios
from oslotest import base

from cg_extension.reference.db import paging, rows, tables
from cg_extension.tests import databases

_TABLE = tables.consistencygroups
_NAMES = [None, "", "a", "a ", "A", "ä", "\U0001f600", "\uffff", "b"]


def _uuid(number: int) -> str:
    return str(uuid.UUID(int=number))


class PagingTest(testscenarios.WithScenarios, base.BaseTestCase):
    scenarios = databases.SCENARIOS
    dialect: str

    def setUp(self) -> None:
        super().setUp()
        self.database = self.useFixture(databases.Database(self.dialect)).database
        chance = random.Random(7)
        start = datetime.datetime(2026, 1, 1)
        self.rows: list[dict[str, Any]] = [
            {
                "id": _uuid(chance.getrandbits(128)),
                "project_id": chance.choice("pq"),
                "name": chance.choice(_NAMES),
                "status": chance.choice(["available", "error"]),
                "availability_zone": "z",
                "created_at": start + datetime.timedelta(microseconds=chance.randrange(5)),
            }
            for _ in range(60)
        ]
        with self.database.writer() as conn:
            rows.insert(conn, _TABLE, self.rows)

    def _page(self, **values: Any) -> tuple[list[str], bool]:
        arguments: dict[str, Any] = {
            "scope": {"project_id": "p"},
            "filters": {},
            "sort": [("created_at", "desc")],
            "marker": None,
            "limit": 100,
            **values,
        }
        with self.database.reader() as conn:
            found, has_more = paging.page(conn, _TABLE, **arguments)
        return [row.id for row in found], has_more

    def _expected(self, sort: list[tuple[str, str]]) -> list[str]:
        """The order by Python: code points, no name like an empty one, the id at the end."""
        found = [row for row in self.rows if row["project_id"] == "p"]
        for name, direction in reversed([*sort, ("id", sort[-1][1])]):
            found.sort(
                key=lambda row, name=name: row[name] or "",  # type: ignore[misc]
                reverse=direction == "desc",
            )
        return [row["id"] for row in found]

    def test_every_order_is_total_and_the_same_on_every_database(self) -> None:
        keys = ("name", "status", "created_at", "id")
        singles = [[(key, way)] for key in keys for way in ("asc", "desc")]
        doubles = [
            [(first, a), (second, b)]
            for first, second in (("status", "name"), ("name", "created_at"))
            for a, b in itertools.product(("asc", "desc"), repeat=2)
        ]
        for sort in singles + doubles:
            expected = self._expected(sort)
            found: list[str] = []
            marker, has_more = None, True
            while has_more:
                ids, has_more = self._page(sort=sort, marker=marker, limit=7)
                found.extend(ids)
                marker = ids[-1]
            self.assertEqual(expected, found, sort)

    def test_there_is_no_more_after_a_page_that_is_just_full(self) -> None:
        count = len(self._expected([("id", "asc")]))
        self.assertEqual((count, False), (len(self._page(limit=count)[0]), self._page()[1]))
        self.assertFalse(self._page(limit=count)[1])
        self.assertTrue(self._page(limit=count - 1)[1])

    def test_an_offset_skips_rows_after_the_marker(self) -> None:
        expected = self._expected([("created_at", "desc")])
        ids, _ = self._page(marker=expected[2], offset=3, limit=2)
        self.assertEqual(expected[6:8], ids)
        self.assertEqual(([], False), self._page(offset=2**63 - 1, limit=2))

    def test_filters_are_exact(self) -> None:
        ids, _ = self._page(filters={"name": "a"})
        wanted = {r["id"] for r in self.rows if r["project_id"] == "p" and r["name"] == "a"}
        self.assertEqual(wanted, set(ids))

    def test_a_filter_for_the_empty_name_finds_no_row_without_a_name(self) -> None:
        ids, _ = self._page(filters={"name": ""})
        wanted = {r["id"] for r in self.rows if r["project_id"] == "p" and r["name"] == ""}
        self.assertEqual(wanted, set(ids))

    def test_a_limit_of_none_is_an_empty_page(self) -> None:
        self.assertEqual(([], False), self._page(limit=0))

    def test_a_marker_outside_of_the_list_is_an_error(self) -> None:
        foreign = next(row["id"] for row in self.rows if row["project_id"] == "q")
        for marker in (foreign, "unknown"):
            for limit in (0, 5):
                self.assertRaises(paging.MarkerNotFound, self._page, marker=marker, limit=limit)

    def test_a_marker_need_not_fulfil_the_filters_any_more(self) -> None:
        expected = self._expected([("created_at", "desc")])
        by_id = {row["id"]: row for row in self.rows}
        marker = next(i for i in expected if by_id[i]["status"] == "error")
        ids, _ = self._page(marker=marker, filters={"status": "available"})
        after = expected[expected.index(marker) + 1 :]
        self.assertEqual([i for i in after if by_id[i]["status"] == "available"], ids)

    def test_an_unknown_sort_key_is_an_error(self) -> None:
        for key in ("shape", "host"):
            self.assertRaises(paging.UnknownSortKey, self._page, sort=[(key, "asc")])


class IndexTest(base.BaseTestCase):
    def test_each_order_of_a_projects_list_has_an_index_and_of_all_those_by_time_and_name(
        self,
    ) -> None:
        """And all of one status by time; the id alone has the primary key."""
        common = ["created_at", "name_key", "status"]
        for table, keys in (
            (tables.consistencygroups, [*common, "availability_zone"]),
            (tables.cgsnapshots, common),
            (tables.volumes, common),
            (tables.snapshots, common),
        ):
            indexed = [[column.name for column in index.columns] for index in table.indexes]
            self.assertIn(["project_id", "id"], indexed)
            for key in keys:
                self.assertIn(["project_id", key, "id"], indexed)
            of_all = [columns for columns in indexed if columns[0] in keys]
            expected = [["created_at", "id"], ["name_key", "id"], ["status", "created_at", "id"]]
            self.assertEqual(expected, sorted(of_all))


def _row(number: int, **values: Any) -> dict[str, Any]:
    return {
        "id": _uuid(number),
        "project_id": "p",
        "name": None,
        "status": "available",
        "availability_zone": "nova",
        "created_at": datetime.datetime(2026, 1, 1) + datetime.timedelta(seconds=number),
        **values,
    }


def _plan(conn: sa.Connection, **arguments: Any) -> Sequence[sa.Row]:
    """What the database means to do for a page."""
    statements: list[tuple[str, Any]] = []

    def note(_conn: Any, _cursor: Any, statement: str, values: Any, *_more: Any) -> None:
        statements.append((statement, values))

    sa.event.listen(conn, "before_cursor_execute", note)
    paging.page(conn, _TABLE, limit=9, **arguments)
    statement, values = statements[-1]
    explain = "EXPLAIN QUERY PLAN" if conn.dialect.name == "sqlite" else "EXPLAIN"
    return conn.exec_driver_sql(f"{explain} {statement}", values).all()


class FilteredPlanTest(testscenarios.WithScenarios, base.BaseTestCase):
    scenarios = databases.SCENARIOS
    dialect: str

    def test_a_filtered_list_is_read_from_one_index_in_its_order(self) -> None:
        database = self.useFixture(databases.Database(self.dialect)).database
        rare = {"status": "rare", "availability_zone": "rare"}
        with database.writer() as conn:
            found = [
                _row(begin + number, **(rare if number < few else {}), project_id=project)
                # So few of all that the index of all projects is clearly worse.
                for project, begin, count, few in (("p", 0, 100, 5), ("another", 100, 2000, 100))
                for number in range(count)
            ]
            rows.insert(conn, _TABLE, found)
            if self.dialect == "postgresql":  # Else it knows of no difference.
                conn.exec_driver_sql(f"ANALYZE {_TABLE.name}")
        own = {"project_id": "p"}
        lists: list[tuple[dict[str, object], str, str]] = [
            (own, "status", "ix_consistencygroups_project_status_created_at"),
            (own, "availability_zone", "ix_consistencygroups_project_availability_zone_created_at"),
            ({}, "status", "ix_consistencygroups_status_created_at"),
        ]
        for (scope, name, index), marker in itertools.product(lists, (None, _uuid(50))):
            with database.reader() as conn:
                if self.dialect == "postgresql":  # Its planner is free to think of few rows.
                    conn.exec_driver_sql("SET LOCAL enable_sort = off")
                    conn.exec_driver_sql("SET LOCAL enable_seqscan = off")
                plan = _plan(
                    conn,
                    scope=scope,
                    filters={name: "rare"},
                    sort=[("created_at", "desc")],
                    marker=marker,
                )
            self.assertIn(index, str(plan))
            for sorts in ("filesort", "TEMP B-TREE", "Sort"):
                self.assertNotIn(sorts, str(plan))


class PlanTest(base.BaseTestCase):
    def test_sqlite_looks_up_a_name_instead_of_reading_the_whole_list(self) -> None:
        database = self.useFixture(databases.Database("sqlite")).database
        for scope in ({"project_id": "p"}, {}):
            with database.reader() as conn:
                plan = _plan(
                    conn,
                    scope=scope,
                    filters={"name": "n"},
                    sort=[("created_at", "desc")],
                    marker=None,
                )
            self.assertIn("name_key=?", plan[0][-1])


class PostgreSQLPlanTest(testscenarios.WithScenarios, base.BaseTestCase):
    scenarios = databases.on("postgresql")
    dialect: str

    def test_it_reads_a_later_page_in_its_order_when_all_sort_alike(self) -> None:
        """No status is before the marker's, which must not pass for few rows."""
        database = self.useFixture(databases.Database(self.dialect)).database
        chance = random.Random(7)
        # So few of all that the index of all projects is clearly worse.
        found = [
            _row(number, id=_uuid(chance.getrandbits(128)), project_id=project)
            for number, project in enumerate(["p"] * 300 + ["another"] * 10_000)
        ]
        with database.writer() as conn:
            rows.insert(conn, _TABLE, found)
        with database.engines[0].connect() as conn:
            conn = conn.execution_options(isolation_level="AUTOCOMMIT")
            # In full: what other tests left in the table would count, too.
            conn.exec_driver_sql(f"VACUUM FULL ANALYZE {_TABLE.name}")
        for direction in ("asc", "desc"):
            with database.reader() as conn:
                plan = _plan(
                    conn,
                    scope={"project_id": "p"},
                    filters={},
                    sort=[("status", direction)],
                    marker=found[150]["id"],
                )
            self.assertIn("using ix_consistencygroups_project_status on", str(plan))
            self.assertNotIn("Sort", str(plan))
