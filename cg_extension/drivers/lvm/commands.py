# SPDX-License-Identifier: Apache-2.0
"""LVM's commands on one volume group: argument lists in, records out.

Several commands go to one ``lvm`` process, and several names into one command, so that the
number of processes does not grow with the number of volumes.
"""

import contextlib
import logging
import os
import subprocess
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import TypeVar

from cg_extension.conf.errors import describe
from cg_extension.drivers import durability
from cg_extension.drivers.lvm import at_work, errors, low_stall, privileged, reports
from cg_extension.drivers.lvm.reports import (
    GroupIdentity,
    GroupUsage,
    LogicalVolume,
    PoolUsage,
)

__all__ = [
    "GroupIdentity",
    "GroupUsage",
    "LogicalVolume",
    "PoolUsage",
    "VolumeGroup",
    "all_groups",
    "device_name",
    "flush",
    "lvm",
    "wait_for_all",
]

LOG = logging.getLogger(__name__)

Record = TypeVar("Record")

# LVM's shell gives no reports in JSON.
_SEE_DISKS = (
    *("vgs", "--noheadings", "--nameprefixes", "--separator", " "),
    *("-o", ",".join(reports.DISKS_FIELDS)),
)
_REPORT = ("--reportformat", "json", "--units", "b", "--nosuffix", "--binary")


def device_name(volume_group: str, volume: str, layer: str = "") -> str:
    """Device-mapper's name of a logical volume or of a ``layer`` of it (``tpool``, ``cow``)."""
    parts = [part.replace("-", "--") for part in (volume_group, volume)]
    return "-".join([*parts, layer] if layer else parts)


def new_name(prefix: str) -> str:
    """A name that no volume has yet: a short one, since that of the volume group may be long."""
    return f"{prefix}{os.urandom(8).hex()}"


@privileged.entrypoint
def lvm(arguments: list[str], script: str, system_dir: str | None) -> tuple[int, str, str]:
    """Run one ``lvm`` process as root; gives back its exit status and what it printed.

    :raises LVMError: it can't be run: it is not there, or there is no room for its script, say.
    """
    try:
        environment = {**_environment(), "LVM_SYSTEM_DIR": low_stall.system_dir(system_dir)}
        with at_work.work(script) as fd:
            done = _run_program(arguments, fd, environment)
    except OSError as error:
        raise errors.LVMError(f"lvm can't be run: {describe(error)}") from error
    return done.returncode, done.stdout, done.stderr


def _run_program(
    arguments: Sequence[str], script: int, environment: Mapping[str, str]
) -> "subprocess.CompletedProcess[str]":
    try:
        return subprocess.run(
            ["lvm", *arguments],
            stdin=script,
            capture_output=True,
            text=True,
            errors="replace",
            env=environment,
            check=False,
        )
    except FileNotFoundError:
        raise errors.LVMError("lvm is not installed (lvm2)") from None


def _environment() -> dict[str, str]:
    return {
        **os.environ,
        "LC_ALL": "C",
        "LVM_SUPPRESS_FD_WARNINGS": "1",
        "TERM": "dumb",  # else LVM's shell complains of "unknown", sudo's word
        "HOME": "/dev/null",  # else LVM's shell writes what it was told to .lvm_history there
        "PATH": f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin",
    }


@privileged.entrypoint
def wait_for_all() -> None:
    """Wait for all work that is under way as root, even if its caller was killed."""
    at_work.wait_for_all()


def flush(devices: Iterable[str]) -> None:
    """Have disks write out their own caches, which LVM does not do.

    :raises LVMError: a disk can't.
    """
    for device in devices:
        try:
            _flush(device)
        except OSError as error:
            raise errors.LVMError(f"flushing {device} failed: {error.strerror}") from error


@privileged.entrypoint
def _flush(device: str) -> None:
    durability.sync(device)


