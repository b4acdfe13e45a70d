# SPDX-License-Identifier: Apache-2.0
"""How copies are made in one volume group, in one thin pool or thick: LVM's commands and copying.

What makes them of one instant, and complete or gone as one, is the business of ``together``.
"""

import dataclasses
from collections.abc import Iterable, Mapping, Sequence

from cg_extension.drivers.lvm import (
    commands,
    contents,
    errors,
    machine,
    model,
    receipts,
    removal,
    retake,
    sets,
)
from cg_extension.drivers.lvm.model import Copy
from cg_extension.drivers.lvm.reports import LogicalVolume


@dataclasses.dataclass(frozen=True, slots=True)
class Part:
    """What is to be made in one volume group, in one pool or thick.

    :param seen: the group's volumes, hidden ones as well, as they were just now; None: not known.
        Spares reports before anything is made; what is made is checked under the group's lock.
    """

    maker: "Maker"
    copies: Sequence[Copy]
    seen: Mapping[str, LogicalVolume] | None = None

    @property
    def targets(self) -> list[str]:
        """The names of what is made."""
        return [copy.target for copy in self.copies]


class Maker:
    """Makes volumes and snapshots by an engine's settings."""

    def __init__(self, settings: model.Settings, group: commands.VolumeGroup) -> None:
        self.settings = settings
        self.group = group
        self.removal = removal.Removal(settings, group)

    @property
    def is_thin(self) -> bool:
        """Whether volumes are made in a pool."""
        return self.settings.pool is not None

    def device_path(self, name: str) -> str:
        """The path of a volume's device, which is there while the volume is active."""
        return f"/dev/mapper/{commands.device_name(self.group.name, name)}"

    def look_for(
        self, targets: Sequence[str]
    ) -> tuple[bool, list[LogicalVolume], Mapping[str, LogicalVolume]]:
        """Whether an earlier run has made all of these, and finished; those there; all volumes.

        :raises Refusal: a target's name belongs to a volume that the engine did not make.
        """
        volumes = self.group.volumes()
        there = [volumes[name] for name in targets if name in volumes]
        if foreign := [volume.name for volume in there if sets.OWNED not in volume.tags]:
            raise errors.Refusal(f"there already: {', '.join(foreign)} in {self.group.name}")
        done = len(there) == len(targets) and not any(map(sets.is_doomed, there))
        return done, there, volumes

    def retake_part(self, copies: Sequence[Copy], mark: str = "") -> retake.Part:
        """What the re-take has to know of these copies."""
        return retake.Part(
            volume_group=self.settings.volume_group,
            pairs=[(copy.source, copy.target) for copy in copies],
            data_limit=self.settings.data_limit,
            metadata_limit=self.settings.metadata_limit,
            mark=mark,
        )

    def make_snapshots(
        self,
        copies: Sequence[Copy],
        arguments: Mapping[str, Sequence[str]],
        mark: str,
        volumes_to_be: bool,
    ) -> None:
        """Have LVM make snapshots, each at its own moment.

        :param arguments: by source, those of ``lvcreate`` that it needs.
        """
        self.group.make(
            self.snapshot_commands(copies, arguments, mark, volumes_to_be),
            dict.fromkeys([copy.target for copy in copies], mark),
        )

    def snapshot_commands(
        self,
        copies: Sequence[Copy],
        arguments: Mapping[str, Sequence[str]],
        mark: str,
        volumes_to_be: bool,
    ) -> list[list[str]]:
        """LVM's commands for ``make_snapshots``."""
        return [
            self._snapshot_command(copy, mark, volumes_to_be, arguments.get(copy.source, ()))
            for copy in copies
        ]

    def _snapshot_command(
        self, copy: Copy, mark: str, volume_to_be: bool, arguments: Sequence[str] = ()
    ) -> list[str]:
        tags = tag_arguments([sets.OWNED, mark, *copy.tags])
        command = ["lvcreate", "--yes", "--snapshot", "--name", copy.target, *tags]
        command += arguments
        if self.settings.pool is None:
            command += ["--extents", f"{self.settings.cow_percent}%ORIGIN"]
        else:
            # A snapshot that nobody uses needs no device; without one its id can be deleted.
            skip = "n" if volume_to_be else "y"
            command += ["--activate", "n", "--setactivationskip", skip]
        return [*command, *self.group.qualified([copy.source])]

    def new_volume_arguments(self, name: str, size: int, tags: Sequence[str]) -> list[str]:
        """Arguments of ``lvcreate`` for an empty volume of ``size`` bytes."""
        arguments = ["--yes", "--name", name, *tag_arguments([sets.OWNED, *tags])]
        if self.settings.pool:
            (pool,) = self.group.qualified([self.settings.pool])
            return [*arguments, "--virtualsize", f"{size}b", "--thin", pool]
        return [
            *arguments,
            *("--wipesignatures", "n", "--zero", "n", "--size", f"{size}b"),
            self.group.name,
        ]

    def check_restorable(self, copies: Sequence[Copy]) -> None:
        """See to it that the sources are whole snapshots.

        :raises Refusal: one is not there, or its copy-on-write store has overflowed.
        """
        volumes = self.group.volumes(status=not self.is_thin)
        for copy in copies:
            if copy.source not in volumes:
                raise errors.Refusal(f"there is no {copy.source} in {self.group.name}")
            if sets.is_doomed(volumes[copy.source]):
                raise errors.Refusal(f"{copy.source} is half-made: it may be of any moment")
            if volumes[copy.source].invalid:
                raise errors.Refusal(
                    f"the copy-on-write store of {copy.source} overflowed; its content is lost"
                )

    def make_thick(self, copies: Sequence[Copy], mark: str) -> list[tuple[str, str, int]]:
        """Make thick volumes for copies of sources, which nobody writes to.

        Gives back the devices of source and target, and the bytes to copy, of each.
        """
        volumes = self.group.volumes()
        sizes = {copy.target: max(copy.size or 0, volumes[copy.source].size) for copy in copies}
        self.group.activate([copy.source for copy in copies if not volumes[copy.source].active])
        self.group.make(
            [
                [
                    "lvcreate",
                    *self.new_volume_arguments(copy.target, sizes[copy.target], [mark, *copy.tags]),
                ]
                for copy in copies
            ],
            dict.fromkeys(sizes, mark),
        )
        return [
            (
                self.device_path(copy.source),
                self.device_path(copy.target),
                volumes[copy.source].size,
            )
            for copy in copies
        ]

    def finish_thick(self, copies: Sequence[Copy]) -> None:
        """Clear what lies beyond the copied, and see to it that the sources were whole to the end.

        :raises LVMError: a source's copy-on-write store overflowed meanwhile.
        """
        volumes = self.group.volumes(status=True)
        for copy in copies:
            copied, size = volumes[copy.source].size, volumes[copy.target].size
            if copy.size:
                contents.clear(self.device_path(copy.target), copied, size - copied)
        if lost := sorted(copy.source for copy in copies if volumes[copy.source].invalid):
            raise errors.LVMError(
                f"the copy-on-write store overflowed while copying: {', '.join(lost)}"
            )

    def source_tags(self, source: str) -> list[str]:
        """The tag of what is made of an active volume, for its receipt."""
        uuid = machine.volume_uuid(self.device_path(source))
        return [receipts.source_tag(uuid)] if uuid else []

    def extend(self, copies: Sequence[Copy]) -> None:
        """Make new volumes as large as is wanted."""
        volumes = self.group.volumes()
        larger = {c.target: c.size for c in copies if c.size and c.size > volumes[c.target].size}
        if not larger:
            return
        complaint = self.group.run_all(
            [
                ["lvextend", "--size", f"{size}b", *self.group.qualified([target])]
                for target, size in larger.items()
            ]
        )
        volumes = self.group.volumes()
        if small := [target for target, size in larger.items() if volumes[target].size < size]:
            raise errors.LVMError(f"{', '.join(small)} not extended: {complaint}")


def tag_arguments(tags: Iterable[str]) -> list[str]:
    """Arguments of LVM's commands that give a volume these tags."""
    return [word for tag in tags for word in ("--addtag", tag)]
