# SPDX-License-Identifier: Apache-2.0
"""What a run tells the journal, by systemd's native protocol."""

import os
import pathlib
import socket

import fixtures
from oslotest import base

from cg_extension.cmd.lvm.profiles import report


class JournalTest(base.BaseTestCase):
    def setUp(self) -> None:
        super().setUp()
        directory = pathlib.Path(self.useFixture(fixtures.TempDir()).path)
        self.journal = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.addCleanup(self.journal.close)
        self.journal.settimeout(60)
        self.journal.bind(str(directory / "socket"))
        self.useFixture(fixtures.MockPatchObject(report, "_JOURNAL", str(directory / "socket")))
        reading, writing = os.pipe()
        self.addCleanup(os.close, reading)
        stderr = os.fdopen(writing, "w")
        self.addCleanup(stderr.close)
        self.useFixture(fixtures.MonkeyPatch("sys.__stderr__", stderr))
        status = os.fstat(writing)
        self._set_stream(f"{status.st_dev}:{status.st_ino}")

    def _set_stream(self, value: str | None) -> None:
        self.useFixture(fixtures.EnvironmentVariable("JOURNAL_STREAM", value))

    def _received(self) -> dict[str, str]:
        """The fields of an entry: each its name, a line break, its length, its value."""
        rest, fields = self.journal.recv(65536), {}
        while rest:
            name, _, rest = rest.partition(b"\n")
            length = int.from_bytes(rest[:8], "little")
            value, end, rest = rest[8 : 8 + length], rest[8 + length :][:1], rest[9 + length :]
            self.assertEqual(b"\n", end)
            fields[name.decode()] = value.decode()
        return fields

    def test_an_entry_has_message_and_fields(self) -> None:
        report.journal(report.TAKEN, "took\nit", profile="x", held_seconds="0.001")
        self.assertEqual(
            {
                "MESSAGE": "took\nit",
                "MESSAGE_ID": report.TAKEN,
                "PRIORITY": "5",
                "SYSLOG_IDENTIFIER": "cg-lvm",
                "CG_LVM_PROFILE": "x",
                "CG_LVM_HELD_SECONDS": "0.001",
            },
            self._received(),
        )

    def test_a_failure_is_an_error(self) -> None:
        report.journal(report.FAILED, "no", profile="x", status=1)
        self.assertEqual("3", self._received()["PRIORITY"])

    def test_nothing_is_sent_unless_standard_error_is_the_journals(self) -> None:
        for stream in (None, "0:1"):
            self._set_stream(stream)
            report.journal(report.TAKEN, "took it", profile="x")
        self.journal.setblocking(False)
        self.assertRaises(BlockingIOError, self.journal.recv, 1)

    def test_a_journal_that_is_not_there_keeps_nobody_from_work(self) -> None:
        self.useFixture(fixtures.MockPatchObject(report, "_JOURNAL", "/nowhere/socket"))
        report.journal(report.TAKEN, "took it", profile="x")

    def test_kinds_of_messages_are_ids_of_their_own(self) -> None:
        kinds = {report.TAKEN, report.DELETED, report.FAILED, report.UNDONE}
        self.assertEqual(4, len(kinds))
        for kind in kinds:
            self.assertRegex(kind, "^[0-9a-f]{32}$")
