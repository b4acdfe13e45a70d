# SPDX-License-Identifier: Apache-2.0
"""The tests' own quick start of programs: what it starts is a process as any other."""

import os
import pathlib
import signal
import subprocess

import fixtures
from oslotest import base

from cg_extension.tests.deployment import warm

PROGRAM = """
import atexit, os, sys, threading, time

def show():
    print(os.getcwd(), sorted(os.environ), sys.argv[1:], os.getsid(0) == os.getpid())
    print("cg_extension.conf" in sys.modules, sys.stdin.read() == "")
    atexit.register(print, "at exit")
    threading.Timer(0.1, print, ["from a thread"]).start()
    return 3

def fail():
    raise ValueError("told to")

def sleep():
    print("asleep", flush=True)
    time.sleep(60)
"""


class WarmTest(base.BaseTestCase):
    def setUp(self) -> None:
        super().setUp()
        self.useFixture(fixtures.EnvironmentVariable(warm.VARIABLE, "1"))
        self.directory = pathlib.Path(self.useFixture(fixtures.TempDir()).path)
        (self.directory / "program.py").write_text(PROGRAM)
        self.environment = {"PYTHONPATH": str(self.directory), "A": "b"}

    def test_it_has_what_it_was_given_and_ends_as_python_does(self) -> None:
        printed = self.directory / "printed"
        with printed.open("wb") as output:
            program = warm.start(
                *("program:show", ["x", "y z"]),
                environment=self.environment,
                directory=self.directory,
                stdout=output,
                stderr=output,
                session=True,
            )
        self.assertEqual(3, program.wait(30))
        self.assertEqual(3, program.poll())
        self.assertEqual(
            [
                f"{self.directory} ['A', 'PYTHONPATH'] ['x', 'y z'] True",
                "False True",
                "from a thread",
                "at exit",
            ],
            printed.read_text().splitlines(),
        )

    def test_an_exception_ends_it_with_a_traceback(self) -> None:
        done = warm.run("program:fail", [], environment=self.environment)
        self.assertEqual((1, ""), (done.returncode, done.stdout))
        self.assertIn("ValueError: told to", done.stderr.splitlines()[-1])

    def test_a_signal_ends_it(self) -> None:
        for number, ended in ((signal.SIGKILL, -9), (signal.SIGTERM, -15), (signal.SIGINT, -2)):
            reader, writer = os.pipe()
            with open(reader, "rb") as output:
                with open(writer, "wb") as file:
                    program = warm.start(
                        *("program:sleep", []),
                        environment=self.environment,
                        stdout=file,
                        stderr=file,
                    )
                self.assertEqual(b"asleep\n", output.readline())
                self.assertRaises(subprocess.TimeoutExpired, program.wait, 0.05)
                program.send_signal(number)
                self.assertEqual(ended, program.wait(30))

    def test_it_is_killed_when_it_takes_too_long(self) -> None:
        self.assertRaises(
            subprocess.TimeoutExpired,
            *(warm.run, "program:sleep", []),
            environment=self.environment,
            timeout=0.5,
        )
