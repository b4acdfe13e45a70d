# SPDX-License-Identifier: Apache-2.0
"""What ``cg-lvm selftest`` asks, refuses and prints; and what its judge calls torn."""

import argparse
import contextlib
import io
import pathlib
import struct

import fixtures
from oslotest import base

from cg_extension.cmd.lvm import naming, parser, selftest, text, writer
from cg_extension.drivers.lvm import reports
from cg_extension.tests.unit.drivers.lvm import reported


def _pool(name: str) -> reports.LogicalVolume:
    return reported.volume(name, is_pool=True)


class PoolTest(base.BaseTestCase):
    """Where the scratch volumes are made."""

    def _of(self, *pools: str, **options: object) -> str | None:
        asked = argparse.Namespace(
            **{"volume_group": "vg", "pool": None, "thick": False, **options}
        )
        return selftest.pool_of(asked, {name: _pool(name) for name in pools})

    def test_it_is_the_only_pool_or_none_unless_said(self) -> None:
        self.assertEqual("a", self._of("a"))
        self.assertIsNone(self._of())
        self.assertIsNone(self._of("a", "b", thick=True))
        self.assertEqual("b", self._of("a", "b", pool="b"))

    def test_one_of_several_has_to_be_named_and_there(self) -> None:
        refusal = self.assertRaises(naming.UsageError, self._of, "a", "b")
        self.assertIn("say --pool a or --pool b, or --thick", str(refusal))
        refusal = self.assertRaises(naming.UsageError, self._of, "a", pool="c")
        self.assertIn("there are a", str(refusal))


class ParserTest(base.BaseTestCase):
    def test_numbers_out_of_bounds_are_refused_with_the_bounds(self) -> None:
        for option, value in (("--members", "1"), ("--rounds", "0"), ("--rounds", "x")):
            complaint = io.StringIO()
            with contextlib.redirect_stderr(complaint):
                self.assertRaises(
                    SystemExit, parser.get_parser().parse_args, ["selftest", "vg", option, value]
                )
            self.assertIn(f"{value}: not a number from", complaint.getvalue())


class TextTest(base.BaseTestCase):
    """What is printed for people."""

    def _measured(self, torn: int, stalls: list[float]) -> dict[str, object]:
        return {
            "rounds": len(stalls),
            "torn": torn,
            "worst_gap_writes": 99 * torn,
            "held_ms": [0.5] * len(stalls),
            "stall_ms": stalls,
            "took_ms": [1] * len(stalls),
        }

    def _told(self, torn: int, torn_by_loop: int) -> str:
        return text.text(
            {
                "tested": "vg",
                "ok": not torn,
                "pool": "pool",
                "members": 2,
                "writes": 1,
                "group_snapshot": self._measured(torn, [1.5, 3.0]),
                "lvcreate": self._measured(torn_by_loop, [400.0, 450.0]),
            }
        )

    def test_both_verdicts_and_a_histogram(self) -> None:
        lines = self._told(0, 2).splitlines()
        self.assertEqual("group snapshots of 2 thin volumes in vg/pool: 0 of 2 torn", lines[0])
        self.assertIn("2 of 2 TORN, by up to 198 writes", lines[1])
        self.assertEqual(
            ["0 to 1", "1 to 2", "2 to 5", "200 to 500"],
            [line[:12].strip() for line in lines if "#" in line],
        )

    def test_it_says_when_it_proves_little(self) -> None:
        self.assertIn("proves little", self._told(0, 0))
        self.assertNotIn("proves little", self._told(1, 1))


class JudgeTest(base.BaseTestCase):
    """The judge, on files in place of devices."""

    def setUp(self) -> None:
        super().setUp()
        directory = pathlib.Path(self.useFixture(fixtures.TempDir()).path)
        self.paths = [str(directory / name) for name in "ab"]

    def _write(self, last: int, missing: int | None = None) -> int:
        content = {path: bytearray(writer.SLOTS * writer.BLOCK) for path in self.paths}
        for number in range(1, last + 1):
            if number != missing:
                place = number // 2 % writer.SLOTS * writer.BLOCK
                struct.pack_into("<Q", content[self.paths[number % 2]], place, number)
        for path, data in content.items():
            pathlib.Path(path).write_bytes(data)
        return writer.gap(self.paths)

    def test_all_writes_up_to_one_are_one_instant(self) -> None:
        for last in (1, 2, 7, 500):
            self.assertEqual(0, self._write(last))

    def test_a_missing_write_before_the_last_is_torn(self) -> None:
        self.assertEqual(10, self._write(500, missing=490))
