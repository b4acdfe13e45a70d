# SPDX-License-Identifier: Apache-2.0
"""The live writer and the judge of ``cg-lvm selftest``, and load beside it."""

import os
from collections.abc import Sequence
from typing import Self

from cg_extension.cmd.lvm import writer
from cg_extension.cmd.lvm.writer import gap, newest
from cg_extension.tests.lvm import load

__all__ = ["Load", "Writer", "gap", "newest"]

_NICE = 10


class Writer(writer.Writer):
    """One that gives way.

    On a guest's only processor it writes at full speed whenever others wait, as they do in a freeze
    for the devices, and does not make all that they compute take twice as long.
    """

    def __enter__(self) -> Self:
        super().__enter__()
        os.setpriority(os.PRIO_PROCESS, self.process.pid, _NICE)
        return self


class Load(writer.Writer):
    """Writes to all devices at once."""

    program = load.__file__

    def __init__(self, devices: Sequence[str]) -> None:
        super().__init__(devices)
        self.arguments = list(devices)
