# SPDX-License-Identifier: Apache-2.0
"""Setting snapshots to one instant: the one privileged call around the freeze.

LVM has made the snapshots already. Under LVM's locks of their volume groups, taken in the order of
the groups' names, this checks them, plans the re-take and runs the freeze's program, once for all;
what becomes of the snapshots if it fails is up to the caller.
"""

import contextlib
import ctypes
import dataclasses
import datetime
import fcntl
import importlib.machinery
import marshal
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from cg_extension.drivers.lvm import (
    commands,
    device_mapper,
    errors,
    freeze,
    freeze_plan,
    kinds,
    machine,
    preflight,
    privileged,
    thick,
    thin,
    vg_lock,
)

# <linux/fs.h>: write out a block device, and the file system mounted on it.
_BLKFLSBUF = 0x1261
# Alone with the standard library: nothing from the working directory or from packages. The code
# comes compiled, with the plan: to compile it takes as long as to start ``lvm``. The path is there
# for people, who see it in ``ps``.
_START = (
    "import marshal; code, plan = marshal.load(open(0, 'rb')); freeze = {'__name__': 'freeze'}; "
    "exec(code, freeze); freeze['main'](plan)"
)
PROGRAM = (sys.executable, "-I", "-S", "-c", _START, freeze.__file__)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """What to set to one instant in one volume group, all thin in one pool or all thick.

    :param pairs: ``(source, snapshot)`` names.
    :param data_limit: percentage of a pool's data in use above which it is refused.
    :param metadata_limit: likewise of its metadata.
    :param mark: the tag of the snapshots that the caller has made.
    """

    volume_group: str
    pairs: Sequence[tuple[str, str]]
    data_limit: float
    metadata_limit: float
    mark: str


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """What to set to one instant, and under which conditions.

    :param deadline: seconds for which I/O may be held.
    :param own_paths: what the caller must be able to read and write while members are frozen.
    """

    system_dir: str | None
    locking_dir: str
    parts: Sequence[Part]
    deadline: float
    own_paths: Sequence[str]

    @property
    def groups(self) -> list[str]:
        """The names of the volume groups, in the order in which they are locked."""
        return sorted({part.volume_group for part in self.parts})


@dataclasses.dataclass(frozen=True, slots=True)
class Sources:
    """What was found out about sources of which a group snapshot can be taken.

    :param inactive: names of those that are not active.
    :param arguments: by name, arguments of ``lvcreate`` that their kind needs.
    :param backups: by name, the backups that repairs have left of their pool's metadata.
    """

    inactive: Sequence[str]
    arguments: Mapping[str, Sequence[str]]
    backups: Mapping[str, Sequence[str]] = dataclasses.field(default_factory=dict)


@dataclasses.dataclass(frozen=True, slots=True)
class Taken:
    """When it was that I/O began to be held (UTC), and for how many seconds it was.

    :param seqnos: by volume group, the number of its metadata under LVM's lock.
    """

    instant: datetime.datetime
    held: float
    seqnos: Mapping[str, int] = dataclasses.field(default_factory=dict)


# The volumes of each volume group by name.
_Volumes = Mapping[str, Mapping[str, commands.LogicalVolume]]


def check(request: Request, seen: _Volumes) -> dict[str, Sources]:
    """See to it, before anything is made, that a group snapshot can be taken of the sources.

    Writes out what is cached for them: LVM suspends each to make its snapshot. Gives back what was
    found out by volume group.

    :param seen: volumes of groups, hidden ones as well, that were reported just now to this
        process, which is root's; of others they are asked for.
    :raises Refusal: it can't; says why.
    """
    found = _check(dataclasses.asdict(request), seen)
    return {group: Sources(*sources) for group, sources in found.items()}


def retake(request: Request) -> Taken:
    """Set the snapshots to one instant.

    :raises Refusal: the sources can't be frozen as things are.
    :raises DeadlineExceeded: I/O was held for too long.
    :raises LVMError: anything else; no I/O is held, and the snapshots are of no use.
    """
    since, held, seqnos = _retake(dataclasses.asdict(request))
    return Taken(datetime.datetime.fromtimestamp(since, datetime.UTC), held, seqnos)


def let_go(
    volume_group: str, locking_dir: str, sources: Sequence[str], snapshots: Sequence[str]
) -> list[str]:
    """Put right what a re-take left when it died with its watchdog; gives back what was resumed.

    Both die when a service manager kills all processes of the service at once.

    :param sources: devices that are resumed if they are suspended.
    :param snapshots: devices that get the table that was loaded for them. LVM can't remove a
        snapshot whose waiting table still refers to its origin.
    """
    return list(_let_go(volume_group, locking_dir, list(sources), list(snapshots)))


