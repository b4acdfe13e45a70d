# SPDX-License-Identifier: Apache-2.0
"""Where ``cg-lvm mount`` mounts what, and what it refuses."""

import argparse
import contextlib
import pathlib
from unittest import mock

import fixtures
from oslotest import base

from cg_extension.cmd.lvm import file_systems, mount_points, mounting, naming, programs, stand_ins
from cg_extension.drivers.lvm import at_work, errors, machine, reports
from cg_extension.tests.unit.drivers.lvm import reported

_EXT = file_systems.Content("ext4", "u-1", "data")


def _snapshot(name: str, *tags: str) -> reports.LogicalVolume:
    tagged = frozenset([f"cg-lvm.source={name}", *tags])
    return reported.volume(f"{name}.one", tags=tagged, origin=name, pool="pool", thin_id=1)


class QuoteTest(base.BaseTestCase):
    def test_every_path_survives_as_a_tag(self) -> None:
        for path in ("/", "/srv/db", "/a b/ü&#!\n", "/\udcff"):
            quoted = mount_points.quote(path)
            self.assertRegex(quoted or "", r"^[A-Za-z0-9_+.\-/=!:&#]+$")
            self.assertEqual(path, mount_points.unquote(quoted or ""))

    def test_one_that_is_too_long_for_a_tag_has_none(self) -> None:
        self.assertIsNone(mount_points.quote("/" + "ü" * 400))
        self.assertEqual([], mount_points.tags({("vg", "a"): "/" + "x" * 2000}, "vg", "a"))


class PointTest(base.BaseTestCase):
    """Where a file system belongs."""

    def test_fstab_is_read_by_path_uuid_and_label(self) -> None:
        for spec in ("/dev/v-g/data", "/dev/mapper/v--g-data", "UUID=u-1", 'LABEL="data"'):
            lines = ["# comment\n", "\n", "none /x\n", f"{spec} /srv/a\\040b ext4 defaults 0 2\n"]
            entries = machine.entries(lines)
            point = mount_points.belongs_at(entries, "v-g", "data", _EXT)
            self.assertEqual("/srv/a b", point, spec)
        lines = ["UUID=other /srv ext4\n", "/dev/v-g/data none swap\n", "/dev/v-g/data\n"]
        self.assertIsNone(mount_points.belongs_at(machine.entries(lines), "v-g", "data", _EXT))

    def test_what_was_recorded_comes_before_what_is_now(self) -> None:
        now = {("vg", "data"): "/now"}
        recorded = _snapshot("data", "cg-lvm.at=/then")
        self.assertEqual("/then", mount_points.of_snapshot("vg", recorded, _EXT, now))
        self.assertEqual("/now", mount_points.of_snapshot("vg", _snapshot("data"), _EXT, now))

    def test_it_is_the_first_place_of_the_whole_file_system(self) -> None:
        mounts = [
            machine.Mount("/bound", ["252:1"], "ext4", root="/sub"),
            machine.Mount("/srv", ["252:1"], "ext4"),
            machine.Mount("/again", ["252:1"], "ext4"),
            machine.Mount("/secret", ["252:9"], "ext4"),
            machine.Mount("/over", ["252:2"], "overlay"),
        ]
        seen = machine.Machine({"252:9": ["252:2"]}, mounts, [])
        volumes = {"252:1": ("vg", "data"), "252:2": ("vg", "luks")}
        for name, stand_in in (
            ("volume_of", volumes.get),
            ("name_of", lambda number, _of: "opened" if number == "252:9" else None),
        ):
            self.useFixture(fixtures.MockPatchObject(machine, name, stand_in))
        points = mount_points.of(seen)
        self.assertEqual({("vg", "data"): "/srv", ("vg", "luks"): "/secret"}, points)


