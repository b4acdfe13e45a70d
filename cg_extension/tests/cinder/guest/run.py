# SPDX-License-Identifier: Apache-2.0
"""``python -m cg_extension.tests.cinder.guest.run FILE [CLASS…]``: run scenarios in this process.

All, or those of the classes. FILE gets a JSON object: each test's name, and what went wrong or an
empty text. A line ``platform: …`` says where it ran.
"""

import json
import pathlib
import sys
import time
import unittest

try:
    from cinder import monkey_patch
except ImportError:  # Cinder 28 does it in each command.
    import eventlet

    eventlet.monkey_patch()
else:
    monkey_patch.patch()

from cg_extension.tests.cinder.guest import scenarios
from cg_extension.tests.lvm import run


class _Result(unittest.TestResult):
    """Keeps each test's outcome, and writes all so far: a guest may not live to the end."""

    def __init__(self, file: pathlib.Path) -> None:
        super().__init__()
        self.file = file
        self.outcomes: dict[str, str] = {}

    def startTest(self, test: unittest.TestCase) -> None:
        super().startTest(test)
        self.started = time.monotonic()
        self._note(test, "did not end")

    def stopTest(self, test: unittest.TestCase) -> None:
        super().stopTest(test)
        if self.outcomes[_name(test)] == "did not end":
            self._note(test, "")

    def addError(self, test: unittest.TestCase, err: tuple) -> None:
        super().addError(test, err)
        self._note(test, self._exc_info_to_string(err, test))

    addFailure = addError

    def _note(self, test: unittest.TestCase, outcome: str) -> None:
        self.outcomes[_name(test)] = outcome
        took = time.monotonic() - self.started
        print(f"{_name(test)} [{took:.0f} s] {outcome or 'ok'}", flush=True)
        self.file.write_text(json.dumps(self.outcomes))


def _name(test: unittest.TestCase) -> str:
    return test.id().removeprefix(f"{scenarios.__name__}.")


if __name__ == "__main__":
    print(run.platform_line(), flush=True)
    load = unittest.defaultTestLoader
    classes = [f"{scenarios.__name__}.{name}" for name in sys.argv[2:]]
    suite = load.loadTestsFromNames(classes or [scenarios.__name__])
    suite.run(_Result(pathlib.Path(sys.argv[1])))
