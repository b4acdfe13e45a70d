# SPDX-License-Identifier: Apache-2.0
"""What LVM and device-mapper say, read strictly: text in, records out.

Every word of theirs that the engine acts on is compared here and nowhere else. Fields were chosen
whose form is the same in every release of LVM that was tried; a form that is not known raises
``UnknownForm`` with the field and the value, so that a new release shows itself at once instead of
as a volume that is "not there".
"""

import dataclasses
import json
import os
import re
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from cg_extension.drivers.lvm import device_mapper, errors

# Fields that say yes or no, by the trait that yes means (``LogicalVolume.traits``).
TRAITS = {
    "merging": "lv_merging",
    "converting": "lv_converting",
    "locked": "lv_allocation_locked",
    "partial": "vg_partial",
    "shared": "vg_shared",
}

# Fields that cost no status query: asked for its status, a thin pool commits, and I/O waits.
# Whether a volume is active is told by its device's number: the words of lv_active differ.
VOLUME_FIELDS = (
    *("lv_name", "lv_size", "lv_tags", "segtype", "origin", "origin_size", "pool_lv", "thin_id"),
    *("lv_dm_path", "lv_kernel_major", "lv_kernel_minor", "lv_uuid", "vg_tags"),
    *("lv_layout", "lv_role", "lv_modules"),
    *TRAITS.values(),
)
# What tells whether the volume group has changed in between.
CHANGE_FIELDS = ("vg_seqno",)
STATUS_FIELDS = ("lv_snapshot_invalid",)
USAGE_FIELDS = ("data_percent",)
POOL_FIELDS = ("lv_size", "data_percent", "metadata_percent", "zero")
GROUP_FIELDS = ("vg_size", "vg_free", "vg_tags")
EXTENT_FIELDS = ("vg_extent_size",)
DEVICE_FIELDS = ("pv_name",)
DISKS_FIELDS = (*DEVICE_FIELDS, *CHANGE_FIELDS)
IDENTITY_FIELDS = ("vg_name", "vg_uuid", "vg_tags")

_KERNEL = f"device-mapper of Linux {os.uname().release}"
_DM_DIRECTORY = "/dev/mapper/"
_WHOLE_NUMBER = re.compile(r"[0-9]+")
_NUMBER = re.compile(r"[0-9]+(\.[0-9]+)?")
_DISK = re.compile(r"LVM2_PV_NAME='(?P<path>/[^']*)' +LVM2_VG_SEQNO='(?P<seqno>[0-9]+)'")
_UUID = re.compile(r"[A-Za-z0-9]{6}(-[A-Za-z0-9]{4}){5}-[A-Za-z0-9]{6}")


class UnknownForm(errors.LVMError):
    """A report has a form that is not known; the message has the field and the value."""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class LogicalVolume:
    """One logical volume as LVM reports it.

    ``size`` is in bytes; a thick snapshot has its origin's size, and in ``allocated`` the size of
    its copy-on-write store (for others both are the same). ``device_name`` is
    device-mapper's name of it; ``number`` is its ``major:minor``, None unless ``active``.
    ``origin`` is set for a snapshot, ``pool`` for a thin volume: what LVM calls a cached volume's
    origin and pool is not meant. ``traits`` are the words for what it is, LVM's own for its
    layout and role and those of ``TRAITS``; ``kinds`` tells what they mean.
    ``uuid`` is LVM's, which stays whatever the volume is called.
    ``invalid``: a thick snapshot whose copy-on-write store overflowed; its content is lost. Known
    only when asked for with the status. ``data_percent``, only when asked for, is how much is in
    use of a thick snapshot's store or of a thin volume's size; None for what is not active, or
    neither. ``group_tags`` are those of its volume group, whose metadata has the number
    ``group_seqno``, if asked for: every change makes it larger.
    """

    name: str
    size: int
    allocated: int
    tags: frozenset[str]
    is_pool: bool
    origin: str | None
    pool: str | None
    thin_id: int | None
    device_name: str
    number: str | None
    uuid: str = ""
    group_tags: frozenset[str] = frozenset()
    group_seqno: int | None = None
    traits: frozenset[str] = frozenset()
    invalid: bool = False
    data_percent: float | None = None

    @property
    def active(self) -> bool:
        """Whether the volume has a device."""
        return self.number is not None

    @property
    def path(self) -> str:
        """Path of the device, there while the volume is active."""
        return f"{_DM_DIRECTORY}{self.device_name}"


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class PoolUsage:
    """Size in bytes of a thin pool; how much of it and of its metadata is in use, in percent."""

    size: int
    data_percent: float
    metadata_percent: float
    zeroes_new_blocks: bool


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class GroupUsage:
    """Size of a volume group and what of it is free, in bytes, and its tags."""

    size: int
    free: int
    tags: frozenset[str]


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class GroupIdentity:
    """The name, the UUID and the tags of a volume group."""

    name: str
    uuid: str
    tags: frozenset[str]