def all_groups(system_dir: str | None = None) -> list[GroupIdentity]:
    """All volume groups that there are now; one that can't be read is left out.

    :param system_dir: as of a ``VolumeGroup``.
    """
    fields = ("-o", ",".join(reports.IDENTITY_FIELDS))
    # The status is bad already when one group can't be read.
    _status, output, _complaint = lvm(["vgs", *_REPORT, *fields], "", system_dir)
    with _understood(system_dir):
        return [reports.group_identity(row) for row in reports.rows(output, "vg")]


def locking_dir(system_dir: str | None) -> str:
    """The directory of LVM's lock files, as LVM tells it; ``vg_lock.directory`` remembers it."""
    output = _run(system_dir, "lvmconfig", "--type", "full", "global/locking_dir")
    with _understood(system_dir):
        return reports.setting(output, "locking_dir")


def program() -> str:
    """The path of ``lvm``."""
    paths = (os.path.join(each, "lvm") for each in os.get_exec_path(_environment()))
    return next((path for path in paths if os.access(path, os.X_OK)), "lvm")


def _run(system_dir: str | None, command: str, *arguments: str) -> str:
    status, output, complaint = lvm([command, *arguments], "", system_dir)
    if status:
        raise errors.LVMError(f"{command}: {_gist(complaint) or f'status {status}'}")
    return output


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
        return _run(self.system_dir, command, *arguments)

    def run_all(self, commands: Sequence[Sequence[str]]) -> str:
        """Run several commands in one process, each whether or not those before it failed.

        The exit status of LVM's shell tells nothing: that of 2.03.31 is 0 although its last command
        failed. So this gives back what the commands complained of: nothing when all went well, but
        not always of a failure. The caller must look at what there is now.
        """
        return self._run_script(commands)[1]

    def _run_script(self, commands: Sequence[Sequence[str]]) -> tuple[str, str]:
        """What commands in one process print and complain of."""
        script = "".join(_script_line(command) for command in commands)
        status, output, complaint = lvm([], script, self.system_dir)
        killed = f"; lvm was killed by signal {-status}" if status < 0 else ""
        return output, (_gist(complaint) + killed).removeprefix("; ")

    def make(self, commands: Sequence[Sequence[str]], names: Mapping[str, str | None]) -> str:
        """Run commands in one process, and see to it that they made the volumes ``names``.

        Gives back what they printed.

        :param names: each with a tag that its command gives it, by which it is told from one of
            another who was faster.
        :raises LVMError: one is missing; others may be there.
        """
        output, complaint = self._run_script(commands)
        if complaint:
            made = {
                (volume.name, tag)
                for volume in self.volumes().values()
                for tag in (*volume.tags, None)
            }
            if missing := sorted(name for name, tag in names.items() if (name, tag) not in made):
                raise errors.LVMError(f"{', '.join(missing)} not made: {complaint}")
            LOG.warning("LVM says: %s", complaint)
        return output

    def make_and_see_disks(
        self, commands: Sequence[Sequence[str]], names: Mapping[str, str | None]
    ) -> reports.Disks | None:
        """As ``make``; the same process tells of the group's disks as they are then, if it can."""
        return reports.disks(self.make([*commands, [*_SEE_DISKS, self.name]], names))

    def retag(self, names: Sequence[str], tag: str, remove: bool = False) -> None:
        """Give volumes a tag, or take it away; to repeat it makes no difference."""
        if names:
            change = "--deltag" if remove else "--addtag"
            self.run("lvchange", change, tag, *self.qualified(names))

    def add_tags(self, names: Sequence[str], tags: Iterable[str]) -> None:
        """Give volumes tags."""
        words = [word for tag in tags for word in ("--addtag", tag)]
        self.run("lvchange", *words, *self.qualified(names))

    def change_tags(self, add: Iterable[str] = (), remove: Iterable[str] = ()) -> None:
        """Give the volume group tags and take others away, all in one step.

        Tags that are there already, or not there any more, make no difference.
        """
        changes = [("--addtag", tag) for tag in add] + [("--deltag", tag) for tag in remove]
        self.run("vgchange", *(word for change in changes for word in change), self.name)

    def activate(self, names: Sequence[str]) -> None:
        """Make the devices of volumes appear; those that are there are left alone."""
        if names:
            # ``--yes``: a thick snapshot and its origin come up together.
            self.run(
                *("lvchange", "--yes", "--activate", "y", "--ignoreactivationskip"),
                *self.qualified(names),
            )

    def deactivate(self, names: Sequence[str]) -> None:
        """Make the devices of volumes go, and with a thick origin its snapshots'.

        :raises LVMError: one is in use; others may be gone.
        """
        if names:
            self.run("lvchange", "--yes", "--activate", "n", *self.qualified(names))

    def rename(self, names: Mapping[str, str]) -> None:
        """Rename volumes, in this order: new names by the present ones.

        :raises LVMError: one still has another name; others may have theirs.
        """
        if names:
            self.make(
                [["lvrename", self.name, *pair] for pair in names.items()],
                dict.fromkeys(names.values()),
            )

    def volumes(
        self,
        locking: bool = True,
        status: bool = False,
        usage: bool = False,
        hidden: bool = False,
    ) -> dict[str, LogicalVolume]:
        """All logical volumes by name.

        :param locking: False when this process holds the lock of the volume group.
        :param status: find out as well which snapshots are ``invalid``.
        :param usage: find out as well how full they are; asked for that, a thin pool commits.
        :param hidden: also those that LVM keeps for itself, as parts of others.
        """
        fields = reports.VOLUME_FIELDS
        options = []
        if status:
            fields = (*fields, *reports.STATUS_FIELDS)
        if usage:
            fields = (*fields, *reports.USAGE_FIELDS)
        if not locking:
            fields = (*fields, *reports.CHANGE_FIELDS)
            options.append("--nolocking")
        if hidden:
            options.append("--all")
        found = self._report("lvs", fields, [*options, self.name], reports.volume)
        return {volume.name: volume for volume in found}

    def pool_usage(self, pool: str) -> PoolUsage:
        """Size and usage of a thin pool."""
        names = self.qualified([pool])
        (usage,) = self._report("lvs", reports.POOL_FIELDS, names, reports.pool_usage)
        return usage

    def usage(self) -> GroupUsage:
        """Size of the volume group, what is free of it, and its tags."""
        (usage,) = self._report("vgs", reports.GROUP_FIELDS, [self.name], reports.group_usage)
        return usage

    def extent_size(self) -> int:
        """Bytes of which a volume's size is a multiple."""
        (size,) = self._report("vgs", reports.EXTENT_FIELDS, [self.name], reports.extent_size)
        return size

    def devices(self) -> list[str]:
        """The paths of the group's disks, for ``flush``, without those that are missing."""
        found = self._report("vgs", reports.DEVICE_FIELDS, [self.name], reports.device)
        return [device for device in found if device]

    def flush(self) -> None:
        """Have the group's disks write out their own caches.

        :raises LVMError: a disk can't.
        """
        flush(self.devices())

    def all_groups(self) -> list[GroupIdentity]:
        """All volume groups that there are now; one that can't be read is left out."""
        return all_groups(self.system_dir)

    def _report(
        self,
        command: str,
        fields: Iterable[str],
        arguments: Sequence[str],
        parse: Callable[[Mapping[str, str]], Record],
    ) -> list[Record]:
        output = self.run(
            command,
            *_REPORT,
            *("-o", ",".join(fields)),
            *arguments,
        )
        with _understood(self.system_dir):
            return [parse(row) for row in reports.rows(output, command.removesuffix("s"))]


@contextlib.contextmanager
def _understood(system_dir: str | None) -> Iterator[None]:
    """Add LVM's version, which is asked for only then, to what an ``UnknownForm`` says."""
    try:
        yield
    except reports.UnknownForm as error:
        release = reports.version(lvm(["version"], "", system_dir)[1])
        raise reports.UnknownForm(f"{error} (LVM {release})") from error


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
