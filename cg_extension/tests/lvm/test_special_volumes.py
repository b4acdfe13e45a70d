# SPDX-License-Identifier: Apache-2.0
"""Volumes that are not plain: each kind works, or is refused by name before anything is changed.

The rules are ``drivers/lvm/kinds.py``; what this machine's kernel does not have (VDO, lvmlockd) is
in the unit tests of that.
"""

import contextlib
import subprocess
import time
from collections.abc import Iterable, Iterator, Sequence

from cg_extension.drivers.lvm import engine, errors
from cg_extension.tests.lvm import base, writer

SIZE = "8M"


class SpecialVolumesTestCase(base.LVMTestCase):
    """A volume group on four devices; the volume to look at is called ``special``."""

    thin = False

    def setUp(self) -> None:
        super().setUp()
        self.eng = self.use_engine(self.thin, size=300, pool_size=64, devices=4)
        self.eng.create_volume("plain", 8 * base.MIB)

    def make(self, *arguments: str, name: str = "special") -> None:
        base.run("lvcreate", "--yes", "--name", name, *arguments)

    def make_thick(self, *arguments: str, name: str = "special", size: str = SIZE) -> None:
        self.make("--size", size, *arguments, self.vg.name, name=name)

    def convert(self, *arguments: str, name: str = "special") -> None:
        base.run("lvconvert", "--yes", *arguments, f"{self.vg.name}/{name}")

    def cache_on_volume(self, fast: str, *arguments: str, name: str = "special") -> bool:
        """Cache a volume on another one, without a cache pool; False: LVM itself can't.

        That of Debian sid, as rebuilt in 2026 (2.03.31-2+b2), can activate no such cache.
        """
        try:
            self.convert("--type", "cache", "--cachevol", fast, *arguments, name=name)
        except AssertionError as error:
            if "Missing cache's data uuid" not in str(error):
                raise
            return False
        return True

    def assert_works(self, *specials: str, others: Iterable[str] = ()) -> None:
        """Group snapshots and clones of ``plain`` and ``specials`` are of one instant.

        :param others: what else there is in the volume group.
        """

        def snapshot(copies: Sequence[engine.Copy]) -> float:
            return self.eng.snapshot_group(copies).held

        names = ["plain", *(specials or ["special"])]
        with writer.Writer(self.readable(self.eng, names)):
            for prefix, make in (("s-", snapshot), ("c-", self.eng.clone_group)):
                copies = self.copies(names, prefix)
                targets = [copy.target for copy in copies]
                time.sleep(0.05)
                self.assertGreater(make(copies), 0)
                self.assertEqual(0, writer.gap(self.readable(self.eng, targets)), prefix)
        self.eng.delete(f"{prefix}-{name}" for prefix in "sc" for name in names)
        self.assert_sound(self.eng, [*names, *others])

    def make_external_origin(self, name: str, of: str) -> None:
        """Make a thick volume the read-only origin of a new thin one."""
        path = f"{self.vg.name}/{name}"
        # Where udev has new volume groups activated, that may be still to come.
        base.run("lvchange", "--setautoactivation", "n", path)
        base.run("lvchange", "--activate", "n", path)
        base.run("lvchange", "--permission", "r", path)
        base.run("lvcreate", "-s", "--name", of, "--thinpool", "pool", path)

    def assert_refused(self, reason: str, name: str = "special") -> None:
        """Group snapshots and clones with ``name`` are refused, and nothing has changed."""
        before = self._state()
        for make in (self.eng.snapshot_group, self.eng.clone_group):
            refusal = self.assertRaises(errors.Refusal, make, self.copies(["plain", name], "s-"))
            self.assertIn(name, str(refusal))
            self.assertIn(reason, str(refusal))
        self.assertEqual(before, self._state())

    def _state(self) -> tuple[str, str]:
        """LVM's metadata, by its number, and the devices."""
        return (
            base.run("vgs", "--noheadings", "-o", "vg_seqno", self.vg.name),
            base.run("dmsetup", "info", "-c", "--noheadings", "-o", "name,suspended"),
        )


