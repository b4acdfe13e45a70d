# SPDX-License-Identifier: Apache-2.0
"""How power cuts and lost writes are told of; they themselves need a guest."""

import collections
import os
import pathlib
import random
import struct
from collections.abc import Callable, Sequence
from typing import Any

import fixtures

from cg_extension.tests.power_cuts import journal, machine, work, write_log
from cg_extension.tests.unit import test_long_runs

_SECTOR = 512


class JournalTest(test_long_runs.ToolsTestCase):
    def test_what_was_begun_and_not_done_is_open_until_somebody_looks(self) -> None:
        lines = ["begin snapshot a", "done snapshot a", "begin delete a"]
        events = journal.Journal(lines)
        self.assertEqual(({"a": "delete"}, set(), set()), (events.open, events.there, events.gone))
        events.note("settled", "there", "a")
        self.assertEqual(({}, {"a"}, {"a": "snapshot"}), (events.open, events.there, events.kinds))

    def test_a_rollback_makes_a_snapshot_of_the_state_before_and_tells_where_it_goes(self) -> None:
        events = journal.Journal(["begin snapshot a", "done snapshot a", "begin rollback b a"])
        self.assertEqual(({"b": "rollback"}, {"b": "a"}), (events.open, events.back_to))
        events.note("done", "rollback", "b", "a")
        self.assertEqual(({}, {"a", "b"}), (events.open, events.there))
        self.assertEqual({"a": "snapshot", "b": "snapshot"}, events.kinds)

    def test_a_line_that_the_cut_left_unfinished_counts_for_nothing(self) -> None:
        path = pathlib.Path(self.useFixture(fixtures.TempDir()).path) / "journal"
        path.write_text("begin clone a\ndone clone a\nbegin del")
        self.assertEqual({"a"}, journal.FileJournal(path).there)


class ChoiceTest(test_long_runs.ToolsTestCase):
    def test_about_one_action_in_five_is_a_rollback_and_none_is_rare(self) -> None:
        events, chance = journal.Journal(), random.Random(1)
        counts: collections.Counter[str] = collections.Counter()
        for number in range(2000):
            action = work.choose(events, chance)
            counts[action] += 1
            match action:
                case journal.DELETE:
                    events.note("done", action, chance.choice(sorted(events.there)))
                case journal.ROLLBACK:
                    events.note("done", action, str(number), "0")
                case _:
                    made = journal.SNAPSHOT if action == journal.SNAPSHOT else journal.CLONE
                    events.note("done", made, str(number))
        self.assertTrue(350 < counts[journal.ROLLBACK] < 450, counts)
        self.assertTrue(all(count > 100 for count in counts.values()), counts)

    def test_a_state_before_goes_after_the_thick_snapshots_of_it(self) -> None:
        lines = ["done snapshot a", "done rollback b a", "done clone c"]
        self.useFixture(
            fixtures.MockPatchObject(machine, "run", lambda *_: "\n  r0.b:\n  r1:pool\n:")
        )
        self.assertEqual(["a", "c"], work.removable(journal.Journal(lines)))


class WriteLogTest(test_long_runs.ToolsTestCase):
    """A log as the kernel's dm-log-writes.c writes it."""

    def _open(self, *entries: tuple[int, int, int, bytes]) -> int:
        """``entries``: sector, sectors, flags, and what follows: a write's data, a mark's text."""
        pieces = [struct.pack("<QQQI", 0x6A736677736872, 1, len(entries), _SECTOR)]
        for sector, sectors, flags, content in entries:
            is_mark = flags & 8
            text = content if is_mark else b""
            pieces.append(struct.pack("<QQQQ", sector, sectors, flags, len(text)) + text)
            if content and not is_mark:
                pieces.append(content)
        path = pathlib.Path(self.useFixture(fixtures.TempDir()).path) / "log"
        path.write_bytes(b"".join(piece.ljust(_SECTOR, b"\0") for piece in pieces))
        fd = os.open(path, os.O_RDONLY)
        self.addCleanup(os.close, fd)
        return fd

    def test_the_disk_holds_what_was_logged_up_to_each_flush(self) -> None:
        log = self._open(
            (0, 1, 0, b"a" * _SECTOR),
            (0, 0, 1, b""),
            (0, 0, 8, b"done"),
            (1, 1, 2, b"b" * _SECTOR),
            (0, 1, 4, b""),
        )
        path = pathlib.Path(self.useFixture(fixtures.TempDir()).path) / "disk"
        path.write_bytes(b"-" * 2 * _SECTOR)
        target = os.open(path, os.O_RDWR)
        self.addCleanup(os.close, target)
        states = []
        for entry in write_log.entries(log):
            write_log.replay(log, entry, target)
            disk = path.read_bytes()
            states.append((entry.is_durable, entry.mark, disk[:1] + disk[_SECTOR : _SECTOR + 1]))
        self.assertEqual(
            [
                (False, "", b"a-"),
                (True, "", b"a-"),
                (False, "done", b"a-"),
                (True, "", b"ab"),
                (False, "", b"\0b"),
            ],
            states,
        )


class SwitchTest(test_long_runs.ToolsTestCase):
    def setUp(self) -> None:
        super().setUp()
        self.cuts: Any = self.load("guest.power_cuts")
        self.directory = pathlib.Path(self.useFixture(fixtures.TempDir()).path)

    def _cut(self, start: Callable[[Sequence[str], Any], object]) -> str:
        return str(self.cuts._cut(start, self.directory, 1, "thin", "seed", 0.6))

    def test_all_is_right_if_each_boot_after_a_cut_finds_it_so(self) -> None:
        def start(words: Sequence[str], boot: Any) -> None:
            boot.output = "left: nothing half-way\naudited\n"
            boot.was_cut = words[-1] == "work"

        self.assertEqual("", self._cut(start))

    def test_a_boot_that_finds_a_fault_is_shown_with_its_number(self) -> None:
        def start(words: Sequence[str], boot: Any) -> None:
            boot.was_cut = words[-1] == "work"
            boot.output = "audited\n" if boot.was_cut else "left: begun\na is torn\n"

        self.assertIn("after cut 1:\nleft: begun\na is torn", self._cut(start))

    def test_work_that_ends_before_the_power_is_cut_is_a_fault(self) -> None:
        def start(words: Sequence[str], boot: Any) -> None:
            boot.output = "audited\nat work\ncg-lvm snapshot failed\n"

        self.assertIn("after cut 0:", self._cut(start))

    def test_the_power_goes_once_the_guest_is_at_work(self) -> None:
        boot = self.cuts._Boot(0.0)
        cut: list[bool] = []
        for piece in ("audited\nat wo", "rk\n", "more"):
            boot.heard(piece, lambda: cut.append(True))
        boot._timer.join()
        self.assertEqual(([True], True), (cut, boot.was_cut))
