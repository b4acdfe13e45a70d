# SPDX-License-Identifier: Apache-2.0
"""What is on a block device, and whether a file system is sound, by the system's own tools.

A check writes to the device: a journal is replayed first, by the kernel, as at a mount after a
power cut. So it is for stand-ins, never for a snapshot itself.
"""

import dataclasses
import re
import struct
import tempfile

from cg_extension.cmd.lvm import programs
from cg_extension.drivers.lvm import errors, low_stall

LUKS = "crypto_LUKS"
_EXT = frozenset(("ext2", "ext3", "ext4"))
# Of a device's types, why nothing in it is looked at.
_NOT_LOOKED_INTO = {
    "swap": "swap space holds nothing to check",
    "xfs_external_log": "the log of an XFS on another volume is not checked",
    "jbd": "the journal of an ext4 on another volume is not checked",
}
_NO_FILE_SYSTEMS = frozenset((LUKS, "swap", "swsuspend", "xfs_external_log", "jbd"))
# Realtime blocks and the start of the log within it.
_XFS_SUPERBLOCK = struct.Struct(">16xQ24xQ")
# Where a btrfs has how many devices it is on (btrfs_super_block).
_BTRFS_DEVICES, _BTRFS_SUPERBLOCK = struct.Struct("<136xQ"), 0x10000
# How lines of the checks' output begin that tell how far they are.
_OF_NO_INTEREST = ("Pass ", "Phase ", "- ", "[", "Opening files", "Checking files", "UUID:")
# Exit statuses of blkid(8).
_NOTHING_FOUND, _AMBIVALENT = 2, 8
# Those of e2fsck(8) that say that damage is left; others, that it could not check.
_EXT_DAMAGED = 4
# mount(8): its exit status, and its words when the kernel knows no such file system.
_MOUNT_FAILED, _NOT_KNOWN = 32, "unknown filesystem type"


@dataclasses.dataclass(frozen=True, slots=True)
class Content:
    """What is on a device, in blkid's words; ``kind`` is "" for what it does not know.

    ``has_other_parts``: a file system whose journal, log or files are on other devices, too.
    """

    kind: str = ""
    uuid: str = ""
    label: str = ""
    has_other_parts: bool = False


@dataclasses.dataclass(frozen=True, slots=True)
class Verdict:
    """What came of a check.

    :param state: ``sound``, ``damaged``, ``unchecked`` for what nothing is known to be wrong with,
        or ``failed`` when the check itself did.
    :param text: what there is to say of it.
    """

    state: str
    text: str

    @property
    def is_right(self) -> bool:
        """Whether nothing is wrong with it, as far as is known."""
        return self.state in ("sound", "unchecked")


def look(device: str) -> Content:
    """What is on a device.

    :raises LVMError: blkid can't tell.
    """
    status, output = programs.result(["blkid", "--probe", "--output", "export", device])
    if status == _NOTHING_FOUND:
        return Content()
    if status == _AMBIVALENT:
        return Content("several kinds of content at once")
    if status:
        raise errors.LVMError(f"blkid: {device} can't be read: {output.strip()[:300]}")
    # As a shell takes it: a backslash stands before blanks and the like.
    lines = [re.sub(r"\\(.)", r"\1", line) for line in output.splitlines()]
    found = dict(line.split("=", 1) for line in lines if "=" in line)
    table = f"partition table ({found['PTTYPE']})" if "PTTYPE" in found else ""
    kind = found.get("TYPE") or table
    is_part = {"xfs": _is_part_of_xfs, "btrfs": _is_part_of_btrfs}.get(kind)
    has_other_parts = "EXT_JOURNAL" in found or (is_part is not None and is_part(device))
    return Content(kind, found.get("UUID", ""), found.get("LABEL", ""), has_other_parts)


def _is_part_of_xfs(device: str) -> bool:
    """Whether an XFS has its log or realtime files elsewhere, by its superblock (xfs_dsb)."""
    with open(device, "rb") as file:
        realtime_blocks, log_start = _XFS_SUPERBLOCK.unpack(file.read(_XFS_SUPERBLOCK.size))
    return bool(realtime_blocks or not log_start)


def _is_part_of_btrfs(device: str) -> bool:
    """Whether a btrfs is on several devices, by its superblock."""
    with open(device, "rb") as file:
        file.seek(_BTRFS_SUPERBLOCK)
        (devices,) = _BTRFS_DEVICES.unpack(file.read(_BTRFS_DEVICES.size))
    return bool(devices != 1)