class ThickTest(SpecialVolumesTestCase):
    """Thick volumes that work."""

    def test_striped_mirrored_and_raid_work(self) -> None:
        kinds = {
            "striped": ("--type", "striped", "--stripes", "2"),
            "mirror": ("--type", "mirror", "--mirrors", "1", "--mirrorlog", "core"),
            "raid0": ("--type", "raid0", "--stripes", "2"),
            "raid1": ("--type", "raid1", "--mirrors", "1", "--nosync"),
            "raid5": ("--type", "raid5", "--stripes", "2"),
            "raid10": ("--type", "raid10", "--mirrors", "1", "--nosync"),
        }
        for name, arguments in kinds.items():
            self.make_thick(*arguments, name=name, size="4M")
        self.make_thick(name="mixed", size="4M")
        base.run(
            *("lvextend", "--type", "striped", "--stripes", "2", "--size", "+8M"),
            f"{self.vg.name}/mixed",
        )
        self.assert_works(*kinds, "mixed")

    def test_cached_and_with_writecache_they_work(self) -> None:
        for name in ("with_volume", "with_pool", "written"):
            self.make_thick(name=name)
        self.make_thick(name="fast1", size="12M")
        self.make_thick("--type", "cache-pool", name="fast2", size="12M")
        self.make_thick("--activate", "n", "--zero", "n", name="fast3")
        write_back = ("--cachemode", "writeback")
        is_cached = self.cache_on_volume("fast1", *write_back, name="with_volume")
        self.convert("--type", "cache", "--cachepool", "fast2", *write_back, name="with_pool")
        self.convert("--type", "writecache", "--cachevol", "fast3", name="written")
        others = [] if is_cached else ["fast1"]
        self.assert_works("with_volume", "with_pool", "written", others=others)

    def test_a_read_only_one_works(self) -> None:
        """Also when it is the external origin of a thin one. Its clone can be written to."""
        self.make_thick()
        with open(self.eng.device_path("special"), "r+b") as device:
            device.write(b"kept")
        self.make("--type", "thin-pool", "--size", "16M", self.vg.name, name="pool")
        self.make_external_origin("special", of="thin")
        names = ["plain", "special"]
        self.eng.snapshot_group(self.copies(names, "s-"))
        self.eng.clone_group(self.copies(names, "c-"))
        for name in self.readable(self.eng, ["s-special", "c-special"]):
            with open(name, "rb") as device:
                self.assertEqual(b"kept", device.read(4))
        with open(self.eng.device_path("c-special"), "r+b", buffering=0) as device:
            self.assertEqual(4, device.write(b"more"))

    def test_a_cached_one_that_is_to_be_wiped_is_not_deleted(self) -> None:
        self.make_thick()
        self.make_thick("--type", "cache-pool", name="fast", size="12M")
        self.convert("--type", "cache", "--cachepool", "fast")
        before = self._state()
        refusal = self.assertRaises(errors.Refusal, self.eng.delete, ["special"])
        self.assertIn("special has a cache", str(refusal))
        self.assertEqual(before, self._state())
        self.convert("--splitcache")
        self.eng.delete(["special"])
        self.assert_sound(self.eng, ["plain", "fast"])


class ThinTest(SpecialVolumesTestCase):
    """Thin volumes that work: what is below the pool or above the volume makes no difference."""

    thin = True

    def _use_pool(self) -> None:
        """Have ``plain`` and ``special`` in the pool ``other``."""
        settings = engine.Settings(
            volume_group=self.vg.name, pool="other", system_dir=str(self.vg.system_dir)
        )
        self.eng.delete(["plain"])
        self.eng = engine.Engine(settings)
        for name in ("plain", "special"):
            self.eng.create_volume(name, 8 * base.MIB)

    def _assert_pool_works(self) -> None:
        """``assert_works`` in a pool of ``other`` as data and ``meta`` as metadata."""
        self.convert("--type", "thin-pool", "--poolmetadata", "meta", name="other")
        self._use_pool()
        self.assert_works()

    def test_a_pool_on_cached_raid_works(self) -> None:
        self.make_thick("--type", "raid1", "--mirrors", "1", name="meta")
        self.make_thick("--type", "raid5", "--stripes", "2", name="other", size="48M")
        self.make_thick("--type", "cache-pool", name="fast", size="12M")
        self.convert("--type", "cache", "--cachepool", "fast", name="other")
        self._assert_pool_works()

    def test_a_striped_pool_with_writecache_works(self) -> None:
        self.make_thick(name="meta")
        self.make_thick("--type", "striped", "--stripes", "2", name="other", size="48M")
        self.make_thick("--activate", "n", "--zero", "n", name="fast")
        self.convert("--type", "writecache", "--cachevol", "fast", name="other")
        self._assert_pool_works()

    def test_one_with_an_external_origin_works(self) -> None:
        self.make_thick(name="old")
        self.make_external_origin("old", of="special")
        self.assert_works(others=["old"])
        refusal = self.assertRaises(errors.Refusal, self.eng.delete, ["old"])
        self.assertIn("old has a snapshot: special", str(refusal))

    def test_one_with_a_thick_snapshot_works(self) -> None:
        self.eng.create_volume("special", 8 * base.MIB)
        base.run("lvcreate", "-s", "--size", SIZE, "--name", "cow", f"{self.vg.name}/special")
        self.assert_works(others=["cow"])
        refusal = self.assertRaises(errors.Refusal, self.eng.delete, ["special"])
        self.assertIn("special has a snapshot: cow", str(refusal))

    def test_a_read_only_one_works(self) -> None:
        """A clone of it can be written to."""
        self.make("--virtualsize", SIZE, "--permission", "r", "--thin", f"{self.vg.name}/pool")
        names = ["plain", "special"]
        self.eng.snapshot_group(self.copies(names, "s-"))
        self.eng.clone_group(self.copies(names, "c-"))
        self.readable(self.eng, ["s-special"])
        with open(self.eng.device_path("c-special"), "r+b", buffering=0) as device:
            self.assertEqual(4, device.write(b"more"))

    def test_one_with_a_snapshot_that_is_to_be_merged_works(self) -> None:
        """It is as it was until its next activation; what is to be merged is refused."""
        self.eng.create_volume("special", 8 * base.MIB)
        base.run("lvcreate", "-s", "--name", "later", f"{self.vg.name}/special")
        with open(self.eng.device_path("special"), "rb"):
            self.convert("--merge", name="later")
        self.assert_refused("merged", "later")
        self.assert_works()

    def test_a_pool_that_is_being_moved_works(self) -> None:
        self.eng.create_volume("special", 8 * base.MIB)
        with _moved(self.vg):
            self.assert_works()


