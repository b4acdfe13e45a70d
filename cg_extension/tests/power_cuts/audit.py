# SPDX-License-Identifier: Apache-2.0
"""What must hold after a power cut, once the machine runs again.

What ``cg-lvm`` itself has to put right, it gets the chance to: with what its unit does at boot, or
with the next group snapshot, as an operator's would be, under the name of what was cut if that is
not complete.
"""

import contextlib
import io
import json
from collections.abc import Container, Iterator

from cg_extension.drivers.lvm import commands, device_mapper, privileged, sets
from cg_extension.tests.lvm.base import run
from cg_extension.tests.power_cuts import journal as journals
from cg_extension.tests.power_cuts import machine, work


def left_by_the_cut() -> str:
    """What is under way in the volume group; to be asked before anyone puts it right."""
    privileged.run_in_process()
    return _marks() or "nothing half-way"


def _marks(kinds: Container[str] = (sets.BEGUN, sets.GOING, sets.BACK)) -> str:
    """What the volume group's tags say of sets that are not complete, or have names to take."""
    volumes = commands.VolumeGroup(machine.GROUP).volumes().values()
    marks = sets.read_marks(next(iter(volumes)).group_tags)
    found = [
        f"{mark.kind.rstrip('=')} with {len(sets.of_marks(volumes, [mark]))} volumes"
        for mark in marks
        if mark.kind in kinds
    ]
    return ", ".join(found)


def findings(journal: journals.Journal, has_unit: bool) -> Iterator[str]:
    """All that is wrong.

    :param has_unit: do first what ``cg-lvm-rollback.service`` would have done.
    """
    run("vgck", machine.GROUP)
    # A half-made volume may not be in the pool yet: LVM has all others come up, and complains.
    run("vgchange", "--activate", "y", machine.GROUP, check=False)
    if has_unit:
        yield from _complaint_of("finish", "--at-boot")
        if left := _marks([sets.BACK]):
            yield f"left by cg-lvm finish: {left}"
    if _marks([sets.BACK]):  # The next command finishes it, and nothing may be mounted before.
        yield from _name_is_free("at-once")
    yield from machine.faults(machine.VOLUMES)
    _go_on_removing_clones(journal)
    # What is not complete by now will not be.
    complete = {name for name, volumes in _sets().items() if volumes}
    for name in sorted(set(journal.open) - complete) or ["after-cut"]:
        yield from _name_is_free(name)
    run("vgchange", "--activate", "y", machine.GROUP)
    found = _sets()
    left = set(run("lvs", "--noheadings", "-o", "lv_name", machine.GROUP).split())
    left -= {machine.POOL, *machine.VOLUMES, *(v for volumes in found.values() for v in volumes)}
    if left:
        yield f"left over: {sorted(left)}"
    for name, volumes in sorted(found.items()):
        if name in journal.gone:
            yield f"{name} was deleted, and is there"
        expected = [f"{volume}.{name}" for volume in machine.VOLUMES]
        if set(volumes) == set(expected):
            paths = [f"{machine.GROUP}/{volume}" for volume in expected]
            # It asks before it activates a thick snapshot: that is its origin's affair, too.
            run("lvchange", "--yes", "-ay", "-K", *paths)
            yield from machine.faults(expected)
        else:
            yield f"{name} has only {sorted(volumes)}"
    for name in sorted((journal.there | complete) - set(found)):
        yield f"{name} was made, and is not there"
    for name, action in journal.open.items():
        if action == journals.ROLLBACK:
            yield from _rollback_is_whole(journal.back_to[name], name, name in found)
            found[name] = {}
    for name in sorted(journal.open):
        journal.note("settled", "there" if name in found else "gone", name)
    if marks := _marks():
        yield f"still under way: {marks}"
    yield from damage()


def _rollback_is_whole(source: str, keep: str, is_done: bool) -> Iterator[str]:
    """See to it that one has been done or not, and do it then; nobody has written meanwhile."""
    then = machine.state([f"{volume}.{source}" for volume in machine.VOLUMES])
    now = machine.state(machine.VOLUMES)
    if is_done != (now == then):
        yield f"{'' if is_done else 'not '}rolled back, and at {now}; {source} is at {then}"
    if not is_done:
        yield from _complaint_of("rollback", machine.GROUP, source, "--keep-as", keep)
        if (now := machine.state(machine.VOLUMES)) != then:
            yield f"rolled back again, and at {now}; {source} is at {then}"


def _go_on_removing_clones(journal: journals.Journal) -> None:
    """Of clones that LVM's own ``lvremove``, which is no one step, was cut in removing."""
    for name, action in journal.open.items():
        if action == journals.DELETE and journal.kinds[name] == journals.CLONE:
            there = run("lvs", "--noheadings", "-o", "lv_name", machine.GROUP).split()
            left = [f"{volume}.{name}" for volume in machine.VOLUMES if f"{volume}.{name}" in there]
            if left and len(left) < len(machine.VOLUMES):
                run("lvremove", "-f", "-y", *(f"{machine.GROUP}/{volume}" for volume in left))


def _sets() -> dict[str, dict[str, bool]]:
    """The members of each snapshot and clone, as ``cg-lvm`` lists them."""
    output = io.StringIO()
    with contextlib.redirect_stdout(output):
        assert work.cg_lvm("list", "--json", machine.GROUP)
    found: dict[str, dict[str, bool]] = {}
    for volume in json.loads(output.getvalue())["volumes"]:
        name = volume.get("snapshot") or volume["clone"]
        found.setdefault(name, {})[volume["volume"]] = volume["complete"] and not volume["lost"]
    return {
        name: {volume: True for volume, good in volumes.items() if good}
        for name, volumes in found.items()
    }


def _name_is_free(name: str) -> Iterator[str]:
    members = [f"{machine.GROUP}/{volume}" for volume in machine.VOLUMES]
    complaints = list(_complaint_of("snapshot", *members, "--name", name))
    yield from complaints or _complaint_of("delete", machine.GROUP, name)


def _complaint_of(*words: str) -> Iterator[str]:
    """What ``cg-lvm`` says when it fails at what it must be able to do."""
    complaint = io.StringIO()
    with contextlib.redirect_stderr(complaint), contextlib.redirect_stdout(io.StringIO()):
        is_done = work.cg_lvm(*words)
    if not is_done:
        yield f"cg-lvm {' '.join(words)}: {complaint.getvalue().strip()}"


def damage() -> Iterator[str]:
    """What is wrong below the volumes: devices that are held, a damaged pool."""
    for line in run("dmsetup", "info", "-c", "--noheadings", "-o", "name,suspended").splitlines():
        if line.endswith(":Suspended"):
            yield f"held: {line}"
    if machine.has_pool():
        pool = machine.POOL_DEVICE
        with device_mapper.Control() as control:
            control.send(device_mapper.message(pool, "reserve_metadata_snap"))
            try:
                run("thin_check", "--metadata-snap", machine.path(f"{machine.POOL}_tmeta"))
            except AssertionError as error:
                yield str(error)
            finally:
                control.send(device_mapper.message(pool, "release_metadata_snap"))
