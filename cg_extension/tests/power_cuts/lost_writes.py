# SPDX-License-Identifier: Apache-2.0
"""Group snapshots, clones, rollbacks and deletes on a disk that loses what was not flushed.

``python -m cg_extension.tests.power_cuts.lost_writes thin|thick EVERY``: a group snapshot, a clone,
a clone of the snapshot, a rollback to it and its delete are logged write by write and then
replayed. With what had been flushed when each of them was answered, and at each flush with which
LVM's metadata became another, or every so manieth of these, the machine is audited as after a
power cut; the other flushes are the writers'. Prints what the audits find; the exit status tells.
For root, on a machine with device-mapper's log-writes target and nothing else to do.
"""

import collections
import contextlib
import multiprocessing
import os
import pathlib
import sys
import tempfile
import time
from collections.abc import Iterator

from cg_extension.tests.lvm.base import run
from cg_extension.tests.lvm.run import platform_line
from cg_extension.tests.power_cuts import audit, machine, work, write_log
from cg_extension.tests.power_cuts import journal as journals

_SIZE = 1 << 30
_LOG_SIZE = 16 << 30
_LOGGED, _REPLAYED = "cuts-logged", "cuts-replayed"
_START = "start"  # the first mark; before it the volumes are made
_PAUSE = 0.5  # seconds; each of the writers' writes is a flush of its own
# Bytes at the start of the disk where LVM has its metadata; then come the volumes.
_METADATA = 1 << 20


class _LoggedJournal(journals.Journal):
    """A journal whose lines stand in the log, between the writes."""

    def _keep(self, line: str) -> None:
        run("dmsetup", "message", _LOGGED, "0", "mark", line.replace(" ", ":"))
        if line.startswith("done"):  # what is not flushed yet will be, with the writers' next write
            time.sleep(4 * _PAUSE)


def main() -> int:
    """The command line."""
    print(platform_line(), flush=True)
    kind, every = sys.argv[1], int(sys.argv[2])
    with contextlib.ExitStack() as stack:
        directory = pathlib.Path(stack.enter_context(tempfile.TemporaryDirectory()))
        _keep_lvm_to_ours(directory)
        # Whoever is cut is gone afterwards, and recovery sees to it that he is.
        recorder = multiprocessing.get_context("fork").Process(
            target=_record, args=(directory, kind == "thin")
        )
        recorder.start()
        recorder.join()
        assert recorder.exitcode == 0
        return _replay(directory, every)


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


def _record(directory: pathlib.Path, thin: bool) -> None:
    """Make the volumes and do the actions, under slow writers."""
    with (
        _loop(directory / "disk", _SIZE) as disk,
        _loop(directory / "log", _LOG_SIZE) as log,
        _device(_LOGGED, f"log-writes {disk} {log}") as logged,
    ):
        machine.make(logged, thin)
        journal = _LoggedJournal()
        with machine.written_to(_PAUSE):
            run("dmsetup", "message", _LOGGED, "0", "mark", _START)
            work.snapshot_or_clone(journal, journals.SNAPSHOT, "snapshot")
            work.snapshot_or_clone(journal, journals.CLONE, "clone")
            work.copy(journal, "snapshot", "copy")
            machine.wait_for_writes()
        work.roll_back(journal, "snapshot", "before")
        with machine.written_to(_PAUSE):
            work.remove(journal, "snapshot")
    (directory / "disk").unlink()


def _replay(directory: pathlib.Path, every: int) -> int:
    """Audit the points in the log, and print what each held and what the audit found."""
    events: list[str] = []
    is_changed = False
    counts: collections.Counter[str] = collections.Counter()
    with contextlib.ExitStack() as stack:
        log = os.open(directory / "log", os.O_RDONLY)
        stack.callback(os.close, log)
        target = os.open(directory / "replayed", os.O_WRONLY | os.O_CREAT)
        stack.callback(os.close, target)
        for number, entry in enumerate(write_log.entries(log)):
            write_log.replay(log, entry, target)
            if entry.mark:
                events.append(entry.mark.replace(":", " "))
            is_answer = entry.mark.startswith("done")
            is_changed |= entry.length > 0 and entry.offset < _METADATA
            if is_answer or (events and entry.is_durable):
                counts["flushes"] += not is_answer
                counts["points"] += is_changed or is_answer
                if is_answer or (is_changed and counts["points"] % every == 0):
                    left, found = _audit(directory, events[1:], counts["audits"] % 2 == 0)
                    counts["audits"] += 1
                    print(f"entry {number}, after: {events[-1]}; left: {left}", flush=True)
                    for finding in found:
                        print(f"  {finding}", flush=True)
                    counts["failed" if found else "passed"] += 1
                    counts["half-way"] += left != "nothing half-way"
                is_changed = False
    print(
        f"{counts['passed']} passed, {counts['failed']} failed; {counts['points']} points among "
        f"{counts['flushes']} flushes; {counts['half-way']} held something half-way"
    )
    return 1 if counts["failed"] else 0


def _audit(directory: pathlib.Path, events: list[str], has_unit: bool) -> tuple[str, list[str]]:
    """What is half-way at this point, and the findings: on a copy, which the audit changes."""
    copy = directory / "copy"
    run("cp", "--sparse=always", str(directory / "replayed"), str(copy))
    left = "not known"
    try:
        with _loop(copy, _SIZE) as disk, _device(_REPLAYED, f"linear {disk} 0"):
            left = audit.left_by_the_cut()
            return left, list(audit.findings(journals.Journal(events), has_unit))
    except AssertionError as error:  # a command of the audit itself
        return left, [str(error)]
    finally:
        copy.unlink()


if __name__ == "__main__":
    sys.exit(main())
