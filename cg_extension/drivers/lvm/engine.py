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
part           what a call makes in one volume group, in one pool or thick; ``together``
re-take        set snapshots that LVM made one after another to one instant; ``retake``
take           the steps of a re-take while I/O is held; ``freeze_plan``
hold, freeze   suspend devices, so that their I/O waits; it is then held
let go         resume devices that a freeze which died has left held; ``retake.let_go``
set            the volumes and snapshots that one call makes, complete or gone; ``sets``
set aside      rename what is to be removed, out of the way, until it is wiped; ``removal``
discard        remove something of ours at once, unwiped, without failing; ``removal``
=============  ================================================================================
"""

import threading
from collections.abc import Iterable, Sequence

from cg_extension.drivers.lvm import (
    commands,
    contents,
    errors,
    making,
    recovery,
    together,
    transaction,
)
from cg_extension.drivers.lvm.model import Capacity, Copy, Settings

__all__ = ["Capacity", "Copy", "Engine", "Settings"]


class Engine:
    """The engine on one volume group, with thin volumes in one pool or thick volumes."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.group = commands.VolumeGroup(settings.volume_group, settings.system_dir)
        self.maker = making.Maker(settings, self.group)

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
        return self.maker.device_path(name)

    def capacity(self) -> Capacity:
        """What the volume group or the pool holds, and how much is promised to volumes."""
        if self.settings.pool is None:
            group = self.group.usage()
            promised = group.size - group.free
            return Capacity(total=group.size, free=group.free, provisioned=promised, thin=False)
        volumes, usage = self.volumes(), self.group.pool_usage(self.settings.pool)
        return Capacity(
            total=usage.size,
            free=int(usage.size * (1 - usage.data_percent / 100)),
            provisioned=sum(v.size for v in volumes.values() if v.pool == self.settings.pool),
            thin=True,
            data_percent=usage.data_percent,
            metadata_percent=usage.metadata_percent,
        )

    # What is made

    def create_volume(self, name: str, size: int, tags: Sequence[str] = ()) -> None:
        """Make an empty volume of ``size`` bytes that reads as zeros, and activate it."""
        done, there, volumes = self.maker.look_for([name])
        if done:
            return
        self.maker.removal.remove_half_made(there, volumes)
        with transaction.all_or_nothing([self.maker.removal]) as mark:
            arguments = self.maker.new_volume_arguments(name, size, [mark, *tags])
            self.group.run("lvcreate", *arguments)
            if self.settings.pool is None:  # its extents hold what was there before, to the last
                made = self.volumes()[name]
                contents.clear(made.path, 0, made.size, uuid=made.uuid)

    def snapshot_group(self, copies: Sequence[Copy]) -> together.GroupSnapshot:
        """Take snapshots of volumes that may be written to; all show the same instant.

        :raises DeadlineExceeded: I/O was held for too long; there are no snapshots.
        """
        return together.snapshot_group([self.part(copies)])

    def clone_group(
        self, copies: Sequence[Copy], progress: contents.Progress | None = None
    ) -> float:
        """Make new volumes of volumes that may be written to; all show the same instant.

        Gives back the seconds for which I/O was held. Thick volumes are copied afterwards;
        ``progress`` is called with the bytes done and the bytes in all.
        """
        return together.clone_group([self.part(copies)], progress)

    def restore_group(
        self, copies: Sequence[Copy], progress: contents.Progress | None = None
    ) -> None:
        """Make new volumes of snapshots, which nobody writes to.

        :raises Refusal: a source is not there, or its copy-on-write store has overflowed.
        """
        together.restore_group([self.part(copies)], progress)

    def part(self, copies: Sequence[Copy]) -> making.Part:
        """This engine's part of a call over several volume groups or pools; for ``together``."""
        return making.Part(self.maker, copies)

    # What goes

    def delete(self, names: Iterable[str]) -> None:
        """Wipe, if thick, and remove volumes and snapshots; those not there count as removed.

        :raises Refusal: one has snapshots that LVM would remove with it, not among ``names``.
        :raises LVMError: one is in use, or LVM failed; others may be gone.
        """
        self.maker.removal.delete(names)

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
            self.maker.removal.wipe_aside(name)

    def wipe_in_background(self, names: Sequence[str]) -> None:
        """``wipe``, in a thread of its own."""
        if names:
            threading.Thread(target=self.wipe, args=(names,), daemon=True).start()
