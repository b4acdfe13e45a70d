# SPDX-License-Identifier: Apache-2.0
"""A live writer that goes round block devices, and the judge of snapshots taken meanwhile.

Write number ``i`` goes to device ``i % N``, around ``SLOTS`` blocks of it, with O_DIRECT|O_DSYNC:
it is on the device before ``i + 1`` begins. So the snapshots show one instant only if they hold
all of the writes up to one number and none after it.

As a program it writes until its standard input ends, as it does when its starter is killed, then
prints ``{"writes": n, "stalls": [[time, seconds], …]}``: each write that took over a millisecond.
It goes on after the last number that it finds; with ``--pause SECONDS`` it rests after each write.
"""

import argparse
import json
import mmap
import os
import select
import struct
import subprocess
import sys
import time
from collections.abc import Sequence
from typing import Any, Self

BLOCK = 4096
SLOTS = 64
_STALL = 0.001


def main() -> None:
    """Write until standard input ends."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--pause", type=float, default=0.0)
    parser.add_argument("devices", nargs="+")
    arguments = parser.parse_args()
    _write(arguments.devices, arguments.pause)


def _write(devices: Sequence[str], pause: float) -> None:
    descriptors = [os.open(device, os.O_RDWR | os.O_DIRECT | os.O_DSYNC) for device in devices]
    block = mmap.mmap(-1, BLOCK)
    stalls = []
    print("ready", flush=True)
    number = max(newest(device) for device in devices)  # 0 on volumes that are new
    while number % 16 or not select.select([0], [], [], 0)[0]:
        number += 1
        struct.pack_into("<Q", block, 0, number)
        before = time.monotonic()
        _device, _slot = _place(number, len(devices))
        os.pwrite(descriptors[_device], block, _slot * BLOCK)
        took = time.monotonic() - before
        if took > _STALL:
            stalls.append((before, took))
        if pause:
            time.sleep(pause)
    print(json.dumps({"writes": number, "stalls": stalls}), flush=True)


def _place(number: int, devices: int) -> tuple[int, int]:
    return number % devices, number // devices % SLOTS


class Writer:
    """The writer as a child process; ``result`` is what it printed, once it has stopped.

    ``program`` is run by Python alone, so that it imports nothing of ours.
    """

    program = __file__

    def __init__(self, devices: Sequence[str], pause: float = 0.0) -> None:
        self.arguments = ["--pause", str(pause), *devices]
        self.result: dict[str, Any] = {}

    def __enter__(self) -> Self:
        self.process = subprocess.Popen(
            [sys.executable, "-I", "-S", self.program, *self.arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            start_new_session=True,  # Ctrl-C is for its starter, which then lets it end
        )
        if self.process.stdout is None or self.process.stdout.readline() != "ready\n":
            self.process.kill()
            raise OSError(f"no live writer could be started on {', '.join(self.arguments)}")
        return self

    def __exit__(self, *_: object) -> None:
        output, _complaint = self.process.communicate()
        self.result = json.loads(output)

    def longest_stall(self, since: float, until: float) -> float:
        """Seconds of the longest write that began between two times (of ``time.monotonic``)."""
        return max((s for at, s in self.result["stalls"] if since <= at <= until), default=0.0)

    def longest_across(self, since: float, until: float) -> float:
        """Likewise of the longest write that was under way at some time between the two."""
        return max(
            (s for at, s in self.result["stalls"] if at <= until and at + s >= since), default=0.0
        )


def gap(devices: Sequence[str]) -> int:
    """By how many writes the devices' contents are apart: 0 is one instant, 1 or more is torn."""
    found = [_numbers(device) for device in devices]
    last = max(max(numbers) for numbers in found)
    oldest_kept = max(last - len(devices) * SLOTS, 0)
    missing = [
        number
        for number in range(oldest_kept + 1, last + 1)
        for device, slot in [_place(number, len(devices))]
        if found[device][slot] != number
    ]
    if not missing:
        return 0
    return last - min(missing[0], *(max(numbers) for numbers in found))


def newest(device: str) -> int:
    """The number of the last write to a device; 0: there was none."""
    return max(_numbers(device))


def _numbers(device: str) -> list[int]:
    fd = os.open(device, os.O_RDONLY | os.O_DIRECT)
    try:
        with mmap.mmap(-1, SLOTS * BLOCK) as blocks:
            os.preadv(fd, [blocks], 0)
            return [struct.unpack_from("<Q", blocks, slot * BLOCK)[0] for slot in range(SLOTS)]
    finally:
        os.close(fd)


if __name__ == "__main__":
    main()