class PlacesTest(base.BaseTestCase):
    """What is mounted where, in which order, and what is refused."""

    def _places(self, **contents: tuple[str, str]) -> tuple[list[mounting.Place], list[str]]:
        """:param contents: by volume what is in it, and the tag that tells where it belongs."""
        made = [
            stand_ins.StandIn("vg", _snapshot(name, tag), f"cgtmp-{name}", f"/dev/{name}")
            for name, (_kind, tag) in contents.items()
        ]
        kinds = {f"/dev/{name}": kind for name, (kind, _tag) in contents.items()}
        look = fixtures.MockPatchObject(
            file_systems, "look", lambda device: file_systems.Content(kinds[device])
        )
        now = fixtures.MockPatchObject(mount_points, "of", lambda _machine: {})
        warnings: list[str] = []
        with look, now:
            return mounting.find_places(made, None, warnings), warnings

    def test_what_holds_others_comes_first(self) -> None:
        places, _warnings = self._places(
            wal=("xfs", "cg-lvm.at=/srv/wal"),
            root=("ext4", "cg-lvm.at=/"),
            data=("ext4", "cg-lvm.at=/srv"),
        )
        self.assertEqual(["/", "/srv", "/srv/wal"], [place.point for place in places])

    def test_what_holds_no_file_system_is_left_out_and_named(self) -> None:
        places, warnings = self._places(
            data=("ext4", "cg-lvm.at=/srv"),
            swap=("swap", ""),
            raw=("", ""),
            disk=("partition table (gpt)", ""),
        )
        self.assertEqual(["/srv"], [place.point for place in places])
        self.assertEqual(3, len([w for w in warnings if "is left out" in w]), warnings)

    def test_what_can_not_be_mounted_is_refused_by_name(self) -> None:
        for contents, said in (
            ({"data": ("ext4", "")}, "vg/data.one holds ext4, but where it belongs is not known"),
            ({"data": ("btrfs", "cg-lvm.at=/srv")}, "finds the devices of a btrfs by UUID"),
            ({"swap": ("swap", "")}, "no file system to mount: vg/swap.one is left out"),
            (
                {"a": ("xfs", "cg-lvm.at=/srv"), "b": ("xfs", "cg-lvm.at=/srv")},
                "vg/b.one and vg/a.one both belong at /srv",
            ),
        ):
            refusal = self.assertRaises(naming.UsageError, self._places, **contents)
            self.assertIn(said, str(refusal))

    def test_no_passphrase_is_waited_for_where_nobody_can_be_asked(self) -> None:
        self.useFixture(fixtures.MockPatch("os.isatty", return_value=False))
        self.useFixture(fixtures.MockPatchObject(programs, "result", lambda *_: self.fail("asked")))
        luks = {"data": ("crypto_LUKS", "cg-lvm.at=/srv")}
        refusal = self.assertRaises(naming.UsageError, self._places, **luks)
        self.assertIn("vg/data.one holds LUKS, and there is no terminal", str(refusal))
        self.assertIn("--key-file", str(refusal))

    def test_a_link_in_the_snapshot_leads_nowhere(self) -> None:
        directory, elsewhere = (self.useFixture(fixtures.TempDir()).path for _ in range(2))
        pathlib.Path(directory, "srv").symlink_to(elsewhere)
        self.useFixture(fixtures.MockPatchObject(programs, "run", lambda *_: ""))
        place = mounting.Place(
            "/srv/a", "/dev/a", "ext4", stand_ins.StandIn("vg", _snapshot("a"), "n", "/dev/a")
        )
        error = self.assertRaises(errors.LVMError, mounting.mount_all, directory, [place])
        self.assertIn("leads elsewhere", str(error))
        self.assertEqual([], list(pathlib.Path(elsewhere).iterdir()))

    def test_nor_does_one_that_somebody_has_put_in_place_of_the_directory_meanwhile(self) -> None:
        parent, elsewhere = (self.useFixture(fixtures.TempDir()).path for _ in range(2))
        directory = pathlib.Path(parent, "mnt")
        directory.mkdir()
        target, _tag = mounting.check_target(str(directory))
        directory.rmdir()
        directory.symlink_to(elsewhere)
        ran: list[tuple[str, ...]] = []
        self.useFixture(fixtures.MockPatchObject(programs, "run", lambda *c: ran.append(c)))
        place = mounting.Place(
            "/srv", "/dev/a", "ext4", stand_ins.StandIn("vg", _snapshot("a"), "n", "/dev/a")
        )
        error = self.assertRaises(errors.LVMError, mounting.mount_all, target, [place])
        self.assertIn("leads elsewhere", str(error))
        self.assertEqual([], ran)


class TargetTest(base.BaseTestCase):
    def test_one_command_at_a_time_is_at_a_directory(self) -> None:
        claimed = mock.Mock(return_value=contextlib.nullcontext(False))
        self.useFixture(fixtures.MockPatchObject(at_work, "claimed", claimed))
        options = argparse.Namespace(directory="/srv/../mnt", name="one", volume_group=None)
        for action in (mounting.mount, mounting.umount):
            refusal = self.assertRaises(naming.UsageError, action, options)
            self.assertIn("another cg-lvm mounts or unmounts at /mnt just now", str(refusal))
        self.assertEqual([mock.call(["cg-lvm.mounted=/mnt"])] * 2, claimed.mock_calls)

    def test_only_an_empty_directory_is_mounted_at(self) -> None:
        directory = pathlib.Path(self.useFixture(fixtures.TempDir()).path)
        self.assertEqual(
            (str(directory), f"cg-lvm.mounted={directory}"), mounting.check_target(str(directory))
        )
        (directory / "file").touch()
        for word, said in ((directory, "is not empty"), (directory / "file", "is no directory")):
            refusal = self.assertRaises(naming.UsageError, mounting.check_target, str(word))
            self.assertIn(said, str(refusal))