class Disks(NamedTuple):
    """The paths of a volume group's disks, of which its metadata with this number tells."""

    seqno: int
    paths: list[str]


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class PoolStatus:
    """What the kernel says of a thin pool; used and total are blocks.

    ``unfit`` says why no snapshot can be taken in it, None if one can. The numbers of a pool that
    has failed are not known.
    """

    unfit: str | None = None
    metadata_used: int = 0
    metadata_total: int = 0
    data_used: int = 0
    data_total: int = 0


def rows(output: str, kind: str) -> list[dict[str, str]]:
    """The rows of a report in JSON. ``kind`` is ``lv``, ``vg`` and the like."""
    try:
        (report,) = json.loads(output)["report"]
        found: list[dict[str, str]] = report[kind]
    except (ValueError, KeyError, TypeError) as error:
        raise _unknown("LVM", f"the report of {kind}s", output[:200]) from error
    return found


def volume(row: Mapping[str, Any]) -> LogicalVolume:
    """A row with VOLUME_FIELDS; what else a ``LogicalVolume`` may have, if it is there."""
    layout, role, modules = (_words(row, field) for field in ("lv_layout", "lv_role", "lv_modules"))
    traits = layout | role | (modules & {"integrity"})
    traits |= {trait for trait, field in TRAITS.items() if _flag(row, field)}
    pool = _text(row, "pool_lv", empty=True)
    if pool.endswith("_cvol]"):
        traits |= {"cachevol"}
    is_thick_snapshot = "thicksnapshot" in role
    path = _text(row, "lv_dm_path")
    if not path.startswith(_DM_DIRECTORY):
        raise _unknown("LVM", "lv_dm_path", path)
    return LogicalVolume(
        name=_text(row, "lv_name").strip("[]"),
        size=_whole(row, "origin_size" if is_thick_snapshot else "lv_size"),
        allocated=_whole(row, "lv_size"),
        tags=_words(row, "lv_tags"),
        group_tags=_words(row, "vg_tags"),
        group_seqno=_whole(row, "vg_seqno") if "vg_seqno" in row else None,
        # A type's name is what stands in LVM's metadata on the disks, so it can't change.
        is_pool=_text(row, "segtype") == "thin-pool",
        origin=_text(row, "origin") if is_thick_snapshot or "thinsnapshot" in role else None,
        pool=pool if "thin" in layout and pool else None,
        thin_id=_whole(row, "thin_id") if _text(row, "thin_id", empty=True) else None,
        device_name=os.path.basename(path),
        number=_device_number(row),
        uuid=_uuid(row, "lv_uuid") if "lv_uuid" in row else "",
        traits=traits,
        # -1, not known, for what is not a snapshot or not active.
        invalid="lv_snapshot_invalid" in row and _flag(row, "lv_snapshot_invalid", unknown=False),
        data_percent=_percentage(row, "data_percent") if row.get("data_percent") else None,
    )


