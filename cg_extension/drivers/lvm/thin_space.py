# SPDX-License-Identifier: Apache-2.0
"""What a thin pool's metadata tells of its volumes: the space of each, and when it was made.

What volumes share with others, such as a snapshot with its origin, counts for none: it is what
comes free when that volume alone is removed. Only thin_ls(8) knows, for volumes that are not active
as well; it reads a snapshot of the metadata, of which a pool has one at most.
"""

import contextlib
import errno
import pathlib
import re
import subprocess
from collections.abc import Iterable, Iterator

from cg_extension.conf.errors import describe
from cg_extension.drivers import durability
from cg_extension.drivers.lvm import at_work, commands, device_mapper, errors, low_stall, privileged

# Seconds; thin_ls reads all of the metadata, which may take minutes in a pool of many TiB.
_PATIENCE = 20
_THIN_LS = ("thin_ls", "--metadata-snap", "--no-headers", "--format")
# It outlasts a power cut, as a snapshot of the metadata does, where it can be written.
_TAKEN = pathlib.Path("/var/lib/cg_extension-lvm")
_LINE = re.compile(r"\s*(\d+)\s+(\d+)\s*")


def exclusive(volume_group: str, pool: str) -> dict[int, int]:
    """Bytes that each volume of an active pool has for itself, by its id in the pool.

    :raises LVMError: they can't be told: the pool is not active, somebody else has taken a snapshot
        of its metadata, or it takes longer than 20 s.
    """
    return dict(_thin_ls(volume_group, pool, "EXCLUSIVE_BYTES"))


def created(volume_group: str, pool: str) -> dict[int, int]:
    """When each volume of an active pool was made, by its id there.

    It is a number: the pool counts the snapshots that it has made, and a new volume keeps the
    count of then for good.

    :raises LVMError: as ``exclusive``.
    """
    return dict(_thin_ls(volume_group, pool, "CREATE_TIME"))


@privileged.entrypoint
def _thin_ls(volume_group: str, pool: str, column: str) -> list[tuple[int, int]]:
    metadata = f"/dev/mapper/{commands.device_name(volume_group, f'{pool}_tmeta')}"
    try:
        with _metadata_snapshot(volume_group, pool):
            done = subprocess.run(
                [*_THIN_LS, f"DEV,{column}", metadata],
                capture_output=True,
                text=True,
                errors="replace",
                check=False,
                timeout=_PATIENCE,
            )
    except subprocess.TimeoutExpired:
        raise errors.LVMError(f"thin_ls takes longer than {_PATIENCE} s") from None
    except OSError as error:
        raise errors.LVMError(
            f"the metadata of pool {volume_group}/{pool} can't be read: {describe(error)}"
        ) from error
    if done.returncode:
        raise errors.LVMError(f"thin_ls: {done.stderr.strip()[:300]}")
    found = []
    for line in done.stdout.splitlines():
        words = _LINE.fullmatch(line)
        if not words:
            raise errors.LVMError(f"thin_ls prints {line!r}, a form that is not known here")
        found.append((int(words[1]), int(words[2])))
    return found


@contextlib.contextmanager
def _metadata_snapshot(volume_group: str, pool: str) -> Iterator[None]:
    """Have the pool keep a snapshot of its metadata meanwhile.

    A file tells that it is ours, so that one left by a kill or a power cut is dropped by the next:
    while there is one, the pool frees nothing of what is removed, and takes no other.
    """
    device = commands.device_name(volume_group, pool, "tpool")
    with at_work.alone(f"metadata-{device}"), device_mapper.Control() as control:
        notes = [each / f"metadata-{device}" for each in (_TAKEN, low_stall.OURS)]
        if any(each.exists() for each in notes):
            _release_left(control, device)
        else:
            _note(*notes)
        try:
            control.send(device_mapper.message(device, "reserve_metadata_snap"))
        except OSError:
            _remove(notes)
            raise
        try:
            yield
        finally:
            control.send(device_mapper.message(device, "release_metadata_snap"))
            _remove(notes)


def _note(lasting: pathlib.Path, otherwise: pathlib.Path) -> None:
    """Make the file, so that it lasts if that works: a rescue system may write to /run only."""
    try:
        _make_durably(lasting)
    except OSError:
        otherwise.touch(0o600)


def _remove(notes: Iterable[pathlib.Path]) -> None:
    """Remove the file, if that works: one that stays costs a message in vain."""
    for each in notes:
        with contextlib.suppress(OSError):
            each.unlink()


def _release_left(control: device_mapper.Control, device: str) -> None:
    """Drop one of ours that may be there still.

    :raises OSError: that can't be told, of a pool that is not active, say; it stays ours.
    """
    try:
        control.send(device_mapper.message(device, "release_metadata_snap"))
    except OSError as error:
        if error.errno != errno.EINVAL:  # There is none.
            raise


def _make_durably(path: pathlib.Path) -> None:
    """Make an empty file that a power cut does not take away."""
    path.parent.mkdir(0o700, exist_ok=True)
    path.touch(0o600)
    for each in (path, path.parent, path.parent.parent):
        durability.sync(each)
