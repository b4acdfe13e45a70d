# SPDX-License-Identifier: Apache-2.0
"""LVM's commands on one volume group: argument lists in, records out.

Several commands go to one ``lvm`` process, and several names into one command, so that the
number of processes does not grow with the number of volumes.
"""

import contextlib
import dataclasses
import fcntl
import functools
import json
import os
import subprocess
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from oslo_log import log as logging

from cg_extension.drivers.lvm import errors, low_stall, privileged

LOG = logging.getLogger(__name__)

# Not in /run/lock, where any user may make files, and so keep root from opening one.
_AT_WORK = "/run/cg_extension-lvm.lock"

# Fields that cost no status query: asked for its status, a thin pool commits, and I/O waits.
_FIELDS = (
    *("lv_name", "lv_size", "lv_tags", "segtype", "origin", "origin_size", "pool_lv", "thin_id"),
    *("lv_dm_path", "lv_kernel_major", "lv_kernel_minor"),
    *("lv_layout", "lv_role", "lv_modules"),
)

# Fields that say yes or no, by the trait that yes means (``LogicalVolume.traits``).
TRAITS = {
    "merging": "lv_merging",
    "converting": "lv_converting",
    "locked": "lv_allocation_locked",
    "partial": "vg_partial",
    "exported": "vg_exported",
    "shared": "vg_shared",
    "clustered": "vg_clustered",
}


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class LogicalVolume:
    """One logical volume as LVM reports it.

    ``size`` is in bytes, of a thick snapshot that of its origin (``allocated`` is then that of
    its copy-on-write store, otherwise the same); ``device_name`` is
    device-mapper's name of it; ``number`` is its ``major:minor``, None unless ``active``.
    ``origin`` is that of a snapshot, ``pool`` the thin pool of a thin volume: neither is what
    LVM calls so of a cached volume. ``traits`` are the words for what it is, LVM's own for its
    layout and role and those of ``TRAITS``; ``kinds`` tells what they mean.
    ``invalid``: a thick snapshot whose copy-on-write store overflowed; its content is lost. Known
    only when asked for with the status.
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
    active: bool
    traits: frozenset[str] = frozenset()
    invalid: bool = False

    @property
    def path(self) -> str:
        """Path of the device, there while the volume is active."""
        return f"/dev/mapper/{self.device_name}"


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class PoolUsage:
    """Size in bytes of a thin pool and the percentages of data and metadata in use."""

    size: int
    data_percent: float
    metadata_percent: float
    zeroes_new_blocks: bool


def device_name(volume_group: str, volume: str, layer: str = "") -> str:
    """Device-mapper's name of a logical volume or of a ``layer`` of it (``tpool``, ``cow``)."""
    parts = [part.replace("-", "--") for part in (volume_group, volume)]
    return "-".join([*parts, layer] if layer else parts)


@privileged.context.entrypoint
def lvm(arguments: list[str], script: str, system_dir: str | None) -> tuple[int, str, str]:
    """Run one ``lvm`` process as root; gives back its exit status and what it printed."""
    environment = {**os.environ, "LC_ALL": "C", "LVM_SUPPRESS_FD_WARNINGS": "1"}
    environment["PATH"] = f"{environment.get('PATH', '')}:/usr/sbin:/sbin"
    environment["LVM_SYSTEM_DIR"] = low_stall.system_dir(system_dir)
    with _at_work(fcntl.LOCK_SH) as fd:
        done = subprocess.run(
            ["lvm", *arguments],
            input=script,
            capture_output=True,
            text=True,
            errors="replace",
            env=environment,
            pass_fds=(fd,),
            check=False,
        )
    return done.returncode, done.stdout, done.stderr


@privileged.context.entrypoint
def wait_for_all() -> None:
    """Wait for the ``lvm`` processes of everyone here who runs them by ``lvm``.

    One of them may go on after the process that started it was killed.
    """
    with _at_work(fcntl.LOCK_EX):
        pass