def why_no_file_system(content: Content) -> str | None:
    """Why there is nothing to mount, as far as is known; None: there is a file system."""
    if not content.kind:
        return "it holds nothing of a known kind"
    if content.kind in _NO_FILE_SYSTEMS or " " in content.kind or "_member" in content.kind:
        return f"it holds no file system, but {content.kind}"
    return None


def why_not_mounted_beside(content: Content) -> str | None:
    """Why a file system can't be mounted while its original is there; None: it can."""
    if content.kind == "btrfs":
        return (
            "the kernel finds the devices of a btrfs by UUID, and might mount the one for the "
            "other (docs/clones.md)"
        )
    if content.has_other_parts:
        return f"a part of this {content.kind} is on another device"
    return None


def mount_options(kind: str) -> str:
    """Options to mount a copy beside its original, without changes to its files."""
    return "ro,nouuid" if kind == "xfs" else "ro"


def check(device: str) -> tuple[Content, Verdict]:
    """Whether what is on a device, which may be written to, is sound."""
    try:
        content = look(device)
        return content, _check(device, content)
    except errors.LVMError as error:
        return Content(), Verdict("failed", str(error))


def _check(device: str, content: Content) -> Verdict:
    kind = content.kind
    if content.has_other_parts:
        return Verdict("unchecked", f"{kind}: not checked, as a part of it is on another device")
    if kind in _EXT:
        return _replay(device, kind) or _check_ext(device)
    if kind == "xfs":
        return _replay(device, kind) or _check_xfs(device)
    if kind == "btrfs":
        return _check_btrfs(device)
    if kind == LUKS:
        status, output = programs.result(["cryptsetup", "luksDump", device])
        if status:
            return Verdict("damaged", f"LUKS: its header can't be read: {_gist(output)}")
        return Verdict("unchecked", "LUKS: its header can be read; what is in it is not checked")
    if not kind:
        return Verdict("unchecked", "its content is of no known kind, and not checked")
    return Verdict("unchecked", _NOT_LOOKED_INTO.get(kind, f"{kind}: not checked"))


def _replay(device: str, kind: str) -> Verdict | None:
    """Have the kernel mount it, which replays its journal; a verdict only if that fails.

    In a mount namespace that is gone with the mounting process, so that nothing stays mounted
    whatever is killed.
    """
    low_stall.OURS.mkdir(0o700, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=low_stall.OURS) as point:
        status, output = programs.result(
            [
                *("unshare", "--mount", "mount", "-t", kind, "-o", mount_options(kind)),
                *(device, point),
            ]
        )
    if not status:
        return None
    if status == _MOUNT_FAILED and _NOT_KNOWN not in output:
        return Verdict("damaged", f"{kind}: it can't be mounted: {_gist(output)}")
    return Verdict("failed", f"{kind}: mounting it can't be tried: {_gist(output)}")


def _check_ext(device: str) -> Verdict:
    status, output = programs.result(["e2fsck", "-f", "-n", device])
    if not status:
        return Verdict("sound", "e2fsck finds nothing wrong")
    state = "damaged" if status & _EXT_DAMAGED else "failed"
    return Verdict(state, f"e2fsck: {_gist(output)}")


def _check_xfs(device: str) -> Verdict:
    status, output = programs.result(["xfs_repair", "-n", device])
    if not status:
        return Verdict("sound", "xfs_repair finds nothing wrong")
    return Verdict("damaged" if status == 1 else "failed", f"xfs_repair: {_gist(output)}")


def _check_btrfs(device: str) -> Verdict:
    """Without a replay: its trees are whole at any time, and no other device is looked for."""
    try:
        status, output = programs.result(["btrfs", "check", "--readonly", device])
    except errors.LVMError as error:
        return Verdict("unchecked", f"btrfs: not checked: {error}")
    if not status:
        return Verdict("sound", "btrfs check finds nothing wrong")
    return Verdict("damaged" if status == 1 else "failed", f"btrfs check: {_gist(output)}")


def _gist(output: str) -> str:
    """The lines that tell most, of what a tool printed."""
    lines = [line.strip() for line in output.splitlines() if line.strip()]
    lines = [line for line in lines if not line.startswith(_OF_NO_INTEREST)]
    return "; ".join(lines[:6])[:500]