@privileged.entrypoint
def _check(
    arguments: dict[str, Any], seen: _Volumes
) -> dict[str, tuple[list[str], dict[str, list[str]], dict[str, list[str]]]]:
    request = _request(arguments)
    groups = {name: commands.VolumeGroup(name, request.system_dir) for name in request.groups}
    # Hidden ones as well, so that they are refused for what they are.
    volumes = {name: seen.get(name) or group.volumes(hidden=True) for name, group in groups.items()}
    with device_mapper.Control() as control:
        members, found = _checked_members(request, volumes, control)
    if len(groups) > 1:
        for group in groups.values():
            preflight.check_not_below(found, group.name, group.devices(), members)
    sources = {
        name: [volumes[name][source] for source in _sources_in(request, name)] for name in groups
    }
    _flush(found, [volume.path for each in sources.values() for volume in each if volume.active])
    return {
        name: (
            [source.name for source in each if not source.active],
            {source.name: kinds.snapshot_arguments(source.traits) for source in each},
            {source.name: thin.metadata_backups(volumes[name], source.pool) for source in each},
        )
        for name, each in sources.items()
    }


@privileged.entrypoint
def _retake(arguments: dict[str, Any]) -> tuple[float, float, dict[str, int]]:
    request = _request(arguments)
    with contextlib.ExitStack() as locks:
        fds = [
            locks.enter_context(vg_lock.held(request.locking_dir, group))
            for group in request.groups
        ]
        with device_mapper.Control() as control:
            volumes = {
                name: commands.VolumeGroup(name, request.system_dir).volumes(locking=False)
                for name in request.groups
            }
            plan, found = _plan(request, volumes, control)
            _flush(
                found,
                [
                    volumes[part.volume_group][source].path
                    for part in request.parts
                    for source, _snapshot in part.pairs
                ],
            )
            outcome, _, detail = _run(plan, fds).partition(" ")
            if outcome != "held":
                snapshots = [
                    volumes[part.volume_group][snapshot].device_name
                    for part in request.parts
                    for _, snapshot in part.pairs
                ]
                _resume(control, plan.suspend, snapshots)
                if held := [name for name in plan.suspend if _is_held(control, name)]:
                    raise errors.LVMError(
                        f"I/O of {', '.join(held)} is still held and could not be let go "
                        f"(dmsetup resume): {detail or outcome}"
                    )
    if outcome == "late":
        raise errors.DeadlineExceeded(
            f"I/O was held for longer than the deadline of {request.deadline:g} s"
        )
    if outcome != "held":
        raise errors.FreezeError(f"the freeze failed: {detail}")
    seconds, since = map(float, detail.split())
    seqnos = {
        name: number
        for name, of_group in volumes.items()
        for volume in of_group.values()
        if (number := volume.group_seqno) is not None
    }
    return time.time() - (time.monotonic() - since), seconds, seqnos


def _request(arguments: dict[str, Any]) -> Request:
    """The request again, after its way to the privileged helper."""
    parts = [Part(**part) for part in arguments["parts"]]
    return Request(**{**arguments, "parts": parts})


def _sources_in(request: Request, group: str) -> list[str]:
    return [
        source
        for part in request.parts
        if part.volume_group == group
        for source, _snapshot in part.pairs
    ]


@privileged.entrypoint
def _let_go(
    volume_group: str, locking_dir: str, sources: list[str], snapshots: list[str]
) -> list[str]:
    # No LVM command has a device suspended while we hold the lock.
    with vg_lock.held(locking_dir, volume_group), device_mapper.Control() as control:
        return _resume(control, sources, snapshots)


def _resume(
    control: device_mapper.Control, sources: Sequence[str], snapshots: Sequence[str]
) -> list[str]:
    resumed = []
    for name in [*sources, *snapshots]:
        # One that is gone, or can't be resumed now, must not keep the others from being resumed.
        with contextlib.suppress(OSError):
            waits = name in snapshots and control.has_waiting_table(name)
            if waits or control.is_suspended(name):
                control.send(device_mapper.resume(name))
                resumed.append(name)
    return resumed


def _is_held(control: device_mapper.Control, name: str) -> bool:
    try:
        return control.is_suspended(name)
    except OSError:  # a device that is gone holds nothing
        return False


def _checked_members(
    request: Request, volumes: _Volumes, control: device_mapper.Control
) -> tuple[dict[str, str], machine.Machine]:
    """The names of the sources' devices by ``major:minor``, all checks passed; the machine."""
    members = {}
    for part in request.parts:
        of_group = volumes[part.volume_group]
        names = [source for source, _snapshot in part.pairs]
        preflight.check_members(of_group, part.volume_group, names)
        for name in names:
            if number := of_group[name].number:
                members[number] = of_group[name].device_name
    found = machine.read()
    preflight.check_own_files(found, members, preflight.own_paths(request.own_paths))
    for device in members.values():
        if control.is_suspended(device):
            raise errors.Refusal(f"{device} is suspended already, by someone else")
    for part in request.parts:
        of_group = volumes[part.volume_group]
        pool = of_group[part.pairs[0][0]].pool
        if pool and of_group[pool].active:
            thin.check_pool(control, part.volume_group, pool, part.data_limit, part.metadata_limit)
    return members, found