class RefusedTest(SpecialVolumesTestCase):
    """Thick volumes, and whatever else is a name in the volume group."""

    def test_raid_with_integrity_is_refused(self) -> None:
        self.make_thick("--type", "raid1", "--mirrors", "1", "--raidintegrity", "y")
        self.assert_refused("data integrity")

    def test_a_thick_snapshot_is_refused(self) -> None:
        self.eng.snapshot_group([engine.Copy(source="plain", target="special")])
        self.assert_refused("no snapshot of a snapshot")

    def test_a_pool_is_refused(self) -> None:
        for kind in ("thin-pool", "cache-pool"):
            self.make_thick("--type", kind, name=kind, size="12M")
            self.assert_refused("is a pool", kind)

    def test_a_part_of_a_volume_is_refused(self) -> None:
        self.make_thick("--type", "raid1", "--mirrors", "1", name="whole")
        for name in ("whole_rimage_0", "whole_rmeta_1"):
            self.assert_refused("part of another volume", name)
        self.make_thick("--type", "thin-pool", name="pool")
        for name in ("pool_tdata", "pool_tmeta", "lvol0_pmspare"):
            self.assert_refused("part of another volume", name)

    def test_a_part_that_is_tracked_is_refused(self) -> None:
        self.make_thick("--type", "raid1", "--mirrors", "1", "--nosync", name="whole")
        self.convert("--splitmirrors", "1", "--trackchanges", name="whole")
        self.assert_refused("part of another volume", "whole_rimage_1")

    def test_one_that_holds_no_data_is_refused(self) -> None:
        self.make_thick("--type", "error")
        self.assert_refused("holds no data")

    def test_one_with_a_snapshot_that_is_to_be_merged_is_refused(self) -> None:
        self.make_thick()
        base.run("lvcreate", "-s", "--size", SIZE, "--name", "cow", f"{self.vg.name}/special")
        with open(self.eng.device_path("special"), "rb"):
            self.convert("--merge", name="cow")
        self.assert_refused("being merged")

    def test_one_that_is_being_moved_is_refused(self) -> None:
        self.make_thick()
        with _moved(self.vg):
            self.assert_refused("being moved")

    def test_one_that_was_removed_is_refused(self) -> None:
        history = "metadata { record_lvs_history=1 }"
        self.vg.configure(self.vg.loops, history)
        self.make("--type", "thin-pool", "--size", "16M", self.vg.name, name="pool")
        self.make("--virtualsize", SIZE, "--thin", f"{self.vg.name}/pool")
        base.run("lvcreate", "-s", "--name", "later", f"{self.vg.name}/special")
        base.run("lvremove", "--yes", f"{self.vg.name}/special")
        self.assert_refused("not in volume group")

    def test_one_of_a_volume_group_without_all_its_devices_is_refused(self) -> None:
        self.make_thick()
        self.vg.configure(self.vg.loops[:2])
        self.assert_refused("lacks a physical volume")
        self.vg.configure(self.vg.loops)

    def test_one_of_an_exported_volume_group_is_refused(self) -> None:
        self._make_inactive()
        base.run("vgexport", self.vg.name)
        self.addCleanup(base.run, "vgimport", self.vg.name)
        self._assert_not_read("exported")

    def test_one_of_another_machine_s_volume_group_is_refused(self) -> None:
        self._make_inactive()
        base.run("vgchange", "--yes", "--systemid", "elsewhere", self.vg.name)
        there = 'global { system_id_source="lvmlocal" } local { system_id="elsewhere" }'
        self.addCleanup(self.vg.configure, self.vg.loops, there)
        self._assert_not_read("system ID elsewhere")

    def test_one_of_a_shared_volume_group_is_refused_without_lvmlockd(self) -> None:
        self._make_inactive()
        metadata = self.vg.system_dir / "metadata"
        base.run("vgcfgbackup", "--file", str(metadata), self.vg.name)
        text = metadata.read_text()
        lock = 'flags = []\nlock_type = "dlm"\nlock_args = "1.0.0:x"'
        metadata.write_text(text.replace("flags = []", lock, 1))
        base.run("vgcfgrestore", "--yes", "--file", str(metadata), self.vg.name)
        self.addCleanup(self._make_anew)
        self._assert_not_read("requires lvmlockd")

    def _make_anew(self) -> None:
        """The volume group, which no command of LVM touches as it is."""
        for loop in self.vg.loops:
            with open(loop, "r+b") as device:
                device.write(bytes(base.MIB))
        base.run("vgcreate", self.vg.name, *self.vg.loops)

    def _make_inactive(self) -> None:
        self.make_thick()
        # Else udev would have it activated again, as it finds a disk that was written to.
        base.run("lvchange", "--setautoactivation", "n", self.vg.name)
        base.run("vgchange", "--activate", "n", self.vg.name)

    def _assert_not_read(self, reason: str) -> None:
        """LVM does not even read the volume group; that is told in one line."""
        error = self.assertRaises(
            errors.LVMError, self.eng.snapshot_group, self.copies(["plain", "special"], "s-")
        )
        self.assertIn(reason, str(error))
        complaint = self._call_command("snapshot", f"{self.vg.name}/special", "--name", "x")
        self.assertEqual(1, complaint.count("\n"), complaint)
        for word in (self.vg.name, reason):
            self.assertIn(word, complaint)

    def test_the_command_says_why_in_one_line(self) -> None:
        self.make_thick("--type", "thin-pool", name="pool")
        for name in ("pool", "pool_tdata", "nothing"):
            complaint = self._call_command("snapshot", f"{self.vg.name}/{name}", "--name", "x")
            self.assertEqual(1, complaint.count("\n"), complaint)
            self.assertIn(name, complaint)

    def _call_command(self, *arguments: str) -> str:
        """What ``cg-lvm`` complains of."""
        done = base.cg_lvm(*arguments)
        self.assertEqual(1, done.returncode, done.stdout)
        return done.stderr


