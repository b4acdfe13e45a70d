# SPDX-License-Identifier: Apache-2.0
"""The LVM engine: volumes and group snapshots of one volume group.

It knows LVM and device-mapper, and nothing of groups' records, databases or configuration files.
Its users: our driver, the ``cg-lvm`` command, and a subclass of Cinder's LVM driver.

============================  =================================================================
``check()``                   can this machine and volume group do it at all?
``volumes(status=False)``     all volumes by name, one process
``create_volume(...)``        an empty volume that reads as zeros
``snapshot_group(copies)``    snapshots of live volumes, all of one instant
``clone_group(copies)``       new volumes from live volumes, all of one instant
``restore_group(copies)``     new volumes from snapshots, which don't change
``delete(names)``             remove volumes and snapshots; what is not there counts as removed
``retag(names, tag)``         give volumes a tag or take it away
``activate(names)``           make the devices of volumes appear
``device_path(name)``         where an active volume is
``capacity()``                sizes and usage, in bytes
``recover()``                 after a crash: resume what is frozen, remove what is half-made
``wipe(names)``               the slow part of ``recover``; also ``wipe_in_background(names)``
============================  =================================================================

A ``Copy`` says what is made of what. Every call that makes something is all or nothing, and
repeatable: what an earlier run finished is kept, what it left half-made is made again; ``sets``
tells how, whenever it is cut short. Names are LVM's names within the volume group, sizes are
bytes. All calls raise ``errors.LVMError``, or ``errors.Refusal`` before anything was changed, and
all may be made from several threads.

Words that mean one thing in all of this package:

=============  ================================================================================
re-take        set snapshots that LVM made one after another to one instant; ``retake``
take           the steps of a re-take while I/O is held; ``freeze_plan``
hold, freeze   suspend devices, so that their I/O waits; it is then held
let go         resume devices that a freeze which died has left held; ``retake.let_go``
set            the volumes and snapshots that one call makes, complete or gone; ``sets``
set aside      rename what is to be removed, out of the way, until it is wiped; ``removal``
discard        remove something of ours at once, unwiped, without failing; ``removal``
=============  ================================================================================
"""

import contextlib
import dataclasses
import threading
import uuid
from collections.abc import Iterable, Iterator, Mapping, Sequence

from oslo_log import log as logging

from cg_extension.drivers import steps
from cg_extension.drivers.lvm import (
    commands,
    contents,
    errors,
    preflight,
    recovery,
    removal,
    retake,
    sets,
)
from cg_extension.drivers.lvm.model import Capacity, Copy, Settings

__all__ = ["Capacity", "Copy", "Engine", "Settings"]

LOG = logging.getLogger(__name__)

_TEMPORARY = "cgtmp-"


