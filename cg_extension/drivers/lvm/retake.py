# SPDX-License-Identifier: Apache-2.0
"""Setting snapshots to one instant: the one privileged call around the freeze.

LVM has made the snapshots already. Under LVM's lock of the volume group this checks them, plans
the re-take and runs the freeze's program; what becomes of the snapshots if it fails is up to the
engine.
"""

import contextlib
import ctypes
import dataclasses
import fcntl
import os
import signal
import subprocess
import sys
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
# Alone with the standard library: nothing from the working directory or from packages.
PROGRAM = (sys.executable, "-I", "-S", freeze.__file__)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """What to set to one instant, and under which conditions.

    :param pairs: ``(source, snapshot)`` names; all thin in one pool, or all thick.
    :param deadline: seconds for which I/O may be held.
    :param data_limit: percentage of a pool's data in use above which it is refused.
    :param metadata_limit: likewise of its metadata.
    :param own_paths: what the caller must be able to read and write while members are frozen.
    :param mark: the tag of the snapshots that the caller has made.
    """

    volume_group: str
    system_dir: str | None
    locking_dir: str
    pairs: Sequence[tuple[str, str]]
    deadline: float
    data_limit: float
    metadata_limit: float
    own_paths: Sequence[str]
    mark: str


@dataclasses.dataclass(frozen=True, slots=True)
class Sources:
    """What was found out about sources of which a group snapshot can be taken.

    :param inactive: names of those that are not active.
    :param arguments: by name, arguments of ``lvcreate`` that their kind needs.
    """

    inactive: Sequence[str]
    arguments: Mapping[str, Sequence[str]]


def check(request: Request) -> Sources:
    """See to it, before anything is made, that a group snapshot can be taken of the sources.

    Writes out what is cached for them: LVM suspends each to make its snapshot.

    :raises Refusal: it can't; says why.
    """
    return Sources(*_check(dataclasses.asdict(request)))


def retake(request: Request) -> float:
    """Set the snapshots to one instant; gives back the seconds for which I/O was held.

    :raises Refusal: the sources can't be frozen as things are.
    :raises DeadlineExceeded: I/O was held for too long.
    :raises LVMError: anything else; no I/O is held, and the snapshots are of no use.
    """
    return float(_retake(dataclasses.asdict(request)))


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
def _check(arguments: dict[str, Any]) -> tuple[list[str], dict[str, list[str]]]:
    request = Request(**arguments)
    group = commands.VolumeGroup(request.volume_group, request.system_dir)
    volumes = group.volumes(hidden=True)  # so that hidden ones are refused for what they are
    with device_mapper.Control() as control:
        _checked_order(request, volumes, control)
    sources = [volumes[source] for source, _snapshot in request.pairs]
    _flush(request.volume_group, [source.name for source in sources if source.active])
    return (
        [source.name for source in sources if not source.active],
        {source.name: kinds.snapshot_arguments(source.traits) for source in sources},
    )


@privileged.entrypoint
def _retake(arguments: dict[str, Any]) -> float:
    request = Request(**arguments)
    group = commands.VolumeGroup(request.volume_group, request.system_dir)
    with vg_lock.held(request.locking_dir, request.volume_group) as lock_fd:
        with device_mapper.Control() as control:
            volumes = group.volumes(locking=False)
            plan = _plan(request, volumes, control)
            _flush(request.volume_group, [source for source, _snapshot in request.pairs])
            outcome, _, detail = _run(plan, lock_fd).partition(" ")
            if outcome != "held":
                snapshots = [volumes[snapshot].device_name for _, snapshot in request.pairs]
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
    return float(detail.split()[0])


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


def _checked_order(
    request: Request,
    volumes: Mapping[str, commands.LogicalVolume],
    control: device_mapper.Control,
) -> list[str]:
    """The names of the sources' devices in the order of their suspends, all checks passed."""
    names = [source for source, _snapshot in request.pairs]
    preflight.check_members(volumes, request.volume_group, names)
    members = {
        number: volumes[name].device_name for name in names if (number := volumes[name].number)
    }
    found = machine.read()
    preflight.check_own_files(found, members, preflight.own_paths(request.own_paths))
    for device in members.values():
        if control.is_suspended(device):
            raise errors.Refusal(f"{device} is suspended already, by someone else")
    pool = volumes[names[0]].pool
    if pool and volumes[pool].active:
        thin.check_pool(
            control,
            commands.device_name(request.volume_group, pool, "tpool"),
            request.data_limit,
            request.metadata_limit,
        )
    return preflight.suspend_order(found, members)


def _plan(
    request: Request,
    volumes: Mapping[str, commands.LogicalVolume],
    control: device_mapper.Control,
) -> freeze_plan.Plan:
    for source, snapshot in request.pairs:
        made = volumes.get(snapshot)
        if made is None or made.origin != source or request.mark not in made.tags:
            raise errors.LVMError(f"{snapshot} is not there as our snapshot of {source}")
    order = _checked_order(request, volumes, control)
    if len(order) != len(request.pairs):
        raise errors.LVMError("a member was deactivated meanwhile")
    pool = volumes[request.pairs[0][0]].pool
    if pool:
        pool_device = commands.device_name(request.volume_group, pool, "tpool")
        return thin.plan(volumes, request.pairs, pool_device, order, request.deadline)
    devices = [volumes[snapshot].device_name for _source, snapshot in request.pairs]
    tables = {device: control.table(device) for device in devices}
    # ``zero`` is a kernel module of its own, which may be missing.
    stand_in = "zero" if control.has_target("zero") else "error"
    return thick.plan(volumes, request.pairs, tables, stand_in, order, request.deadline)


def _flush(volume_group: str, names: Iterable[str]) -> None:
    """Write out what is cached for the sources, so that suspends, ours and LVM's, have less to do.

    A file system mounted on one is synced as such: ``fsync`` of its device writes out only what
    was written to the device itself. One that is mounted in another mount namespace, a
    container's, is reached through its device.

    :raises LVMError: a device does not take it.
    """
    mounts = machine.read().mounts
    for name in names:
        path = f"/dev/mapper/{commands.device_name(volume_group, name)}"
        number = machine.device_behind(path)
        points = [point for point, devices in mounts if number in devices]
        try:
            with open(path, "rb", buffering=0) as device:
                os.fsync(device)
                if not points and machine.is_mounted(path):
                    fcntl.ioctl(device, _BLKFLSBUF)
        except OSError as error:
            raise errors.LVMError(f"writing out {path} failed: {error.strerror}") from error
        for point in points:
            _sync_file_system(point)


def _sync_file_system(path: str) -> None:
    """syncfs(2), which Python does not have."""
    with contextlib.suppress(OSError):  # hidden by another mount: that one is synced
        fd = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        try:
            ctypes.CDLL(None).syncfs(fd)
        finally:
            os.close(fd)


def _run(plan: freeze_plan.Plan, lock_fd: int) -> str:
    """Run the freeze's program; gives back its answer.

    Its output ends when freezer and watchdog have both ended, and only then may the lock be given
    back. So no signal may interrupt this, nor the program, which inherits the mask.
    """
    encoded = plan.encoded()
    mask = signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())
    try:
        program = subprocess.Popen(
            PROGRAM,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            pass_fds=(lock_fd,),
            start_new_session=True,
            # With another locale libc maps its locale archive, all of which would be locked.
            env={**os.environ, "LC_ALL": "C"},
        )
        output, complaint = program.communicate(encoded)
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)
    if output:
        return output.decode(errors="replace")
    reason = complaint[-300:].decode(errors="replace")
    return f"error the freezer ended early ({program.returncode}): {reason}"
