# SPDX-License-Identifier: Apache-2.0
"""The volumes of the machine whose power is cut, and the programs that write to them.

Three volumes are written to in turn, block by block (``tests.lvm.writer``); two hold a file system
and an SQLite database each, in which a number is kept: first in ``d0``, then in ``d1``.
"""

import contextlib
import os
import pathlib
import sqlite3
import subprocess
import sys
from collections.abc import Iterator, Sequence

from cg_extension.tests import waiting
from cg_extension.tests.lvm import writer
from cg_extension.tests.lvm.base import run

GROUP = "cuts"
POOL = "pool"
POOL_DEVICE = f"{GROUP}-{POOL}-tpool"
RAW = ("r0", "r1", "r2")
DATABASES = ("d0", "d1")
VOLUMES = (*RAW, *DATABASES)
_MOUNTS = pathlib.Path("/run/power_cuts")
_PATIENCE = 120  # seconds for one write to each volume, on a busy machine
_COUNT = """
import sqlite3, sys, time
pause, *paths = sys.argv[1:]
databases = [sqlite3.connect(path, isolation_level=None) for path in paths]
for database in databases:
    # FULL would not have it durable that a commit has removed the journal.
    database.execute("PRAGMA synchronous=EXTRA")
    database.execute("CREATE TABLE IF NOT EXISTS count (number INTEGER)")
counts = [d.execute("SELECT coalesce(max(number), 0) FROM count").fetchone()[0] for d in databases]
number = max(counts)
print("ready", flush=True)
while True:
    number += 1
    for database in databases:
        database.execute("DELETE FROM count WHERE number < ?", (number - 100,))
        database.execute("INSERT INTO count VALUES (?)", (number,))
    time.sleep(float(pause))
"""


def path(volume: str) -> str:
    """The path of a volume's device."""
    return f"/dev/mapper/{GROUP}-{volume.replace('-', '--')}"


def is_new(disk: str) -> bool:
    """Whether there is no volume group on the disk yet."""
    return not run("pvs", "--noheadings", "-o", "vg_name", disk, check=False).strip()


def make(disk: str, thin: bool) -> None:
    """Make the volume group and its volumes on an empty disk."""
    run("vgcreate", GROUP, disk)
    if thin:
        run(*f"lvcreate --type thin-pool -L 400M --poolmetadatasize 8M -n {POOL} {GROUP}".split())
    for name, size in [*((n, 4) for n in RAW), *((n, 16) for n in DATABASES)]:
        kind = ["-V", f"{size}M", "-T", f"{GROUP}/{POOL}"] if thin else ["-L", f"{size}M", GROUP]
        run("lvcreate", "--yes", "--wipesignatures", "n", "-n", name, *kind)
    for name in RAW:
        subprocess.run(
            ["dd", "if=/dev/zero", f"of={path(name)}", "bs=1M", "count=4", "oflag=direct"],
            check=True,
            capture_output=True,
        )
    for name in DATABASES:
        run("mkfs.ext4", "-q", path(name))
    run("sync")


@contextlib.contextmanager
def mounted(volume: str) -> Iterator[pathlib.Path]:
    """A volume's file system, mounted."""
    point = _MOUNTS / volume
    point.mkdir(parents=True, exist_ok=True)
    run("mount", path(volume), str(point))
    try:
        yield point
    finally:
        run("umount", str(point))


@contextlib.contextmanager
def written_to(pause: float = 0) -> Iterator[None]:
    """All volumes are written to meanwhile, with a pause in seconds after each write."""
    with contextlib.ExitStack() as stack:
        points = [stack.enter_context(mounted(name)) for name in DATABASES]
        counting = subprocess.Popen(
            [sys.executable, "-c", _COUNT, str(pause), *(str(point / "db") for point in points)],
            stdout=subprocess.PIPE,
        )
        stack.callback(counting.wait)
        stack.callback(counting.kill)
        assert counting.stdout.readline() == b"ready\n"
        with writer.Writer([path(name) for name in RAW], pause=pause):
            yield


def wait_for_writes() -> None:
    """Return once each volume holds what none has held before; they are being written to."""
    points = [_MOUNTS / name for name in DATABASES]
    written, counted = max(_newest(RAW)), max(map(_number, points))
    waiting.eventually(
        lambda: min(_newest(RAW)) > written and min(map(_number, points)) > counted,
        *("new writes to all volumes", _PATIENCE),
    )


def state(volumes: Sequence[str]) -> list[int]:
    """How far the writers had got on each of these, the volumes themselves or a set of all."""
    numbers = _newest(volumes[: len(RAW)])
    for name in volumes[len(RAW) :]:
        with mounted(name) as point:
            numbers.append(_number(point))
    return numbers


def _newest(volumes: Sequence[str]) -> list[int]:
    return [writer.newest(path(name)) for name in volumes]


def faults(volumes: Sequence[str]) -> Iterator[str]:
    """What is wrong with the content of these, the volumes themselves or a set made of all."""
    raw, databases = volumes[: len(RAW)], volumes[len(RAW) :]
    if gap := writer.gap([path(name) for name in raw]):
        yield f"{', '.join(raw)} are {gap} writes apart"
    numbers = []
    for name in databases:
        with mounted(name) as point, contextlib.closing(sqlite3.connect(point / "db")) as database:
            for (line,) in database.execute("PRAGMA integrity_check"):
                if line != "ok":
                    yield f"the database on {name}: {line}"
            numbers.append(_number(point))
    if numbers[0] - numbers[1] not in (0, 1):
        yield f"the databases on {', '.join(databases)} are at {numbers}"


def _number(point: pathlib.Path) -> int:
    with contextlib.closing(sqlite3.connect(point / "db", timeout=_PATIENCE)) as database:
        if not database.execute("SELECT * FROM sqlite_master").fetchall():
            return 0  # cut before there was a table
        return int(database.execute("SELECT coalesce(max(number), 0) FROM count").fetchone()[0])


def origins() -> set[str]:
    """The volumes that thick snapshots were taken of: they can't be removed before those."""
    fields = ("--separator", ":", "-o", "origin,pool_lv")
    lines = run("lvs", "--noheadings", *fields, GROUP).split()
    return {line.removesuffix(":") for line in lines if line.endswith(":")} - {""}


def has_pool() -> bool:
    """Whether the volumes are thin."""
    return os.path.exists(f"/dev/mapper/{POOL_DEVICE}")