def _plan(
    request: Request, volumes: _Volumes, control: device_mapper.Control
) -> tuple[freeze_plan.Plan, machine.Machine]:
    """One freeze over the parts, each prepared and taken in the way of its kind; the machine."""
    for part in request.parts:
        for source, snapshot in part.pairs:
            made = volumes[part.volume_group].get(snapshot)
            if made is None or made.origin != source or part.mark not in made.tags:
                raise errors.LVMError(f"{snapshot} is not there as our snapshot of {source}")
    members, found = _checked_members(request, volumes, control)
    if len(members) != sum(len(part.pairs) for part in request.parts):
        raise errors.LVMError("a member was deactivated meanwhile")
    steps = [_steps(part, volumes[part.volume_group], control) for part in request.parts]
    plan = freeze_plan.Plan(
        prepare=[step for each in steps for step in each.prepare],
        suspend=preflight.suspend_order(found, members),
        take=[step for each in steps for step in each.take],
        deadline=request.deadline,
        shared=preflight.parts_of_file_systems(found, members),
    )
    return plan, found


def _steps(
    part: Part, volumes: Mapping[str, commands.LogicalVolume], control: device_mapper.Control
) -> freeze_plan.Steps:
    pool = volumes[part.pairs[0][0]].pool
    if pool:
        pool_device = commands.device_name(part.volume_group, pool, "tpool")
        return thin.steps(volumes, part.pairs, pool_device)
    devices = [volumes[snapshot].device_name for _source, snapshot in part.pairs]
    tables = {device: control.table(device) for device in devices}
    # ``zero`` is a kernel module of its own, which may be missing.
    stand_in = "zero" if control.has_target("zero") else "error"
    return thick.steps(volumes, part.pairs, tables, stand_in)


def _flush(found: machine.Machine, paths: Iterable[str]) -> None:
    """Write out what is cached for the sources, so that suspends, ours and LVM's, have less to do.

    A file system mounted on one, or on what lies on it (LUKS, a partition), is synced as such:
    ``fsync`` of its device writes out only what was written to the device itself. One that is
    mounted in another mount namespace, a container's, is reached through its device.

    :param found: the machine as it was just now.
    :raises LVMError: a device does not take it.
    """
    # An overlay's layers are file systems of their own. What lies above another, on a loop device
    # say, is written out before that.
    above = [(m.point, found.under_mount(m)) for m in found.mounts if m.kind != "overlay"]
    above.sort(key=lambda item: -len(item[1]))
    synced = set()
    for path in paths:
        number = machine.device_behind(path)
        points = [point for point, devices in above if number in devices]
        try:
            with open(path, "rb", buffering=0) as device:
                os.fsync(device)
                if not points and machine.is_mounted(path):
                    fcntl.ioctl(device, _BLKFLSBUF)
        except OSError as error:
            raise errors.LVMError(f"writing out {path} failed: {error.strerror}") from error
        for point in points:
            if point not in synced:
                _sync_file_system(point)
                synced.add(point)


def _sync_file_system(path: str) -> None:
    """syncfs(2), which Python does not have."""
    with contextlib.suppress(OSError):  # hidden by another mount: that one is synced
        fd = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        try:
            ctypes.CDLL(None).syncfs(fd)
        finally:
            os.close(fd)


def program_input(plan: bytes) -> bytes:
    """What ``PROGRAM`` reads to carry out an encoded plan."""
    loader = importlib.machinery.SourceFileLoader(freeze.__name__, freeze.__file__)
    return marshal.dumps((loader.get_code(freeze.__name__), plan))


def _run(plan: freeze_plan.Plan, lock_fds: Sequence[int]) -> str:
    """Run the freeze's program; gives back its answer.

    Its output ends when freezer and watchdog have both ended, and only then may the locks be given
    back. So no signal may interrupt this, nor the program, which inherits the mask.
    """
    given = program_input(plan.encoded())
    mask = signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())
    try:
        program = subprocess.Popen(
            PROGRAM,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            pass_fds=lock_fds,
            start_new_session=True,
            # With another locale libc maps its locale archive, all of which would be locked.
            env={**os.environ, "LC_ALL": "C"},
        )
        output, complaint = program.communicate(given)
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)
    if output:
        return output.decode(errors="replace")
    reason = complaint[-300:].decode(errors="replace")
    return f"error the freezer ended early ({program.returncode}): {reason}"
