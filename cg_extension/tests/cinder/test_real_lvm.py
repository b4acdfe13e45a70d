# SPDX-License-Identifier: Apache-2.0
"""The scenarios of ``guest``, run once in User-Mode Linux, thin and thick; each is a test here.

In the guest are LVM and Python of a tree of Debian, and this environment's Cinder; with eventlet,
and in a long run with threads as well.
"""

import ast
import functools
import json
import os
import pathlib
import subprocess
import sys
import tempfile
import unittest
from collections.abc import Callable

import cg_extension
from cg_extension.tests import long
from cg_extension.tests.cinder import deployment, guest

BOOT = pathlib.Path(cg_extension.__file__).parents[1] / "tools" / "guest" / "uml.py"
RELEASE = "trixie"
LAYER = os.environ.get("TOX_ENV_NAME", "cinder")
"""Of the tree; for each environment with a Cinder there is one."""

TIME_LIMIT = 1200
KINDS = ("ThinTest", "ThickTest")


@functools.cache
def _outcomes(kind: str, threads: bool) -> dict[str, str]:
    """The name of each scenario of a class, and what went wrong in it or an empty text."""
    environment = deployment.THREADS if threads else {}
    # Not /tmp, of which a guest has its own.
    with tempfile.TemporaryDirectory(dir="/var/tmp") as directory:
        file = pathlib.Path(directory) / "outcomes"
        done = subprocess.run(
            [
                *(sys.executable, str(BOOT), "--timeout", str(TIME_LIMIT)),
                *("--release", RELEASE, "--layer", LAYER, "--share", directory, "--"),
                *("env", *(f"{name}={value}" for name, value in environment.items())),
                *("python", "-W", "ignore", "-m", f"{guest.__name__}.run", str(file), kind),
            ],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        if not file.exists():
            raise RuntimeError(f"the guest ran no scenario:\n{done.stdout[-8000:]}")
        return json.loads(file.read_text())


def _scenarios() -> list[str]:
    """Read from the source: importing it takes root and Cinder's test cases with it."""
    source = pathlib.Path(guest.__file__).with_name("scenarios.py").read_text()
    return [
        node.name
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.FunctionDef) and node.name.startswith("test_")
    ]


def _test(kind: str, scenario: str, threads: bool) -> Callable[[unittest.TestCase], None]:
    def test(self: unittest.TestCase) -> None:
        self.assertEqual("", _outcomes(kind, threads).get(f"{kind}.{scenario}", "did not run"))

    return test


def _fill(case: type[unittest.TestCase], threads: bool) -> None:
    """Give the class a test for each scenario and kind of volumes."""
    for kind in KINDS:
        for scenario in _scenarios():
            setattr(
                case,
                f"test_{kind.removesuffix('Test').lower()}_{scenario.removeprefix('test_')}",
                _test(kind, scenario, threads),
            )


class RealLVMTest(unittest.TestCase):
    """Filled below, as the next."""


_fill(RealLVMTest, threads=False)

if deployment.CAN_USE_THREADS and long.WANTED:

    class ThreadsTest(unittest.TestCase):
        """The same without eventlet."""

    _fill(ThreadsTest, threads=True)
