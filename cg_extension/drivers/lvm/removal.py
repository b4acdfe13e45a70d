# SPDX-License-Identifier: Apache-2.0
"""Removing volumes and snapshots: those that are no longer wanted, and those left half-made.

Which ones, and when, is up to the engine.
"""

from collections.abc import Iterable, Sequence

from oslo_log import log as logging

from cg_extension.drivers.lvm import commands, contents, errors, leftovers, model

LOG = logging.getLogger(__name__)

_MIB = 1 << 20


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

        :raises LVMError: one is in use, or LVM failed; others may be gone.
        """
        for batch in ([v for v in volumes if v.origin], [v for v in volumes if not v.origin]):
            for volume in batch:
                try:
                    self._wipe(volume)
                except errors.LVMError as error:
                    LOG.warning("Removing %s although it is not wiped: %s", volume.name, error)
            self._remove(batch)

    def _remove(self, volumes: Sequence[commands.LogicalVolume]) -> None:
        if volumes:
            names = self._group.qualified(volume.name for volume in volumes)
            self._group.run("lvremove", "--force", "--yes", *names)

    def _wipe(self, volume: commands.LogicalVolume) -> None:
        if volume.pool or self._settings.clear_size is None:
            return
        if not volume.active:
            self._group.activate([volume.name])
        # A thick snapshot's data is in its store; wiping the snapshot would write there, too.
        device = volume.path + ("-cow" if volume.origin else "")
        size = volume.allocated
        if self._settings.clear_size:
            size = min(size, self._settings.clear_size * _MIB)
        contents.clear(device, 0, size, self._settings.clear_ionice)
