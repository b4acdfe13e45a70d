# SPDX-License-Identifier: Apache-2.0
"""How a command ends, whatever ends it."""

import subprocess
import sys

import oslo_messaging
from oslo_db import exception as db_exception
from oslotest import base

from cg_extension.cmd import lifecycle
from cg_extension.conf import errors

_FAIL = """
import sys, threading, time
from cg_extension.cmd import lifecycle
from cg_extension.conf import errors
with lifecycle.command("cg-test") as begun:
    begun.callback(print, "first undone")
    begun.callback(print, "second undone")
    {0}
print("not reached")
"""


class CommandTest(base.BaseTestCase):
    def run_failing(self, line: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-W", "ignore", "-c", _FAIL.format(line)],
            capture_output=True,
            text=True,
            timeout=60,
        )

    def test_an_operators_mistake_is_one_line_and_what_was_begun_is_undone(self) -> None:
        done = self.run_failing("raise errors.StartError('port = 1: taken')")
        self.assertEqual(
            (1, "second undone\nfirst undone\n", "cg-test: port = 1: taken\n"),
            (done.returncode, done.stdout, done.stderr),
        )

    def test_a_fault_of_ours_has_a_traceback_and_ends_in_the_same_way(self) -> None:
        done = self.run_failing("begun.nothing")
        self.assertEqual((1, "second undone\nfirst undone\n"), (done.returncode, done.stdout))
        self.assertIn("Traceback", done.stderr)
        self.assertTrue(done.stderr.splitlines()[-1].startswith("cg-test: AttributeError: "))

    def test_the_process_ends_beside_a_thread_that_does_not(self) -> None:
        done = self.run_failing(
            "threading.Thread(target=time.sleep, args=(600,)).start(); begun.is_stuck = True; "
            "raise errors.StartError('it is so')"
        )
        self.assertEqual((1, "cg-test: it is so\n"), (done.returncode, done.stderr))


class ExplainTest(base.BaseTestCase):
    def test_what_is_outside_of_the_program_is_named(self) -> None:
        for error, text in (
            (errors.StartError("a"), "a"),
            (db_exception.DBError(RuntimeError("no table")), "[database] connection: no table"),
            (oslo_messaging.MessagingException("no driver"), "transport_url: no driver"),
            (PermissionError(13, "Permission denied", "/x"), "/x: Permission denied"),
        ):
            self.assertEqual(text, lifecycle.explain(error))

    def test_faults_of_ours_are_not_explained_away(self) -> None:
        for error in (ValueError("a"), KeyError("a"), TypeError(), AssertionError()):
            self.assertIsNone(lifecycle.explain(error))

    def test_no_password_is_told(self) -> None:
        for url in ("rabbit://u:secret@host/", "mysql+pymysql://:secret@host/db"):
            told = lifecycle.explain(errors.StartError(f'Invalid "{url}"'))
            self.assertNotIn("secret", str(told))
            self.assertIn("host", str(told))
