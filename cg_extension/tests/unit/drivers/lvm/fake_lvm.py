# SPDX-License-Identifier: Apache-2.0
"""A volume group in memory, that takes the engine's commands and can be cut after each commit.

What LVM commits in one step is one step here: a volume made, removed, renamed, split or tagged,
the volume group's tags changed. Wiping, copying and the re-take are steps, too. LVM's own data may
be lost when it was not flushed, but what was written to volumes may not.
"""

import contextlib
import copy
import dataclasses
import datetime
import itertools
import json
import shlex
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any
from unittest import mock

import fixtures

from cg_extension.drivers.lvm import (
    at_work,
    commands,
    contents,
    errors,
    machine,
    privileged,
    removal,
    reports,
    retake,
    rollback,
    sets,
    vg_lock,
)

MIB = 1 << 20


class Cut(BaseException):
    """The power failed, or the caller was killed."""


@dataclasses.dataclass
class Volume:
    """``content`` names what it holds: of one instant what was taken at one.

    ``invalid``: a store that overflowed. ``percents`` of a pool's data and metadata are in use.
    """

    tags: set[str]
    pool: str | None = None
    origin: str | None = None
    size: int = MIB
    content: str = "zeros"
    is_pool: bool = False
    active: bool = True
    skips_activation: bool = False
    invalid: bool = False
    layout: str = "linear"
    percents: tuple[float, float] = (0.0, 0.0)
    # Whatever it is called.
    identity: int = dataclasses.field(default_factory=itertools.count().__next__)


@dataclasses.dataclass
class Group:
    """A volume group; ``flushed`` is what its disks would have after a power cut.

    ``seqno`` is what tells whether others have changed it.
    """

    seqno: int = 1
    volumes: dict[str, Volume] = dataclasses.field(default_factory=dict)
    tags: set[str] = dataclasses.field(default_factory=set)
    flushed: tuple[dict[str, Volume], set[str]] = dataclasses.field(
        default_factory=lambda: ({}, set())
    )