@contextlib.contextmanager
def _at_work(operation: int) -> Iterator[int]:
    """Hold a lock that an ``lvm`` process inherits, and so keeps when its parent dies."""
    fd = os.open(_AT_WORK, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(fd, operation)
        yield fd
    finally:
        os.close(fd)


class VolumeGroup:
    """LVM's commands on the volume group ``name``.

    :param system_dir: directory of the ``lvm.conf`` to use (LVM_SYSTEM_DIR), or None.
    """

    def __init__(self, name: str, system_dir: str | None = None) -> None:
        self.name = name
        self.system_dir = system_dir

    def qualified(self, names: Iterable[str]) -> list[str]:
        """The names as LVM takes them on its command line."""
        return [f"{self.name}/{name}" for name in names]

    def run(self, command: str, *arguments: str) -> str:
        """Run one command; gives back what it printed.

        :raises LVMError: it failed; the message is LVM's.
        """
        status, output, complaint = lvm([command, *arguments], "", self.system_dir)
        if status:
            raise errors.LVMError(f"{command}: {_gist(complaint) or f'status {status}'}")
        return output

    def run_all(self, commands: Sequence[Sequence[str]]) -> str:
        """Run several commands in one process, each whether or not those before it failed.

        LVM's shell tells the exit status of its last command only. What it gives back is what
        the commands complained of: empty when all went well, not always a failure otherwise.
        The caller looks at what there is now.
        """
        script = "".join(_script_line(command) for command in commands)
        _status, _output, complaint = lvm([], script, self.system_dir)
        return _gist(complaint)

    def make(self, commands: Sequence[Sequence[str]], names: Sequence[str]) -> None:
        """Run commands in one process, and see to it that they made the volumes ``names``.

        :raises LVMError: one is missing; others may be there.
        """
        complaint = self.run_all(commands)
        if complaint:
            missing = set(names) - set(self.volumes())
            if missing:
                raise errors.LVMError(f"{', '.join(sorted(missing))} not made: {complaint}")
            LOG.warning("LVM says: %s", complaint)

    def retag(self, names: Sequence[str], tag: str, remove: bool = False) -> None:
        """Give volumes a tag, or take it away; again and again makes no difference."""
        if names:
            change = "--deltag" if remove else "--addtag"
            self.run("lvchange", change, tag, *self.qualified(names))

    def activate(self, names: Sequence[str]) -> None:
        """Make the devices of volumes appear; those that are there are left alone."""
        if names:
            # ``--yes``: a thick snapshot and its origin come up together.
            self.run(
                *("lvchange", "--yes", "--activate", "y", "--ignoreactivationskip"),
                *self.qualified(names),
            )

    def volumes(
        self, locking: bool = True, status: bool = False, hidden: bool = False
    ) -> dict[str, LogicalVolume]:
        """All logical volumes by name.

        :param locking: False when this process holds the lock of the volume group.
        :param status: find out as well which snapshots are ``invalid``.
        :param hidden: also those that LVM keeps for itself, as parts of others.
        """
        fields = [*_FIELDS, *TRAITS.values(), *(["lv_snapshot_invalid"] if status else [])]
        how = [*([] if locking else ["--nolocking"]), *(["--all"] if hidden else [])]
        rows = self._report("lvs", fields, [*how, self.name])
        return {volume.name: volume for volume in map(_volume, rows)}

    def pool_usage(self, pool: str) -> PoolUsage:
        """Size and usage of a thin pool."""
        fields = ["lv_size", "data_percent", "metadata_percent", "zero"]
        row = self._report("lvs", fields, self.qualified([pool]))[0]
        return PoolUsage(
            size=int(row["lv_size"]),
            data_percent=float(row["data_percent"] or 0),
            metadata_percent=float(row["metadata_percent"] or 0),
            zeroes_new_blocks=row["zero"] == "1",
        )

    def size_and_free(self) -> tuple[int, int]:
        """Size of the volume group and what is free of it, in bytes."""
        row = self._report("vgs", ["vg_size", "vg_free"], [self.name])[0]
        return int(row["vg_size"]), int(row["vg_free"])

    @functools.cached_property
    def locking_dir(self) -> str:
        """The directory of LVM's lock files."""
        output = self.run("lvmconfig", "--type", "full", "global/locking_dir")
        return output.partition("=")[2].strip().strip('"')

    def _report(
        self, command: str, fields: Iterable[str], arguments: Sequence[str]
    ) -> list[dict[str, Any]]:
        output = self.run(
            command,
            *("--reportformat", "json", "--units", "b", "--nosuffix", "--binary"),
            *("-o", ",".join(fields)),
            *arguments,
        )
        return list(json.loads(output)["report"][0][command.removesuffix("s")])


def _script_line(command: Sequence[str]) -> str:
    """One line for LVM's shell, which knows quotes but no escapes.

    :raises Refusal: a word can't be written on such a line.
    """
    if unfit := [word for word in command if "'" in word or not word.isprintable()]:
        raise errors.Refusal(f"not a name or a tag for LVM: {', '.join(map(repr, unfit))}")
    return " ".join(f"'{word}'" if " " in word or '"' in word else word for word in command) + "\n"


def _gist(complaint: str) -> str:
    lines = (line.strip() for line in complaint.splitlines())
    return "; ".join(line for line in lines if line and not line.startswith("WARNING"))[:1000]


def _volume(row: Mapping[str, str]) -> LogicalVolume:
    # Not lv_active, whose words differ between LVM's releases: no device, no number.
    major, minor = int(row["lv_kernel_major"]), int(row["lv_kernel_minor"])
    active = major >= 0 and minor >= 0
    layout, role, modules = (
        frozenset(filter(None, row[field].split(",")))
        for field in ("lv_layout", "lv_role", "lv_modules")
    )
    traits = layout | role | (modules & {"integrity"})
    traits |= {trait for trait, field in TRAITS.items() if _yes(row, field)}
    if row["pool_lv"].endswith("_cvol]"):
        traits |= {"cachevol"}
    is_thick_snapshot = "thicksnapshot" in role
    return LogicalVolume(
        name=row["lv_name"].strip("[]"),
        size=int(row["origin_size"] if is_thick_snapshot else row["lv_size"]),
        allocated=int(row["lv_size"]),
        tags=frozenset(filter(None, row["lv_tags"].split(","))),
        is_pool=row["segtype"] == "thin-pool",
        origin=row["origin"] if is_thick_snapshot or "thinsnapshot" in role else None,
        pool=row["pool_lv"] if "thin" in layout and row["pool_lv"] else None,
        thin_id=int(row["thin_id"]) if row["thin_id"] else None,
        device_name=os.path.basename(row["lv_dm_path"]),
        number=f"{major}:{minor}" if active else None,
        active=active,
        traits=traits,
        invalid=row.get("lv_snapshot_invalid") == "1",
    )


def _yes(row: Mapping[str, str], field: str) -> bool:
    """Whether a field of ``--binary`` says yes.

    :raises LVMError: it says neither yes nor no.
    """
    if row[field] not in ("0", "1"):
        raise errors.LVMError(f"LVM says {field} is {row[field]!r}, neither 0 nor 1")
    return row[field] == "1"