def pool_usage(row: Mapping[str, Any]) -> PoolUsage:
    """A row with POOL_FIELDS. The percentages are empty unless the pool is active."""
    return PoolUsage(
        size=_whole(row, "lv_size"),
        data_percent=_percentage(row, "data_percent"),
        metadata_percent=_percentage(row, "metadata_percent"),
        zeroes_new_blocks=_flag(row, "zero"),
    )


def group_usage(row: Mapping[str, Any]) -> GroupUsage:
    """A row with GROUP_FIELDS."""
    return GroupUsage(
        size=_whole(row, "vg_size"), free=_whole(row, "vg_free"), tags=_words(row, "vg_tags")
    )


def extent_size(row: Mapping[str, Any]) -> int:
    """Bytes of an extent, of a row with EXTENT_FIELDS."""
    return _whole(row, "vg_extent_size")


def group_identity(row: Mapping[str, Any]) -> GroupIdentity:
    """A row with IDENTITY_FIELDS."""
    return GroupIdentity(
        name=_text(row, "vg_name"), uuid=_uuid(row, "vg_uuid"), tags=_words(row, "vg_tags")
    )


def device(row: Mapping[str, Any]) -> str | None:
    """The path of a physical volume, of a row with DEVICE_FIELDS; None for one that is missing."""
    name = _text(row, "pv_name")
    if name.startswith("["):
        return None
    if not name.startswith("/"):
        raise _unknown("LVM", "pv_name", name)
    return name


def disks(output: str) -> Disks | None:
    """The disks of a volume group, of DISKS_FIELDS in what LVM's shell prints (no JSON).

    None: not all of them can be told from that; settings may give such a report other forms.
    """
    lines = [line.strip() for line in output.splitlines() if "LVM2_" in line]
    found = [_DISK.fullmatch(line) for line in lines]
    seqnos = {each["seqno"] for each in found if each}
    if None in found or len(seqnos) != 1:
        return None
    return Disks(int(seqnos.pop()), [each["path"] for each in found if each])


def setting(output: str, name: str) -> str:
    """A setting that is a string, of what ``lvmconfig`` prints: ``name="value"``."""
    line = re.fullmatch(rf'\s*{re.escape(name)}\s*=\s*"([^"]*)"\s*', output)
    if not line:
        raise _unknown("LVM", f"the setting {name}", output)
    return line[1]


def version(output: str) -> str:
    """LVM's own version from what ``lvm version`` prints; not strict: it is for messages."""
    line = re.search(r"LVM version:\s*(\S+)", output)
    return line[1] if line else "of an unknown version"


# The status of a thin-pool target: the kernel's
# Documentation/admin-guide/device-mapper/thin-provisioning.rst, and pool_status() in dm-thin.c.
_POOL_STATUS = re.compile(
    r"(?P<transaction>\d+) (?P<metadata_used>\d+)/(?P<metadata_total>\d+)"
    r" (?P<data_used>\d+)/(?P<data_total>\d+) (?P<held_root>\d+|-) (?P<mode>\S+)"
    r" (?P<discard>\S+) (?P<when_full>\S+) (?P<check>\S+)(?P<more>( \d+)*)"
)
_FAILED = {"Fail": "has failed", "Error": "does not tell its state"}
_POOL_MODES = {"rw": None, "ro": "is read-only", "out_of_data_space": "is out of data space"}
_POOL_CHECKS = {"-": None, "needs_check": "needs a check (lvconvert --repair)"}
_POOL_OTHERS = {
    "discard": {"discard_passdown", "no_discard_passdown", "ignore_discard"},
    "when_full": {"error_if_no_space", "queue_if_no_space"},
}


