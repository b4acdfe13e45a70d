# SPDX-License-Identifier: Apache-2.0
"""Load beside the live writer: writes to all devices given at once, as fast as it can.

It writes without O_DSYNC, and beyond the blocks that are judged, until its standard input ends.
Then it prints what the writer prints. Python alone runs it, so it imports nothing of ours.
"""

import json
import mmap
import os
import sys
import threading
import time

_BLOCK = 4096
# The blocks that are left to the writer, and as many that this one writes to.
_SLOTS = 64
_STALL = 0.001


def main() -> None:
    """Write until standard input ends."""
    stop = threading.Event()
    counts: list[int] = []
    stalls: list[tuple[float, float]] = []

    def write(device: str) -> None:
        descriptor = os.open(device, os.O_RDWR | os.O_DIRECT)
        block = mmap.mmap(-1, _BLOCK)
        number = 0
        while not stop.is_set():
            number += 1
            before = time.monotonic()
            os.pwrite(descriptor, block, (_SLOTS + number % _SLOTS) * _BLOCK)
            took = time.monotonic() - before
            if took > _STALL:
                stalls.append((before, took))
        counts.append(number)

    threads = [threading.Thread(target=write, args=(device,)) for device in sys.argv[1:]]
    for thread in threads:
        thread.start()
    print("ready", flush=True)
    sys.stdin.read()
    stop.set()
    for thread in threads:
        thread.join()
    print(json.dumps({"writes": sum(counts), "stalls": stalls}), flush=True)


if __name__ == "__main__":
    main()
