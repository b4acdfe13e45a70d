#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Writes constraints.txt anew: the newest release of every package that the tests install.

tox, guests and quickstart.sh install with this file, so that tests have the same packages today as
yesterday. Run this by .venv/tox/bin/python, which run_tests.sh makes, then the tests; ``cinder28``
does not install with it. uv makes one list for all versions of Python.
"""

import configparser
import pathlib
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parents[1]
FILE = ROOT / "constraints.txt"
HEADER = "# Written by tools/renew_constraints.py.\n"
# Environments whose dependencies are wanted besides the project's extras.
ENVIRONMENTS = ("testenv:linters", "testenv:functional", "testenv:cinder")


def requirements() -> list[str]:
    """The dependencies in tox.ini; those of other sections are followed."""
    tox = configparser.ConfigParser(interpolation=None)
    tox.read(ROOT / "tox.ini")
    waiting = list(ENVIRONMENTS)
    found: set[str] = set()
    for section in waiting:
        for line in tox[section]["deps"].split():
            if line.startswith("{["):
                waiting.append(line.removeprefix("{[").partition("]")[0])
            else:
                found.add(line)
    return sorted(found)


def main() -> None:
    """Ask uv, which asks the package index."""
    command = (
        *(pathlib.Path(sys.executable).with_name("uv"), "pip", "compile", "--quiet", "--universal"),
        *("--python-version", "3.11", "--no-header", "--no-annotate", "--no-emit-index-url"),
        *("--upgrade", "--extra", "docs", "--extra", "test", ROOT / "setup.cfg", "-"),
    )
    text = "\n".join(requirements())
    done = subprocess.run(command, input=text, stdout=subprocess.PIPE, text=True, check=True)
    FILE.write_text(HEADER + done.stdout)


if __name__ == "__main__":
    main()
