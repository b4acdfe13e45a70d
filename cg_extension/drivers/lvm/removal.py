# SPDX-License-Identifier: Apache-2.0
"""Removing volumes and snapshots: those that are no longer wanted, and those left half-made.

Which ones, and when, is up to the engine.
"""

import threading
import uuid
from collections.abc import Iterable, Mapping, Sequence

from oslo_log import log as logging

from cg_extension.drivers.lvm import (
    commands,
    contents,
    errors,
    kinds,
    leftovers,
    model,
    retake,
)

LOG = logging.getLogger(__name__)

_MIB = 1 << 20
# Of volumes that wait to be wiped and removed.
_ASIDE = "cggone-"


class Removal:
    """How volumes of one volume group go, by the engine's settings."""

    def __init__(self, settings: model.Settings, group: commands.VolumeGroup) -> None:
        self._settings = settings
        self._group = group
        # Temporary snapshots that could not be removed.
        self._left: set[str] = set()
        self._left_lock = threading.Lock()

    def delete(self, names: Iterable[str]) -> None:
        """Wipe, if thick, and remove volumes and snapshots; those not there count as removed.

        :raises Refusal: a thick volume has snapshots that are not among ``names``, or is to be
            wiped and has a cache.
        :raises LVMError: one is in use, or LVM failed; others may be gone.
        """
        self._discard_left()
        wanted = set(names)
        volumes = self._group.volumes()
        gone = [volumes[name] for name in wanted if name in volumes]
        thick = {volume.name for volume in gone if volume.pool is None}
        for volume in volumes.values():
            if volume.origin in thick and volume.pool is None and volume.name not in wanted:
                raise errors.Refusal(f"{volume.origin} has a snapshot: {volume.name}")
        # Zeros would end in the cache; what it and the volume below it hold would stay.
        if cached := [v.name for v in gone if self._is_wiped(v) and v.traits & kinds.CACHED]:
            raise errors.Refusal(
                f"{', '.join(sorted(cached))} has a cache, which would not be wiped: take it off "
                "(lvconvert --splitcache) and wipe it"
            )
        split = self._split(gone)
        for volume in split:
            self._wipe(volume)
        self._remove(split)

    def discard(self, names: Sequence[str]) -> bool:
        """Remove what is there; what can't be removed now stays marked, for ``recover``.

        Gives whether all of it is gone.
        """
        try:
            volumes = self._group.volumes()
            there = [volumes[name] for name in names if name in volumes]
            self.remove_half_made([volume for volume in there if leftovers.OWNED in volume.tags])
        except errors.LVMError as error:
            LOG.warning("Left to be removed later: %s: %s", list(names), error)
            return False
        return True

    def discard_temporaries(self, names: Sequence[str]) -> None:
        """Remove snapshots of which no caller knows, now or before the next ``delete``.

        A thick volume with a snapshot could not be deleted until the next start otherwise.
        """
        if not self.discard(names):
            with self._left_lock:
                self._left.update(names)

    def _discard_left(self) -> None:
        with self._left_lock:
            self._left = {name for name in self._left if not self.discard([name])}

    def remove_half_made(self, volumes: Sequence[commands.LogicalVolume]) -> None:
        """Wipe, if thick and if that works, and remove what is of no use to anyone.

        A copy that was cut short, and the store of a snapshot, hold a volume's data like any
        other. But it may be the disk that fails, and what is left half-made is in the way of the
        next try: what can't be wiped goes all the same.

        A freeze may have died on its way; once the snapshots are gone, nothing tells of it.

        :raises LVMError: one is in use, or LVM failed; others may be gone.
        """
        self.let_go(volumes)
        try:
            volumes = self._split(volumes)
        except errors.LVMError as error:
            LOG.warning("Removing snapshots as they are: %s", error)
            volumes = _as_found(volumes, self._group.volumes())
        for volume in volumes:
            try:
                self._wipe(volume)
            except errors.LVMError as error:
                LOG.warning("Removing %s although it is not wiped: %s", volume.name, error)
        self._remove(volumes)

    def set_aside(self, volumes: Sequence[commands.LogicalVolume]) -> list[str]:
        """Give half-made volumes that are to be wiped names in nobody's way, and remove others.

        Gives back the new names. Those set aside before keep theirs.
        """
        self.let_go(volumes)
        slow = [volume for volume in volumes if self._is_wiped(volume)]
        self._split(slow)
        renamed = {
            volume.name: f"{_ASIDE}{uuid.uuid4()}"
            for volume in slow
            if not volume.name.startswith(_ASIDE)
        }
        if renamed:
            self._group.make(
                [["lvrename", self._group.name, *pair] for pair in renamed.items()],
                list(renamed.values()),
            )
        self.remove_half_made([volume for volume in volumes if volume not in slow])
        return [renamed.get(volume.name, volume.name) for volume in slow]

    def let_go(self, snapshots: Sequence[commands.LogicalVolume]) -> None:
        """Resume the sources of half-made snapshots, should a freeze have left them held."""
        pairs = [(v.origin, v.device_name) for v in snapshots if v.origin]
        if not pairs:
            return
        resumed = retake.let_go(
            self._group.name,
            self._group.locking_dir,
            [commands.device_name(self._group.name, origin) for origin, _device in pairs],
            [device for _origin, device in pairs],
        )
        if resumed:
            LOG.warning("Resumed devices that a freeze had left suspended: %s", resumed)

    def _split(self, volumes: Sequence[commands.LogicalVolume]) -> Sequence[commands.LogicalVolume]:
        """Take those that are thick snapshots, and wiped, off their origins.

        What is left of each is its copy-on-write store, a volume of the same name: gives all back
        as they are then. Nothing of the origin gets into a store after it was wiped, and the
        origin's writes don't wait for copies to it. A store is marked as half-made, so that nobody
        takes it for the snapshot.

        :raises LVMError: one is in use, or LVM failed; others may be off.
        """
        snapshots = [volume for volume in volumes if volume.origin and self._is_wiped(volume)]
        if not snapshots:
            return volumes
        unmarked = [v.name for v in snapshots if not leftovers.unfinished_of(v.tags)]
        self._group.retag(unmarked, leftovers.unfinished_tag())
        names = [volume.name for volume in snapshots]
        complaint = self._group.run_all(
            [
                ["lvconvert", "--yes", "--splitsnapshot", name]
                for name in self._group.qualified(names)
            ]
        )
        found = self._group.volumes()
        if left := [name for name in names if name in found and found[name].origin]:
            still = [name for name in unmarked if name in left]
            self._group.retag(still, leftovers.unfinished_tag(), remove=True)
            raise errors.LVMError(f"{', '.join(left)} not split from its origin: {complaint}")
        return _as_found(volumes, found)

    def _remove(self, volumes: Sequence[commands.LogicalVolume]) -> None:
        # An origin takes its snapshots along: LVM would not find them.
        for batch in ([v for v in volumes if v.origin], [v for v in volumes if not v.origin]):
            if batch:
                names = self._group.qualified(volume.name for volume in batch)
                self._group.run("lvremove", "--force", "--yes", *names)

    def _is_wiped(self, volume: commands.LogicalVolume) -> bool:
        return volume.pool is None and self._settings.clear_size is not None

    def _wipe(self, volume: commands.LogicalVolume) -> None:
        """Wipe a thick volume, or the store of a snapshot that was split from its origin."""
        if volume.origin or not self._is_wiped(volume):
            return
        if not volume.active:
            self._group.activate([volume.name])
        size = volume.allocated
        if self._settings.clear_size:
            size = min(size, self._settings.clear_size * _MIB)
        contents.clear(volume.path, 0, size, self._settings.clear_ionice)


def _as_found(
    volumes: Sequence[commands.LogicalVolume], found: Mapping[str, commands.LogicalVolume]
) -> list[commands.LogicalVolume]:
    """The volumes as LVM tells of them now."""
    return [found.get(volume.name, volume) for volume in volumes]