class FakeLVM(fixtures.Fixture):
    """Stands in for all that the engine has done as root."""

    def __init__(self, thin: bool, groups: Sequence[str] = ("vg",)) -> None:
        self.thin = thin
        self.groups = {name: Group() for name in groups}
        # Those that are not there now.
        self.missing: set[str] = set()
        self.in_use: set[str] = set()
        self.processes = 0
        # Whether the helper dies at the first command of the next script; the rest of that.
        self.helper_dies = False
        self.orphan = ""
        self.instants = 0
        # Bytes of an extent.
        self.extent = MIB
        # Bytes that are free in each volume group.
        self.free = 1 << 40
        self.now = datetime.datetime(2026, 1, 1, tzinfo=datetime.UTC)
        self.restart()
        if thin:
            self.volumes["pool"] = Volume(set(), is_pool=True)
        for name in groups:
            self._flush([f"/dev/{name}"])

    def _setUp(self) -> None:
        privileged.run_in_process()
        for module, name, stand_in in (
            (commands, "lvm", self._lvm),
            (commands, "flush", self._flush),
            (contents, "clear", self._clear),
            (contents, "copy_all", self._copy_all),
            (retake, "check", self._check),
            (retake, "retake", self._retake),
            (retake, "let_go", lambda *_: []),
            (vg_lock, "directory", lambda _system_dir: "/nowhere"),
            (removal, "kept_open", self._kept_open),
            (rollback, "_check_pool", lambda *_: None),
            (machine, "volume_uuid", self._uuid_at),
            (at_work, "wait_for_all", self._wait_for_all),
            (at_work, "alone", mock.MagicMock()),
            (at_work, "claimed", mock.MagicMock()),
            (sets, "process", lambda _pid: f"0-1-{self.boots}"),
        ):
            self.useFixture(fixtures.MockPatchObject(module, name, stand_in))

    @contextlib.contextmanager
    def unseen_use(self) -> Iterator[None]:
        """Let LVM alone find what is in use, as when someone comes just before it."""
        with mock.patch.object(removal, "kept_open", return_value=[]):
            yield

    @contextlib.contextmanager
    def failing(self, word: str) -> Iterator[None]:
        """Let commands fail that have this word."""

        def run(words: list[str]) -> str | None:
            if word in words:
                raise errors.LVMError("made to fail")
            return real(words)

        real = self._run
        with mock.patch.object(self, "_run", run):
            yield

    # Cuts

    boots = 0

    def restart(self) -> None:
        """From now on it is another process that works, and nothing is cut."""
        self.boots += 1
        self.left: int | None = None
        self.kill = False

    def cut_after(self, steps: int, kill: bool) -> None:
        """Cut after so many steps; with ``kill``, the ``lvm`` that is under way ends first."""
        self.left = steps
        self.kill = kill

    def is_cut(
        self, steps: int, kill: bool, call: Callable[[], object], loses: Iterable[str] = ()
    ) -> bool:
        """Whether a call is cut after so many steps; then, or at its end, another process works.

        :param loses: the groups whose disks lose what was not flushed.
        """
        self.cut_after(steps, kill)
        try:
            call()
        except Cut:
            return True
        finally:
            self.lose_cache(loses)
            self.restart()
        return False

    def lose_cache(self, names: Iterable[str] = ("vg",)) -> None:
        """As these groups' disks do at a power cut."""
        for group in (self.groups[name] for name in names):
            volumes, group.tags = copy.deepcopy(group.flushed)
            written = {volume.identity: volume.content for volume in group.volumes.values()}
            for volume in volumes.values():
                volume.content = written.get(volume.identity, volume.content)
            group.volumes = volumes

    def _flush(self, devices: list[str]) -> None:
        for device in devices:
            group = self.groups[device.removeprefix("/dev/")]
            group.flushed = copy.deepcopy((group.volumes, group.tags))

    @property
    def volumes(self) -> dict[str, Volume]:
        """Those of the first volume group."""
        return next(iter(self.groups.values())).volumes

    @property
    def tags(self) -> set[str]:
        """Those of the first volume group."""
        return next(iter(self.groups.values())).tags

    @tags.setter
    def tags(self, tags: set[str]) -> None:
        next(iter(self.groups.values())).tags = tags

    def _group(self, name: str) -> Group:
        if name in self.missing:
            raise errors.LVMError(f"volume group {name} not found")
        return self.groups[name]

    def _volume(self, path: str) -> Volume:
        group, _slash, name = path.partition("/")
        return self._group(group).volumes[name]

    def _step(self) -> None:
        if self.left is not None:
            self.left -= 1
            if self.left < 0 and not self.kill:
                raise Cut

    def _end_of_process(self) -> None:
        if self.left is not None and self.left < 0:
            raise Cut

    # LVM

    def _lvm(self, arguments: list[str], script: str, _dir: str | None) -> tuple[int, str, str]:
        self.processes += 1
        if script and self.helper_dies:
            self.helper_dies = False
            first, _, self.orphan = script.partition("\n")
            self._run(shlex.split(first))
            raise OSError("the helper was killed")
        output, complaints, status = "", [], 0
        for words in [arguments] if arguments else map(shlex.split, script.splitlines()):
            try:
                if not arguments and len(words) > 64:  # as LVM's shell has it
                    raise errors.LVMError("Too many arguments, sorry.")
                output += self._run(words) or ""
                status = 0
            except errors.LVMError as error:
                complaints.append(str(error))
                status = 5
        self._end_of_process()
        return status, output, "\n".join(complaints)

    def _wait_for_all(self) -> None:
        """What a killed helper had LVM do goes on, and ends."""
        script, self.orphan = self.orphan, ""
        for line in script.splitlines():
            self._run(shlex.split(line))

    def _run(self, words: list[str]) -> str | None:
        command, options, names = _parsed(words)
        return getattr(self, f"_{command}")(options, names)

    def _lvs(self, _options: list, names: list) -> str:
        group, _slash, wanted = names[0].partition("/")
        volumes = self._group(group).volumes
        return _report(
            "lv", [self._row(group, *v) for v in volumes.items() if wanted in ("", v[0])]
        )

    def _vgs(self, options: list[tuple[str, str]], names: list) -> str:
        fields = dict(options)["-o"]
        if fields == "pv_name,vg_seqno":
            seqno = self._group(names[0]).seqno
            return f"  LVM2_PV_NAME='/dev/{names[0]}' LVM2_VG_SEQNO='{seqno}'\n"
        there = [name for name in names or self.groups if name not in self.missing]
        if fields == "pv_name":
            return _report("vg", [{"pv_name": f"/dev/{self._there(name)}"} for name in names])
        return _report(
            "vg",
            [
                {
                    "vg_name": name,
                    "vg_uuid": uuid_of(name),
                    "vg_size": str(1 << 41),
                    "vg_free": str(self.free),
                    "vg_tags": ",".join(self.groups[name].tags),
                }
                for name in there
            ],
        )

    def _there(self, name: str) -> str:
        self._group(name)
        return name

    def _vgchange(self, options: list[tuple[str, str]], names: list) -> None:
        group = self._group(names[0])
        self._step()
        for option, tag in options:
            self._retag(group.tags, option, tag)

    def _lvcreate(self, options: list[tuple[str, str]], names: list[str]) -> None:
        given = dict(options)
        tags = {value for option, value in options if option == "--addtag"}
        group_name = (names[0] if names else given["--thin"]).partition("/")[0]
        group = self._group(group_name)
        if given["--name"] in group.volumes:
            raise errors.LVMError(f"{given['--name']} exists")
        self._check_length(group_name, given["--name"])
        self._step()
        made = Volume(tags, active=given.get("--activate") != "n")
        made.skips_activation = given.get("--setactivationskip") == "y"
        if "--snapshot" in given:
            made.origin = names[0].partition("/")[2]
            made.content = self._taken_of(group, made.origin, self._new_instant())
            made.pool = None if "--extents" in given else group.volumes[made.origin].pool
        else:
            made.pool = "pool" if "--thin" in given else None
            size = int(next(given[o] for o in ("--virtualsize", "--size") if o in given)[:-1])
            made.size = -(-size // self.extent) * self.extent
        group.volumes[given["--name"]] = made

    def _lvchange(self, options: list[tuple[str, str]], names: list[str]) -> None:
        for name in names:
            volume = self._volume(name)
            given = dict(options)
            if given.get("--activate") == "n" and name.partition("/")[2] in self.in_use:
                raise errors.LVMError(f"{name} in use")
            self._step()
            if "--activate" in given:
                volume.active = given["--activate"] == "y"
            if "--setactivationskip" in given:
                volume.skips_activation = given["--setactivationskip"] == "y"
            for option, tag in options:
                if option in ("--addtag", "--deltag"):
                    self._retag(volume.tags, option, tag)

    def _lvextend(self, options: list[tuple[str, str]], names: list[str]) -> None:
        self._step()
        self._volume(names[0]).size = int(dict(options)["--size"][:-1])

    def _lvrename(self, _options: list, names: list[str]) -> None:
        group, old, new = names
        if old not in self._group(group).volumes or new in self._group(group).volumes:
            raise errors.LVMError(f"{old} can't be renamed to {new}")
        self._check_length(group, new)
        self._step()
        volumes = self._group(group).volumes
        volumes[new] = volumes.pop(old)
        for volume in volumes.values():
            volume.origin = new if volume.origin == old else volume.origin

    def _lvconvert(self, _options: list, names: list[str]) -> None:
        self._step()
        store = self._volume(names[0])
        store.origin, store.content = None, "a store"

    def _lvremove(self, _options: list, names: list[str]) -> None:
        for path in names:
            group, _slash, name = path.partition("/")
            if name in self.in_use:
                raise errors.LVMError(f"{name} in use")
            self._step()
            del self._group(group).volumes[name]

    def _check_length(self, group: str, name: str) -> None:
        if len(commands.device_name(group, name, "real")) > 127:
            raise errors.LVMError(f"too long a name for a volume of {group}: {name}")

    def _retag(self, tags: set[str], option: str, tag: str) -> None:
        if option == "--addtag":
            tags.add(tag)
        else:
            tags.discard(tag)

    def _row(self, group: str, name: str, volume: Volume) -> dict[str, str]:
        active = volume.active or name in self.in_use
        role = f"snapshot,{'thin' if volume.pool else 'thick'}snapshot" if volume.origin else ""
        return {
            "lv_name": name,
            "lv_uuid": _uuid(volume),
            "data_percent": str(volume.percents[0]) if volume.is_pool else "",
            "lv_size": str(volume.size),
            "lv_tags": ",".join(volume.tags),
            "segtype": "thin-pool" if volume.is_pool else "linear",
            "origin": volume.origin or "",
            "origin_size": str(volume.size) if volume.origin else "",
            "pool_lv": volume.pool or "",
            "thin_id": "",
            "lv_dm_path": f"/dev/mapper/{_device(group, name)}",
            "lv_kernel_major": "254" if active else "-1",
            "lv_kernel_minor": "1" if active else "-1",
            "vg_tags": ",".join(self.groups[group].tags),
            "lv_layout": "thin" if volume.pool else volume.layout,
            "lv_role": role,
            "lv_modules": "",
            **dict.fromkeys(reports.TRAITS.values(), "0"),
            "lv_snapshot_invalid": str(int(volume.invalid)),
            "metadata_percent": str(volume.percents[1]),
            "zero": "1",
        }

    # The rest

    def _new_instant(self) -> str:
        self.instants += 1
        return f"instant {self.instants}"

    def _taken_of(self, group: Group, source: str, instant: str) -> str:
        """What a snapshot holds; a snapshot itself does not change from instant to instant."""
        content = group.volumes[source].content
        return content if " at " in content else f"{content} at {instant}"

    def _uuid_at(self, path: str) -> str:
        return _uuid(self._of_device(path))

    def _of_device(self, path: str) -> Volume:
        return next(
            volume
            for group_name, group in self.groups.items()
            for name, volume in group.volumes.items()
            if path.endswith(f"/{_device(group_name, name)}")
        )

    def _clear(
        self, path: str, _offset: int, size: int, _ionice: Any = (), uuid: str | None = None
    ) -> None:
        if uuid and uuid != self._uuid_at(path):
            raise errors.LVMError(f"{path} is another volume")
        if size:
            self._step()
            self._of_device(path).content = "zeros"
            self._end_of_process()

    def _copy_all(self, devices: Sequence[tuple[str, str, int]], *_: Any) -> None:
        for source, target, _size in devices:
            self._step()
            self._of_device(target).content = self._of_device(source).content
            self._end_of_process()

    def _check(self, request: retake.Request, _seen: Any) -> dict[str, retake.Sources]:
        return {
            group: retake.Sources(
                [],
                {
                    source: []
                    for part in request.parts
                    if part.volume_group == group
                    for source, _target in part.pairs
                },
            )
            for group in request.groups
        }

    def _retake(self, request: retake.Request) -> retake.Taken:
        self._step()
        instant = self._new_instant()
        for part in request.parts:
            group = self._group(part.volume_group)
            for source, target in part.pairs:
                if part.mark not in group.volumes[target].tags:
                    raise errors.LVMError(f"{target} is not ours")
                group.volumes[target].content = self._taken_of(group, source, instant)
        self._end_of_process()
        return retake.Taken(self.now, 0.001, self.seqnos())

    def seqnos(self) -> dict[str, int]:
        """What the re-take finds as the numbers of the groups' metadata."""
        return {name: group.seqno for name, group in self.groups.items()}

    def _kept_open(self, devices: list[str]) -> list[str]:
        used = [_device(group, name) for group in self.groups for name in self.in_use]
        return [device for device in devices if device in used]


def uuid_of(group: str) -> str:
    """The UUID of a volume group here."""
    return f"{group:0<6}-0000-0000-0000-0000-0000-000000"


def _uuid(volume: Volume) -> str:
    return f"{volume.identity:0>6}-0000-0000-0000-0000-0000-000000"


def _device(group: str, name: str) -> str:
    return commands.device_name(group, name)


def _report(kind: str, rows: list[dict[str, str]]) -> str:
    return json.dumps({"report": [{kind: rows}]})


def _parsed(words: Sequence[str]) -> tuple[str, list[tuple[str, str]], list[str]]:
    """The command, its options with their values, and the names without the group's."""
    flags = {"--yes", "--snapshot", "--force", "--splitsnapshot", "--binary", "--nosuffix"}
    flags |= {"--ignoreactivationskip", "--nolocking", "--all", "--noheadings", "--nameprefixes"}
    options, names = [], []
    rest: Iterator[str] = iter(words[1:])
    for word in rest:
        if word in flags:
            options.append((word, ""))
        elif word.startswith("-"):
            options.append((word, next(rest)))
        else:
            names.append(word)
    return words[0], options, names
