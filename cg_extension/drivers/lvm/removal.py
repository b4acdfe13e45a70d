# SPDX-License-Identifier: Apache-2.0
"""Removing volumes and snapshots: those that are no longer wanted, and those left half-made.

Which ones, and when, is up to the engine.
"""

import logging
import threading
from collections.abc import Iterable, Mapping, Sequence

from cg_extension.drivers import polling, steps
from cg_extension.drivers.lvm import (
    commands,
    contents,
    device_mapper,
    errors,
    kinds,
    model,
    privileged,
    retake,
    sets,
    vg_lock,
)

LOG = logging.getLogger(__name__)

_MIB = 1 << 20
# Prefix of the names of volumes that wait to be wiped and removed.
_ASIDE = "cggone-"
# Seconds that lvremove waits for a device that is open (OPEN_COUNT_CHECK_RETRIES in LVM).
_PATIENCE = 5.0


class Removal:
    """Removes volumes of one volume group, by the engine's settings."""

    def __init__(self, settings: model.Settings, group: commands.VolumeGroup) -> None:
        self._settings = settings
        self.group = group
        # Sets of temporary snapshots that could not be removed.
        self._left: set[str] = set()
        # Tags that could not be taken off, of sets of which nothing is left.
        self._left_marks: set[str] = set()
        self._left_lock = threading.RLock()

    def delete(self, names: Iterable[str]) -> None:
        """Wipe, if thick, and remove volumes and snapshots; those not there count as removed.

        All of them go or none: what a failure or a crash leaves of them is doomed (``sets``), and
        goes when this is called again or at the next start.

        :raises Refusal: one has snapshots that LVM would remove with it and that are not among
            ``names``, or is to be wiped and has a cache.
        :raises LVMError: one is in use (then all of them stay), or LVM failed.
        """
        gone, volumes = self.look_at(names)
        mark = self._doom(gone, volumes)
        try:
            self.take_out(gone)
        except errors.LVMError:
            if mark and self.are_whole(gone):
                self.group.change_tags(remove=[mark])
            raise
        if gone and mark is None:
            self._flush()
        self.settle(gone, volumes, mark)

    def look_at(
        self, names: Iterable[str]
    ) -> tuple[list[commands.LogicalVolume], Mapping[str, commands.LogicalVolume]]:
        """Those of the volumes that are there, all of which can be removed, and all volumes.

        :raises Refusal: as ``delete``.
        :raises LVMError: one is in use.
        """
        self._discard_left()
        wanted = dict.fromkeys(names)
        volumes = self.group.volumes()
        gone = [volumes[name] for name in wanted if name in volumes]
        for volume in volumes.values():
            origin = volumes.get(volume.origin or "") if volume.origin in wanted else None
            if origin and volume.name not in wanted and _goes_with(volume, origin):
                raise errors.Refusal(f"{origin.name} has a snapshot: {volume.name}")
        # Zeros would end up in the cache, and leave the data in the volume below it.
        if cached := [v.name for v in gone if self._is_wiped(v) and v.traits & kinds.CACHED]:
            raise errors.Refusal(
                f"{', '.join(sorted(cached))} has a cache, which would not be wiped: take it off "
                "(lvconvert --splitcache) and wipe it"
            )
        self._check_not_in_use(gone)
        return gone, volumes

    def take_out(self, gone: Sequence[commands.LogicalVolume]) -> None:
        """Wipe, if thick, and remove volumes that are doomed.

        :raises LVMError: LVM failed; others may be gone.
        """
        split = self._split(gone)
        for volume in split:
            self._wipe(volume)
        self._remove(split)

    def discard(self, name: str, mark: str | None = None) -> bool:
        """Remove what there is of a set; what can't be removed now is left, for ``recover``.

        Tells whether all of it is gone.

        :param mark: the volume group's tag that dooms it; None: that of a set of this group alone.
        """
        mark = mark or sets.mark(sets.BEGUN, name)
        try:
            commands.wait_for_all()  # our helper may have been killed while lvm made them
            volumes = self.group.volumes()
            members = [volume for volume in volumes.values() if name in sets.names(volume)]
            self.remove_half_made(members, volumes)
            if not members:
                self.group.change_tags(remove=[mark])
        except errors.LVMError as error:
            LOG.warning("Left to be removed later: set %s: %s", name, error)
            return False
        return True

    def discard_temporaries(self, name: str) -> None:
        """Remove a set of snapshots of which no caller knows, now or before the next ``delete``.

        A thick volume with a snapshot could not be deleted until the next start otherwise.
        """
        if not self.discard(name):
            with self._left_lock:
                self._left.add(name)

    def _discard_left(self) -> None:
        with self._left_lock:
            self._left = {name for name in self._left if not self.discard(name)}

    def remove_half_made(
        self,
        wanted: Sequence[commands.LogicalVolume],
        volumes: Mapping[str, commands.LogicalVolume],
    ) -> None:
        """Wipe, if thick and if that works, and remove what is of no use to anyone.

        A copy that was cut short, and the store of a snapshot, hold a volume's data like any
        other. But the disk itself may be failing, and what is left half-made is in the way of the
        next try: what can't be wiped is removed all the same.

        Sources that a dead freeze has left held are resumed first: without the snapshots nothing
        would tell of them.

        :param volumes: all volumes of the group.
        :raises LVMError: one is in use, or LVM failed; others may be gone.
        """
        if not wanted:
            return
        self.let_go(wanted)
        self._check_not_in_use(wanted)
        mark = self._doom(wanted, volumes)
        try:
            split = self._split(wanted)
        except errors.LVMError as error:
            LOG.warning("Removing snapshots as they are: %s", error)
            split = _as_found(wanted, self.group.volumes())
        for volume in split:
            try:
                self._wipe(volume)
            except errors.LVMError as error:
                LOG.warning("Removing %s although it is not wiped: %s", volume.name, error)
        self._remove_newest_first(split)
        self.settle(wanted, volumes, mark)

    def set_aside(
        self,
        wanted: Sequence[commands.LogicalVolume],
        volumes: Mapping[str, commands.LogicalVolume],
    ) -> list[str]:
        """Rename half-made volumes that have to be wiped, out of the way, and remove the others.

        Gives back the new names. Those set aside before keep theirs. What is in use, or can't be
        removed for another reason, stays doomed and is left to the next start: it must not keep
        anyone from work.

        :param volumes: all volumes of the group.
        """
        if not wanted:
            return []
        self.let_go(wanted)
        mark = self._doom(wanted, volumes)
        if used := self._in_use(wanted):
            LOG.warning("Left to the next start, as they are in use: %s", used)
            wanted = [volume for volume in wanted if volume.name not in used]
        slow = [volume for volume in wanted if self._is_wiped(volume)]
        try:
            self._split(slow)
        except errors.LVMError as error:
            LOG.warning("To be wiped later: %s", error)
        renamed = {
            volume.name: commands.new_name(_ASIDE) for volume in slow if not is_set_aside(volume)
        }
        self.group.rename(renamed)
        quick = [volume for volume in wanted if volume not in slow]
        try:
            self._remove_newest_first(quick)
            self.settle(quick, volumes, None if slow or used else mark)
        except errors.LVMError as error:
            LOG.warning("Left to the next start: %s", error)
        return [renamed.get(volume.name, volume.name) for volume in slow]

    def wipe_aside(self, name: str) -> None:
        """Wipe and remove a volume that was set aside; what fails is left to the next start."""
        try:
            volumes = self.group.volumes()
            if name in volumes:
                self.remove_half_made([volumes[name]], volumes)
        except errors.LVMError as error:
            LOG.warning("Left to be removed later: %s: %s", name, error)

    def _doom(
        self,
        wanted: Sequence[commands.LogicalVolume],
        volumes: Mapping[str, commands.LogicalVolume],
    ) -> str | None:
        """Doom volumes, all at once (``sets``); gives the new tag, or None if none is needed.

        A single volume that is not wiped needs none: it goes all at once in any case.
        """
        if all(map(sets.is_marked, wanted)):
            return None
        if len(wanted) == 1 and not self._is_wiped(wanted[0]):
            return None
        name = min(sets.common(wanted, volumes.values()), default=None) or self.name_set(wanted)
        mark = sets.mark(sets.GOING, name)
        self.group.change_tags(add=[mark])
        self._flush()  # before anything is wiped
        steps.checkpoint("lvm.going")
        return mark

    def name_set(self, wanted: Sequence[commands.LogicalVolume], name: str | None = None) -> str:
        """Make volumes a set; gives back its name."""
        name = name or sets.new()
        self.group.retag([volume.name for volume in wanted], sets.member_tag(name))
        steps.checkpoint("lvm.named")
        return name

    def _flush(self) -> None:
        """Let nothing that is removed come back after a power cut, unless a disk is failing."""
        try:
            self.group.flush()
        except errors.LVMError as error:
            LOG.warning("A power cut may bring back what is removed now: %s", error)

    def settle(
        self,
        gone: Sequence[commands.LogicalVolume],
        volumes: Mapping[str, commands.LogicalVolume],
        mark: str | None,
    ) -> bool:
        """Take the marks off those sets of which nothing is left, now that these are gone.

        Tells whether that is done; what can't be taken off now is left for later.

        :param volumes: all volumes as they were before.
        :param mark: a tag that was put on since, for these alone.
        """
        steps.checkpoint("lvm.removed")
        names = {volume.name for volume in gone}
        left = [volume for volume in volumes.values() if volume.name not in names]
        ended = _sets_of(gone) - _sets_of(left)
        marks = {mark} if mark else set()
        for volume in gone:
            marks |= sets.marks(volume.group_tags, ended)
        with self._left_lock:
            marks |= self._left_marks
            self._left_marks = set()
        if not marks:
            return True
        try:
            self.group.change_tags(remove=sorted(marks))
        except errors.LVMError as error:
            LOG.warning("Tags left to be taken off later: %s: %s", sorted(marks), error)
            with self._left_lock:
                self._left_marks |= marks
            return False
        return True

    def are_whole(self, wanted: Sequence[commands.LogicalVolume]) -> bool:
        """Whether volumes whose removal failed are all there and as they were."""
        found = self.group.volumes()
        return all(
            volume.name in found
            and found[volume.name].origin == volume.origin
            # A snapshot is not wiped before it is split from its origin; others may be by now.
            and (volume.origin or not self._is_wiped(volume))
            for volume in wanted
        )

    def _check_not_in_use(self, volumes: Iterable[commands.LogicalVolume]) -> None:
        """:raises LVMError: one is in use, which must be known before anything is wiped."""
        if used := self._in_use(volumes):
            raise errors.LVMError(f"in use: {', '.join(used)}")

    def _in_use(self, volumes: Iterable[commands.LogicalVolume]) -> list[str]:
        """The names of those that someone keeps open, as lvremove would find half-way."""
        names = {volume.device_name: volume.name for volume in volumes if volume.active}
        return [names[device] for device in kept_open(list(names))]

    def let_go(self, snapshots: Sequence[commands.LogicalVolume]) -> None:
        """Resume the sources of half-made snapshots, should a freeze have left them held."""
        pairs = [(v.origin, v.device_name) for v in snapshots if v.origin]
        if not pairs:
            return
        resumed = retake.let_go(
            self.group.name,
            vg_lock.directory(self.group.system_dir),
            [commands.device_name(self.group.name, origin) for origin, _device in pairs],
            [device for _origin, device in pairs],
        )
        if resumed:
            LOG.warning("Resumed devices that a freeze had left suspended: %s", resumed)

    def _split(self, volumes: Sequence[commands.LogicalVolume]) -> Sequence[commands.LogicalVolume]:
        """Split thick snapshots that are to be wiped from their origins.

        What is left of each is its copy-on-write store, a volume of the same name: gives back all
        volumes as they are then. So nothing of the origin gets into a store after it was wiped,
        and the origin's writes don't wait for copies to it. All are doomed already, so that nobody
        takes a store for the snapshot.

        :raises LVMError: one is in use, or LVM failed; others may be split.
        """
        snapshots = [volume for volume in volumes if volume.origin and self._is_wiped(volume)]
        if not snapshots:
            return volumes
        names = [volume.name for volume in snapshots]
        complaint = self.group.run_all(
            [
                ["lvconvert", "--yes", "--splitsnapshot", name]
                for name in self.group.qualified(names)
            ]
        )
        found = self.group.volumes()
        if left := [name for name in names if name in found and found[name].origin]:
            raise errors.LVMError(f"{', '.join(left)} not split from its origin: {complaint}")
        return _as_found(volumes, found)

    def _remove(self, volumes: Sequence[commands.LogicalVolume]) -> None:
        """Remove volumes that are there still; to wipe them may have taken hours."""
        if any(map(self._is_wiped, volumes)):
            there = self.group.volumes()
            volumes = [v for v in volumes if v.name in there and there[v.name].uuid == v.uuid]
        # Snapshots first: LVM removes them along with their origin, and then would not find them.
        for batch in ([v for v in volumes if v.origin], [v for v in volumes if not v.origin]):
            if batch:
                names = self.group.qualified(volume.name for volume in batch)
                try:
                    self.group.run("lvremove", "--force", "--yes", *names)
                except errors.LVMError:
                    found = self.group.volumes()
                    if any(volume.name in found for volume in batch):
                        raise

    def _remove_newest_first(self, volumes: Sequence[commands.LogicalVolume]) -> None:
        """``_remove``, for thin volumes that LVM may have been making when it was killed.

        The newest may then stand in LVM's metadata as still to be made, although the pool has it.
        Removed by a command of its own it goes; in one command with others LVM (2.03.31) takes a
        delete for done that the pool never gets, and can make no volume in the pool any more, as
        the pool has its id already. LVM gives a new volume the highest id.
        """
        thin = [volume for volume in volumes if volume.thin_id is not None]
        newest = max(thin, key=lambda volume: volume.thin_id or 0, default=None)
        if newest is not None:
            self._remove([newest])
        self._remove([volume for volume in volumes if volume is not newest])

    def _is_wiped(self, volume: commands.LogicalVolume) -> bool:
        return volume.pool is None and self._settings.clear_size is not None

    def _wipe(self, volume: commands.LogicalVolume) -> None:
        """Wipe a thick volume, or the store of a snapshot that was split from its origin."""
        if volume.origin or not self._is_wiped(volume):
            return
        if not volume.active:
            self.group.activate([volume.name])
        size = volume.allocated
        if self._settings.clear_size:
            size = min(size, self._settings.clear_size * _MIB)
        contents.clear(volume.path, 0, size, self._settings.clear_ionice, volume.uuid)


