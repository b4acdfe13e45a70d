# SPDX-License-Identifier: Apache-2.0
"""Usage compared with the rows, and mended, on every database."""

import threading
from typing import Any
from unittest import mock

import sqlalchemy as sa

from cg_extension.reference.db import quota_check, tables
from cg_extension.tests.unit.reference.service import base

_USAGE = tables.project_quotas


class QuotaCheckTest(base.ServiceTestCase):
    def _set(self, project_id: str, **values: Any) -> None:
        of_project = _USAGE.c.project_id == project_id
        with self.database.writer() as conn:
            conn.execute(sa.update(_USAGE).where(of_project).values(values))

    def _check(self, project_id: str | None = None) -> tuple[int, list[tuple[Any, ...]]]:
        """How many projects were looked at, and all differences."""
        batches = list(quota_check.differences(self.database, project_id))
        return sum(number for number, _ in batches), [tuple(d) for _, ds in batches for d in ds]

    def test_what_is_right_is_not_told(self) -> None:
        self.assertEqual((0, []), self._check())
        group = self.group()
        self.volume(group, size=3)
        self.cgsnapshot(group)
        self.service.update_quotas(self.admin, "r", {"groups": 0})
        self.assertEqual((2, []), self._check())

    def test_too_much_too_little_and_no_usage_at_all_are_told_and_mended(self) -> None:
        volume = self.volume(size=3)
        self.snapshot(volume)
        self.group(self.stranger)
        self.volume(context=self.admin, size=2)
        self._set("p", volumes=2, snapshot_gigabytes=-1)
        self._set("q", groups=0)
        with self.database.writer() as conn:
            conn.execute(sa.delete(_USAGE).where(_USAGE.c.project_id == "a"))
        expected = [
            ("a", "volumes", 0, 1),
            ("a", "volume_gigabytes", 0, 2),
            ("p", "volumes", 2, 1),
            ("p", "snapshot_gigabytes", -1, 3),
            ("q", "groups", 0, 1),
        ]
        for size in (500, 2, 1):
            with mock.patch.object(quota_check, "BATCH", size):
                self.assertEqual((3, expected), self._check())
        self.assertEqual((1, expected[-1:]), self._check("q"))
        self.assertEqual((0, []), self._check("unknown"))
        for project_id in ("a", "p"):
            quota_check.mend(self.database, project_id)
        self.assertEqual((3, expected[-1:]), self._check())

    def test_work_that_is_accepted_meanwhile_is_no_difference(self) -> None:
        ended = threading.Event()

        def work() -> None:
            try:
                for _ in range(30):
                    self.service.create_volume(self.member, **self.volume_arguments())
            finally:
                ended.set()

        thread = threading.Thread(target=work)
        thread.start()
        while not ended.is_set():
            self.assertEqual([], self._check()[1])
        thread.join()

    def test_mending_waits_for_what_is_being_accepted(self) -> None:
        self.volume()
        self._set("p", volumes=0)
        thread = threading.Thread(target=quota_check.mend, args=(self.database, "p"))

        def accept(transaction: Any) -> None:
            transaction.lock("p")
            thread.start()
            thread.join(0.2)
            self.assertTrue(thread.is_alive())

        self.service.write(accept)
        thread.join()
        self.assertEqual([], self._check()[1])
