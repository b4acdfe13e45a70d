# SPDX-License-Identifier: Apache-2.0
"""Group snapshots, clones and deletes on a disk that loses what was not flushed.

``python -m cg_extension.tests.power_cuts.lost_writes thin|thick ACTIONS EVERY``: all writes of so
many actions are logged and then replayed to every flush, or every so manieth; there the machine is
audited as after a power cut. Prints what the audits find; the exit status tells. For root, on a
machine with device-mapper's log-writes target and nothing else to do.
"""

import contextlib
import os
import pathlib
import random
import sys
import tempfile
from collections.abc import Iterator

from cg_extension.tests.lvm.base import run
from cg_extension.tests.lvm.run import platform_line
from cg_extension.tests.power_cuts import audit, machine, work, write_log
from cg_extension.tests.power_cuts import journal as journals

_SIZE = 1 << 30
_LOG_SIZE = 16 << 30
_LOGGED, _REPLAYED = "cuts-logged", "cuts-replayed"
_PAUSE = 0.1  # seconds; each of the writers' writes is a flush of its own


class _LoggedJournal(journals.Journal):
    """A journal whose lines stand in the log, between the writes."""

    def _keep(self, line: str) -> None:
        run("dmsetup", "message", _LOGGED, "0", "mark", line.replace(" ", ":"))


def main() -> int:
    """The command line."""
    print(platform_line(), flush=True)
    kind, actions, every = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
    with contextlib.ExitStack() as stack:
        directory = pathlib.Path(stack.enter_context(tempfile.TemporaryDirectory()))
        _keep_lvm_to_ours(directory)
        _record(directory, kind == "thin", actions)
        found = list(_replayed(directory, every))
    print(*found, sep="\n", flush=True)
    return 1 if found else 0


def _keep_lvm_to_ours(directory: pathlib.Path) -> None:
    (directory / "lvm").mkdir()
    (directory / "lvm" / "lvm.conf").write_text(
        f'devices {{ use_devicesfile=0 filter=["a|^/dev/mapper/{_LOGGED}$|", '
        f'"a|^/dev/mapper/{_REPLAYED}$|", "r|.*|"] }}\n'
        "activation { udev_sync=0 udev_rules=0 monitoring=0 }\nbackup { backup=0 archive=0 }\n"
    )
    os.environ["LVM_SYSTEM_DIR"] = str(directory / "lvm")


@contextlib.contextmanager
def _loop(path: pathlib.Path, size: int) -> Iterator[str]:
    with open(path, "ab") as file:
        file.truncate(size)
    device = run("losetup", "--find", "--show", str(path)).strip()
    try:
        yield device
    finally:
        run("losetup", "--detach", device)


@contextlib.contextmanager
def _device(name: str, table: str) -> Iterator[str]:
    run("dmsetup", "create", name, "--table", f"0 {_SIZE // 512} {table}")
    try:
        yield f"/dev/mapper/{name}"
    finally:
        run("vgchange", "--activate", "n", machine.GROUP)
        run("dmsetup", "remove", "--retry", name)


def _record(directory: pathlib.Path, thin: bool, actions: int) -> None:
    """Make the volumes and do the actions, under slow writers."""
    with (
        _loop(directory / "disk", _SIZE) as disk,
        _loop(directory / "log", _LOG_SIZE) as log,
        _device(_LOGGED, f"log-writes {disk} {log}") as logged,
    ):
        machine.make(logged, thin)
        journal = _LoggedJournal()
        chance = random.Random(actions)
        with machine.written_to(_PAUSE):
            run("dmsetup", "message", _LOGGED, "0", "mark", "start")
            for number in range(actions):
                work.act(journal, chance, f"s{number}")
    (directory / "disk").unlink()


def _replayed(directory: pathlib.Path, every: int) -> Iterator[str]:
    """What the audits find, each with the point in the log."""
    lines: list[str] = []
    started, points, audited = False, 0, 0
    with contextlib.ExitStack() as stack:
        base = stack.enter_context(_loop(directory / "replayed", _SIZE))
        log = os.open(directory / "log", os.O_RDONLY)
        stack.callback(os.close, log)
        target = os.open(base, os.O_WRONLY)
        stack.callback(os.close, target)
        for number, entry in enumerate(write_log.entries(log)):
            write_log.replay(log, entry, target)
            if entry.mark == "start":
                started = True
            elif entry.mark:
                lines.append(entry.mark.replace(":", " "))
            if started and entry.is_durable:
                points += 1
                if points % every == 0:
                    os.fsync(target)
                    audited += 1
                    yield from (
                        f"entry {number}, after {lines[-1:]}: {finding}"
                        for finding in _audit(directory, base, lines)
                    )
    print(f"{audited} of {points} points audited, {len(lines)} events", flush=True)


def _audit(directory: pathlib.Path, base: str, lines: list[str]) -> list[str]:
    """The findings at this point; on a snapshot, so that what the audit changes is dropped."""
    store = directory / "store"
    try:
        with _loop(store, _SIZE) as changes, _device(_REPLAYED, f"snapshot {base} {changes} N 8"):
            return list(audit.findings(journals.Journal(lines)))
    except AssertionError as error:  # a command of the audit itself
        return [str(error)]
    finally:
        store.unlink(missing_ok=True)


if __name__ == "__main__":
    sys.exit(main())