@privileged.entrypoint
def kept_open(devices: list[str]) -> list[str]:
    """The devices of those that are still open after the time that LVM itself would wait for them.

    udev opens a device for a moment after each change.
    """
    with device_mapper.Control() as control:

        def still_open() -> list[str]:
            return [device for device in devices if control.is_open(device)]

        polling.until(lambda: not still_open(), _PATIENCE, pause=0.1)
        return still_open()


def is_set_aside(volume: commands.LogicalVolume) -> bool:
    """Whether it was renamed out of the way, and goes as soon as it is wiped."""
    return volume.name.startswith(_ASIDE)


def _goes_with(volume: commands.LogicalVolume, origin: commands.LogicalVolume) -> bool:
    """Whether LVM would remove a snapshot along with its origin.

    A thick one, of a thick or thin volume; a thin one only of an origin outside its pool
    ("external", lvmthin(7)), whose blocks it shares.
    """
    return volume.pool is None or volume.pool != origin.pool


def _sets_of(volumes: Iterable[commands.LogicalVolume]) -> set[str]:
    return {name for volume in volumes for name in sets.names(volume)}


def _as_found(
    volumes: Sequence[commands.LogicalVolume], found: Mapping[str, commands.LogicalVolume]
) -> list[commands.LogicalVolume]:
    """The volumes as LVM tells of them now."""
    return [found.get(volume.name, volume) for volume in volumes]