class RefusedThinTest(SpecialVolumesTestCase):
    thin = True

    def test_a_thick_snapshot_of_a_thin_volume_is_refused(self) -> None:
        base.run("lvcreate", "-s", "--size", SIZE, "--name", "special", f"{self.vg.name}/plain")
        self.assert_refused("no snapshot of a snapshot")

    def test_beside_a_cached_one_it_is_refused_for_what_is_in_no_pool(self) -> None:
        self.make_thick()
        self.make_thick(name="fast", size="12M")
        if not self.cache_on_volume("fast"):
            self.make_thick("--type", "cache-pool", name="pool_of_fast", size="12M")
            self.convert("--type", "cache", "--cachepool", "pool_of_fast")
        self.assert_refused("in none")


@contextlib.contextmanager
def _moved(vg: base.VolumeGroupFixture) -> Iterator[None]:
    """A time in which what is on the first device is being moved off it."""
    command = ["pvmove", "--interval", "600", vg.loops[0]]
    move = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    try:
        # It tells how far it is when it has written all that it writes for a while.
        assert move.stdout is not None
        assert "Moved" in move.stdout.readline()
        yield
    finally:
        move.kill()
        move.wait()
        # LVM 2.03.31 could not reactivate a pool's spare metadata here, once.
        base.run("pvmove", "--abort", check=False)