class Engine:
    """The engine on one volume group, with thin volumes in one pool or thick volumes."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.group = commands.VolumeGroup(settings.volume_group, settings.system_dir)
        self._removal = removal.Removal(settings, self.group)

    # What there is

    def check(self) -> None:
        """See to it that the volume group, the pool and LVM itself can be used.

        :raises LVMError: says what is missing.
        """
        volumes = self.volumes()
        pool = self.settings.pool
        if pool is None:
            return
        if pool not in volumes or not volumes[pool].is_pool:
            raise errors.LVMError(
                f"no thin pool {pool} in volume group {self.group.name}; make one with "
                f"lvcreate --type thin-pool -L SIZE -n {pool} {self.group.name}"
            )
        if not self.group.pool_usage(pool).zeroes_new_blocks:
            raise errors.LVMError(
                f"thin pool {pool} does not zero new blocks, so that volumes would show each "
                f"other's old data; lvchange --zero y {self.group.name}/{pool}"
            )

    def volumes(self, status: bool = False) -> dict[str, commands.LogicalVolume]:
        """All volumes by name; with ``status``, overflowed thick snapshots show as invalid."""
        return self.group.volumes(status=status)

    def device_path(self, name: str) -> str:
        """The path of a volume's device, which is there while the volume is active."""
        return f"/dev/mapper/{commands.device_name(self.group.name, name)}"

    def capacity(self) -> Capacity:
        """What the volume group or the pool holds, and how much is promised to volumes."""
        volumes = self.volumes().values()
        if self.settings.pool is None:
            group = self.group.usage()
            promised = group.size - group.free
            return Capacity(total=group.size, free=group.free, provisioned=promised, thin=False)
        usage = self.group.pool_usage(self.settings.pool)
        return Capacity(
            total=usage.size,
            free=int(usage.size * (1 - usage.data_percent / 100)),
            provisioned=sum(v.size for v in volumes if v.pool == self.settings.pool),
            thin=True,
            data_percent=usage.data_percent,
            metadata_percent=usage.metadata_percent,
        )

    # What is made

    def create_volume(self, name: str, size: int, tags: Sequence[str] = ()) -> None:
        """Make an empty volume of ``size`` bytes that reads as zeros, and activate it."""
        if self._is_done([name]):
            return
        with self._all_or_nothing() as mark:
            self.group.run("lvcreate", *self._new_volume(name, size, [mark, *tags]))
            if self.settings.pool is None:  # its extents hold what was there before
                contents.clear(self.device_path(name), 0, size)

    def snapshot_group(self, copies: Sequence[Copy]) -> float:
        """Take snapshots of volumes that may be written to; all show the same instant.

        Gives back the seconds for which I/O was held, 0 if the snapshots were there already.

        :raises DeadlineExceeded: I/O was held for too long; there are no snapshots.
        """
        targets = [copy.target for copy in copies]
        if self._is_done(targets):
            return 0.0
        arguments = self._check_sources(copies)
        with self._all_or_nothing() as mark:
            return self._snapshot(copies, arguments, mark, volumes_to_be=False)

    def clone_group(
        self, copies: Sequence[Copy], progress: contents.Progress | None = None
    ) -> float:
        """Make new volumes of volumes that may be written to; all show the same instant.

        Gives back the seconds for which I/O was held. Thick volumes are copied afterwards;
        ``progress`` is called with the bytes done and the bytes in all.
        """
        targets = [copy.target for copy in copies]
        if self._is_done(targets):
            return 0.0
        if self.settings.pool is None:
            return self._clone_thick(copies, progress)
        arguments = self._check_sources(copies)
        with self._all_or_nothing() as mark:
            held = self._snapshot(copies, arguments, mark, volumes_to_be=True)
            self._extend(copies)
            self.activate(targets)
            return held

    def restore_group(
        self, copies: Sequence[Copy], progress: contents.Progress | None = None
    ) -> None:
        """Make new volumes of snapshots, which nobody writes to.

        :raises Refusal: a source is not there, or its copy-on-write store has overflowed.
        """
        targets = [copy.target for copy in copies]
        if self._is_done(targets):
            return
        volumes = self.volumes(status=self.settings.pool is None)
        for copy in copies:
            if copy.source not in volumes:
                raise errors.Refusal(f"there is no {copy.source} in {self.group.name}")
            if sets.is_doomed(volumes[copy.source]):
                raise errors.Refusal(f"{copy.source} is half-made: it may be of any moment")
            if volumes[copy.source].invalid:
                raise errors.Refusal(
                    f"the copy-on-write store of {copy.source} overflowed; its content is lost"
                )
        with self._all_or_nothing() as mark:
            if self.settings.pool is None:
                self._copy_thick(copies, mark, progress)
            else:
                self.group.make(
                    [self._snapshot_command(copy, mark, volume_to_be=True) for copy in copies],
                    targets,
                )
                self._extend(copies)
                self.activate(targets)

    # What goes

    def delete(self, names: Iterable[str]) -> None:
        """Wipe, if thick, and remove volumes and snapshots; those not there count as removed.

        :raises Refusal: a thick volume has snapshots that are not among ``names``.
        :raises LVMError: one is in use, or LVM failed; others may be gone.
        """
        self._removal.delete(names)

    def activate(self, names: Sequence[str]) -> None:
        """Make the devices of volumes appear; those that are there are left alone."""
        self.group.activate(names)

    def retag(self, names: Sequence[str], tag: str, remove: bool = False) -> None:
        """Give volumes a tag, or take it away; to repeat it makes no difference."""
        self.group.retag(names, tag, remove)

    def recover(self) -> list[str]:
        """Put right what a crash left: run it before anything else is done.

        Resumes sources of half-made snapshots that are still suspended, and removes what a
        process which is gone was making or removing. Volumes that have to be wiped first, which
        can take hours, are only renamed out of the way: gives back their new names, for ``wipe``.
        """
        return recovery.recover(self.settings)

    def wipe(self, names: Sequence[str]) -> None:
        """Wipe and remove what ``recover`` has set aside; what fails is left to the next start."""
        for name in names:
            self._removal.wipe_aside(name)

    def wipe_in_background(self, names: Sequence[str]) -> None:
        """``wipe``, in a thread of its own."""
        if names:
            threading.Thread(target=self.wipe, args=(names,), daemon=True).start()

    # How

    def _retake_request(self, copies: Sequence[Copy], mark: str = "") -> retake.Request:
        settings = self.settings
        own_paths = [*settings.own_paths, self.group.locking_dir, settings.system_dir or "/etc/lvm"]
        return retake.Request(
            volume_group=settings.volume_group,
            system_dir=settings.system_dir,
            locking_dir=self.group.locking_dir,
            pairs=[(copy.source, copy.target) for copy in copies],
            deadline=settings.freeze_deadline,
            data_limit=settings.data_limit,
            metadata_limit=settings.metadata_limit,
            own_paths=preflight.own_paths(own_paths),
            mark=mark,
        )

    def _check_sources(self, copies: Sequence[Copy]) -> Mapping[str, Sequence[str]]:
        """Refuse what can't be frozen, and activate sources: an inactive one can't be held.

        Gives back the arguments of ``lvcreate`` that the kind of each source needs.
        """
        sources = retake.check(self._retake_request(copies))
        self.activate(sources.inactive)
        return sources.arguments

    def _snapshot(
        self,
        copies: Sequence[Copy],
        arguments: Mapping[str, Sequence[str]],
        mark: str,
        volumes_to_be: bool,
    ) -> float:
        """Have LVM make the snapshots, each at its own moment, then set them to one."""
        self.group.make(
            [
                self._snapshot_command(copy, mark, volumes_to_be, arguments[copy.source])
                for copy in copies
            ],
            [copy.target for copy in copies],
        )
        steps.checkpoint("lvm.snapshots_made")
        held = retake.retake(self._retake_request(copies, mark))
        LOG.info("Held the I/O of %d volumes for %.2f ms", len(copies), 1000 * held)
        steps.checkpoint("lvm.retaken")
        return held

    def _snapshot_command(
        self, copy: Copy, mark: str, volume_to_be: bool, arguments: Sequence[str] = ()
    ) -> list[str]:
        tags = _tags([mark, *copy.tags])
        command = ["lvcreate", "--yes", "--snapshot", "--name", copy.target, *tags]
        command += arguments
        if self.settings.pool is None:
            command += ["--extents", f"{self.settings.cow_percent}%ORIGIN"]
        else:
            # A snapshot that nobody uses needs no device; without one its id can be deleted.
            skip = "n" if volume_to_be else "y"
            command += ["--activate", "n", "--setactivationskip", skip]
        return [*command, *self.group.qualified([copy.source])]

    def _new_volume(self, name: str, size: int, tags: Sequence[str]) -> list[str]:
        """Arguments of lvcreate."""
        arguments = ["--yes", "--name", name, *_tags(tags)]
        if self.settings.pool:
            (pool,) = self.group.qualified([self.settings.pool])
            return [*arguments, "--virtualsize", f"{size}b", "--thin", pool]
        return [
            *arguments,
            *("--wipesignatures", "n", "--zero", "n", "--size", f"{size}b"),
            self.group.name,
        ]

    def _clone_thick(self, copies: Sequence[Copy], progress: contents.Progress | None) -> float:
        """Take snapshots of one instant, copy them, and remove them again."""
        through = [
            Copy(source=copy.source, target=f"{_TEMPORARY}{uuid.uuid4()}") for copy in copies
        ]
        arguments = self._check_sources(through)
        with self._removed_at_last() as temporary_mark:
            held = self._snapshot(through, arguments, temporary_mark, volumes_to_be=False)
            with self._all_or_nothing() as mark:
                self._copy_thick(
                    [
                        dataclasses.replace(copy, source=temporary.target)
                        for copy, temporary in zip(copies, through, strict=True)
                    ],
                    mark,
                    progress,
                )
            return held

    def _copy_thick(
        self, copies: Sequence[Copy], mark: str, progress: contents.Progress | None
    ) -> None:
        volumes = self.volumes()
        sizes = {copy.target: max(copy.size or 0, volumes[copy.source].size) for copy in copies}
        self.activate([copy.source for copy in copies if not volumes[copy.source].active])
        self.group.make(
            [
                [
                    "lvcreate",
                    *self._new_volume(copy.target, sizes[copy.target], [mark, *copy.tags]),
                ]
                for copy in copies
            ],
            list(sizes),
        )
        devices = [
            (
                self.device_path(copy.source),
                self.device_path(copy.target),
                volumes[copy.source].size,
            )
            for copy in copies
        ]
        contents.copy_all(devices, self.settings.copy_workers, progress)
        for copy, (_source, device, copied) in zip(copies, devices, strict=True):
            contents.clear(device, copied, sizes[copy.target] - copied)
        invalid = {name for name, volume in self.volumes(status=True).items() if volume.invalid}
        if lost := sorted(invalid & {copy.source for copy in copies}):
            raise errors.LVMError(
                f"the copy-on-write store overflowed while copying: {', '.join(lost)}"
            )

    def _extend(self, copies: Sequence[Copy]) -> None:
        volumes = self.volumes()
        larger = {c.target: c.size for c in copies if c.size and c.size > volumes[c.target].size}
        if not larger:
            return
        complaint = self.group.run_all(
            [
                ["lvextend", "--size", f"{size}b", *self.group.qualified([target])]
                for target, size in larger.items()
            ]
        )
        volumes = self.volumes()
        if small := [target for target, size in larger.items() if volumes[target].size < size]:
            raise errors.LVMError(f"{', '.join(small)} not extended: {complaint}")

    def _is_done(self, targets: Sequence[str]) -> bool:
        """Whether an earlier run finished; if it did not, what it made is removed.

        All of it goes, even finished members: those still to be made would be of another instant.

        :raises Refusal: a target's name belongs to a volume that the engine did not make.
        """
        volumes = self.volumes()
        there = [volumes[name] for name in targets if name in volumes]
        if foreign := [volume.name for volume in there if sets.OWNED not in volume.tags]:
            raise errors.Refusal(f"there already: {', '.join(foreign)} in {self.group.name}")
        if len(there) == len(targets) and not any(map(sets.is_doomed, there)):
            return True
        self._removal.remove_half_made(there, volumes)
        return False

    @contextlib.contextmanager
    def _all_or_nothing(self) -> Iterator[str]:
        """All that the block makes with the tag given here is complete at once, or is removed."""
        name = sets.new()
        mark = sets.mark(sets.BEGUN, name)
        try:
            self.group.change_tags(add=[mark])
            steps.checkpoint("lvm.begun")
            yield sets.member_tag(name)
            # A set is complete only once its content would survive a power cut. The second flush
            # makes the completion itself survive.
            disks = self.group.devices()
            commands.flush(disks)
            self.group.change_tags(remove=[mark])
            commands.flush(disks)
        except (Exception, KeyboardInterrupt):
            self._removal.discard(name)
            raise
        steps.checkpoint("lvm.finished")

    @contextlib.contextmanager
    def _removed_at_last(self) -> Iterator[str]:
        """All that the block makes with the tag given here is removed in any case."""
        name = sets.new()
        try:
            self.group.change_tags(add=[sets.mark(sets.BEGUN, name)])
            yield sets.member_tag(name)
        except (Exception, KeyboardInterrupt):
            self._removal.discard_temporaries(name)
            raise
        self._removal.discard_temporaries(name)


def _tags(tags: Iterable[str]) -> list[str]:
    """Arguments of lvcreate for the engine's own tag and others."""
    return [word for tag in (sets.OWNED, *tags) for word in ("--addtag", tag)]
