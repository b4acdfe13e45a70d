# SPDX-License-Identifier: Apache-2.0
"""Removing volumes and snapshots: those that are no longer wanted, and those left half-made.

Which ones, and when, is up to the engine.
"""

import uuid
from collections.abc import Iterable, Sequence

from oslo_log import log as logging

from cg_extension.drivers.lvm import commands, contents, errors, leftovers, model, retake

LOG = logging.getLogger(__name__)

_MIB = 1 << 20
# Of volumes that wait to be wiped and removed.
_ASIDE = "cggone-"


class Removal:
    """How volumes of one volume group go, by the engine's settings."""

    def __init__(self, settings: model.Settings, group: commands.VolumeGroup) -> None:
        self._settings = settings
        self._group = group

    def delete(self, names: Iterable[str]) -> None:
        """Wipe, if thick, and remove volumes and snapshots; those not there count as removed.

        :raises Refusal: a thick volume has snapshots that are not among ``names``.
        :raises LVMError: one is in use, or LVM failed; others may be gone.
        """
        wanted = set(names)
        volumes = self._group.volumes()
        gone = [volumes[name] for name in wanted if name in volumes]
        thick = {volume.name for volume in gone if volume.pool is None}
        for volume in volumes.values():
            if volume.origin in thick and volume.pool is None and volume.name not in wanted:
                raise errors.Refusal(f"{volume.origin} has a snapshot: {volume.name}")
        # Snapshots first: what is wiped off their origin would be copied into them.
        for batch in ([v for v in gone if v.origin], [v for v in gone if not v.origin]):
            for volume in batch:
                self._wipe(volume)
            self._remove(batch)

    def discard(self, names: Sequence[str]) -> None:
        """Remove what is there; what can't be removed now stays marked, for ``recover``."""
        try:
            volumes = self._group.volumes()
            there = [volumes[name] for name in names if name in volumes]
            self.remove_half_made([volume for volume in there if leftovers.OWNED in volume.tags])
        except errors.LVMError as error:
            LOG.warning("Left for the next start to remove: %s: %s", list(names), error)

    def remove_half_made(self, volumes: Sequence[commands.LogicalVolume]) -> None:
        """Wipe, if thick and if that works, and remove what is of no use to anyone.

        A copy that was cut short, and the store of a snapshot, hold a volume's data like any
        other. But it may be the disk that fails, and what is left half-made is in the way of the
        next try: what can't be wiped goes all the same.

        A freeze may have died on its way; once the snapshots are gone, nothing tells of it.

        :raises LVMError: one is in use, or LVM failed; others may be gone.
        """
        self.let_go(volumes)
        for batch in ([v for v in volumes if v.origin], [v for v in volumes if not v.origin]):
            for volume in batch:
                try:
                    self._wipe(volume)
                except errors.LVMError as error:
                    LOG.warning("Removing %s although it is not wiped: %s", volume.name, error)
            self._remove(batch)

    def set_aside(self, volumes: Sequence[commands.LogicalVolume]) -> list[str]:
        """Give half-made volumes that are to be wiped names in nobody's way, and remove others.

        Gives back the new names. Those set aside before keep theirs.
        """
        self.let_go(volumes)
        slow = [volume for volume in volumes if self._is_wiped(volume)]
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
        # Snapshots first, as everywhere.
        slow.sort(key=lambda volume: volume.origin is None)
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

    def _remove(self, volumes: Sequence[commands.LogicalVolume]) -> None:
        if volumes:
            names = self._group.qualified(volume.name for volume in volumes)
            self._group.run("lvremove", "--force", "--yes", *names)

    def _is_wiped(self, volume: commands.LogicalVolume) -> bool:
        return volume.pool is None and self._settings.clear_size is not None

    def _wipe(self, volume: commands.LogicalVolume) -> None:
        if not self._is_wiped(volume):
            return
        if not volume.active:
            self._group.activate([volume.name])
        # A thick snapshot's data is in its store; wiping the snapshot would write there, too.
        device = volume.path + ("-cow" if volume.origin else "")
        size = volume.allocated
        if self._settings.clear_size:
            size = min(size, self._settings.clear_size * _MIB)
        contents.clear(device, 0, size, self._settings.clear_ionice)