def pool_status(targets: Iterable[device_mapper.Target]) -> PoolStatus:
    """The status of a thin pool's device."""
    parameters = _only(targets, "thin-pool", "the status of a thin pool").parameters
    if parameters in _FAILED:
        return PoolStatus(unfit=_FAILED[parameters])
    words = _POOL_STATUS.fullmatch(parameters)
    if not words:
        raise _unknown(_KERNEL, "the status of a thin pool", parameters)
    for name, known in [("mode", _POOL_MODES), ("check", _POOL_CHECKS), *_POOL_OTHERS.items()]:
        if words[name] not in known:
            raise _unknown(_KERNEL, f"{name} of a thin pool", words[name])
    reasons = [_POOL_MODES[words["mode"]], _POOL_CHECKS[words["check"]]]
    numbers = ("metadata_used", "metadata_total", "data_used", "data_total")
    return PoolStatus(
        unfit=" and ".join(reason for reason in reasons if reason) or None,
        **{name: int(words[name]) for name in numbers},
    )


# <origin> <COW device> <persistent?> <chunk size in sectors>, and features since Linux 5.0:
# Documentation/admin-guide/device-mapper/snapshot.rst. LVM's snapshots are persistent.
_SNAPSHOT_TABLE = re.compile(r"\d+:\d+ \d+:\d+ (?:P|PO) (?P<chunk>\d+)( .*)?")


def snapshot_table(targets: Iterable[device_mapper.Target]) -> tuple[device_mapper.Target, int]:
    """The one target of a thick snapshot's table, and its chunks' size in sectors."""
    target = _only(targets, "snapshot", "the table of a snapshot")
    words = _SNAPSHOT_TABLE.fullmatch(target.parameters)
    if not words:
        raise _unknown(_KERNEL, "the table of a snapshot", target.parameters)
    return target, int(words["chunk"])


def _unknown(who: str, field: str, value: object) -> UnknownForm:
    return UnknownForm(f"{who} reports {field} as {value!r}, a form that is not known here")


def _only(targets: Iterable[device_mapper.Target], kind: str, what: str) -> device_mapper.Target:
    found = list(targets)
    if [target.kind for target in found] != [kind]:
        raise _unknown(_KERNEL, what, found)
    return found[0]


def _text(row: Mapping[str, Any], field: str, empty: bool = False) -> str:
    value = row.get(field)
    if not isinstance(value, str) or not (value or empty):
        raise _unknown("LVM", field, value)
    return value


def _whole(row: Mapping[str, Any], field: str) -> int:
    text = _text(row, field)
    if not _WHOLE_NUMBER.fullmatch(text):
        raise _unknown("LVM", field, text)
    return int(text)


def _uuid(row: Mapping[str, Any], field: str) -> str:
    text = _text(row, field)
    if not _UUID.fullmatch(text):
        raise _unknown("LVM", field, text)
    return text


def _percentage(row: Mapping[str, Any], field: str) -> float:
    text = _text(row, field, empty=True)
    if text and not _NUMBER.fullmatch(text):
        raise _unknown("LVM", field, text)
    return float(text or 0)


def _flag(row: Mapping[str, Any], field: str, unknown: bool | None = None) -> bool:
    """A yes or no as ``--binary`` has it; ``unknown`` is what -1 stands for, if it is allowed."""
    meanings = {"1": True, "0": False, "-1": unknown}
    meaning = meanings.get(_text(row, field))
    if meaning is None:
        raise _unknown("LVM", field, row[field])
    return meaning


def _words(row: Mapping[str, Any], field: str) -> frozenset[str]:
    return frozenset(filter(None, _text(row, field, empty=True).split(",")))


def _device_number(row: Mapping[str, Any]) -> str | None:
    """``major:minor``, or None of a volume without a device: both are -1 then."""
    numbers = [_text(row, "lv_kernel_major"), _text(row, "lv_kernel_minor")]
    if numbers == ["-1", "-1"]:
        return None
    return ":".join(str(_whole(row, field)) for field in ("lv_kernel_major", "lv_kernel_minor"))
