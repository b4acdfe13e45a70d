# SPDX-License-Identifier: Apache-2.0
"""Full pools, failing disks, other LVM commands: the group snapshot fails or is right."""

import concurrent.futures
import os
import subprocess
import threading
import time

from cg_extension.drivers.lvm import commands, device_mapper, engine, errors, machine, retake
from cg_extension.tests import long
from cg_extension.tests.lvm import base, writer


class PoolTest(base.LVMTestCase):
    """What a thin pool's limits do."""

    def test_above_the_data_limit_a_group_snapshot_is_refused(self) -> None:
        eng = self.use_engine(thin=True, pool_size=40, data_limit=50)
        names, devices = self.make_volumes(eng, 2, 32 * base.MIB)
        eng.snapshot_group(self.copies(names, "s-"))
        _fill(devices[0], 24 * base.MIB)
        refusal = self.assertRaises(errors.Refusal, eng.snapshot_group, self.copies(names, "t-"))
        self.assertIn("data", str(refusal))
        self.assert_sound(eng, [*names, "s-v0", "s-v1"])

    def test_a_pool_out_of_data_space_is_refused_and_serves_again_when_extended(self) -> None:
        eng = self.use_engine(thin=True, pool_size=20, data_limit=100)
        base.run("lvchange", "--errorwhenfull", "y", f"{self.vg.name}/pool")
        names, devices = self.make_volumes(eng, 2, 32 * base.MIB)
        self.assertRaises(OSError, _fill, devices[0], 32 * base.MIB)
        refusal = self.assertRaises(errors.Refusal, eng.snapshot_group, self.copies(names, "s-"))
        self.assertIn("out of data space", str(refusal))
        base.run("lvextend", "--size", "100M", f"{self.vg.name}/pool")
        eng.snapshot_group(self.copies(names, "s-"))
        self.assert_sound(eng, [*names, "s-v0", "s-v1"])

    def test_above_the_metadata_limit_a_group_snapshot_is_refused(self) -> None:
        eng = self.use_engine(thin=True, metadata_limit=1)
        names, _devices = self.make_volumes(eng, 2)
        refusal = self.assertRaises(errors.Refusal, eng.snapshot_group, self.copies(names, "s-"))
        self.assertIn("metadata", str(refusal))
        self.assert_sound(eng, names)


class MetadataTest(base.LVMTestCase):
    """A pool that has run out of metadata is read-only, for all its volumes."""

    def test_group_snapshots_are_refused_and_go_on_when_it_is_extended(self) -> None:
        limits = {"data_limit": 100, "metadata_limit": 100}
        eng = self.use_engine(thin=True, pool_size=400, metadata_size=2, **limits)
        names, devices = self.make_volumes(eng, 2, 32 * base.MIB)
        for device in devices:
            _fill(device, 32 * base.MIB)
        eng.snapshot_group(self.copies(names, "s-"))
        self.assertRaises(OSError, self._use_up, devices[0], eng.volumes()["v0"].thin_id)
        refusal = self.assertRaises(errors.Refusal, eng.snapshot_group, self.copies(names, "t-"))
        self.assertIn("pool is read-only", str(refusal))
        base.run("vgchange", "--activate", "n", self.vg.name)
        base.run("lvextend", "--poolmetadatasize", "+8M", f"{self.vg.name}/pool")
        eng.activate(names)
        eng.snapshot_group(self.copies(names, "t-"))
        self.assert_sound(eng, [*names, *(f"{p}-{name}" for p in "st" for name in names)])

    def _use_up(self, device: str, thin_id: int) -> None:
        """Take snapshots, and write after each what takes a copy of all of the mapping.

        LVM refuses new volumes some time before the end, so these are the pool's own.
        """
        pool = commands.device_name(self.vg.name, "pool", "tpool")
        with device_mapper.Control() as control, open(device, "r+b", buffering=0) as file:
            for number in range(1000):
                control.send(device_mapper.message(pool, f"create_snap {5000 + number} {thin_id}"))
                for offset in range(0, 32 * base.MIB, 4 * base.MIB):
                    os.pwrite(file.fileno(), os.urandom(4096), offset)
                os.fsync(file.fileno())


class StoreTest(base.LVMTestCase):
    """What the size of a thick snapshot's copy-on-write store does."""

    def test_an_overflowed_snapshot_shows_and_is_not_restored(self) -> None:
        eng = self.use_engine(thin=False, cow_percent=25)
        names, devices = self.make_volumes(eng, 2)
        eng.snapshot_group(self.copies(names, "s-"))
        _fill(devices[0], 12 * base.MIB)
        volumes = eng.volumes(status=True)
        self.assertEqual([True, False], [volumes[f"s-{name}"].invalid for name in names])
        restore = [engine.Copy(source=f"s-{name}", target=f"r-{name}") for name in names]
        self.assertRaises(errors.Refusal, eng.restore_group, restore)
        eng.delete(["s-v0", "s-v1"])
        self.assert_sound(eng, names)

    def test_a_volume_with_snapshots_is_not_deleted_with_them(self) -> None:
        eng = self.use_engine(thin=False)
        names, _devices = self.make_volumes(eng, 1)
        eng.snapshot_group(self.copies(names, "s-"))
        self.assertRaises(errors.Refusal, eng.delete, names)
        self.assert_sound(eng, ["v0", "s-v0"])

    def test_a_full_volume_group_fails_the_group_snapshot_whole(self) -> None:
        eng = self.use_engine(thin=False, size=80)
        names, _devices = self.make_volumes(eng, 3)
        self.assertRaises(errors.LVMError, eng.snapshot_group, self.copies(names, "s-"))
        self.assert_sound(eng, names)


class FailingDiskTest(base.LVMTestCase):
    """One member's disk fails."""

    def test_the_group_snapshot_fails_or_is_whole(self) -> None:
        for kind in (["error"], ["flakey", "0", "60"]):
            with self.subTest(kind[0]):
                self._assert_all_or_nothing(kind)

    def _assert_all_or_nothing(self, kind: list[str]) -> None:
        eng = self.use_engine(thin=False, odd_size=200)
        for name, device in (("a", self.vg.loop), ("b", f"/dev/mapper/{self.vg.odd}")):
            base.run(*("lvcreate", "-y", "-L", "16M", "-n", name, self.vg.name, device))
        self.vg.make_odd(*kind)
        with writer.Writer([eng.device_path("a")]) as healthy:
            try:
                eng.snapshot_group(self.copies(["a", "b"], "s-"))
            except (errors.LVMError, errors.Refusal):  # LVM may miss the disk as a whole
                left = ["a", "b"]
            else:
                left = ["a", "b", "s-a", "s-b"]
            time.sleep(0.5)
        self.assertGreater(healthy.result["writes"], 100)
        self.vg.make_odd("linear")
        self.assert_sound(eng, left)
        eng.delete(set(left) - {"a", "b"})
        eng.snapshot_group(self.copies(["a", "b"], "t-"))
        self.assert_sound(eng, ["a", "b", "t-a", "t-b"])


class StormTest(base.LVMTestCase):
    """Other LVM commands all the while; CG_TEST_STORM sets the number of group snapshots."""

    rounds = int(os.environ.get("CG_TEST_STORM", "60" if long.WANTED else "4"))

    def test_group_snapshots_among_other_commands_are_never_torn(self) -> None:
        eng = self.use_engine(thin=True)
        names, devices = self.make_volumes(eng, 2)
        done = threading.Event()

        def storm(number: int) -> None:
            volume = f"{self.vg.name}/x{number}"
            while not done.is_set():
                base.run(
                    *("lvcreate", "-V", "8M", "-T", f"{self.vg.name}/pool", "-n", f"x{number}")
                )
                base.run("lvextend", "-L", "16M", volume)
                base.run("lvs", self.vg.name)
                base.run("lvremove", "-f", "-y", volume)

        with concurrent.futures.ThreadPoolExecutor() as pool, writer.Writer(devices):
            storms = [pool.submit(storm, number) for number in range(2)]
            try:
                for _ in range(self.rounds):
                    eng.snapshot_group(self.copies(names, "s-"))
                    targets = ["s-v0", "s-v1"]
                    self.assertEqual(0, writer.gap(self.readable(eng, targets)))
                    eng.delete(targets)
            finally:
                done.set()
            for future in storms:
                future.result()
        self.assert_sound(eng, names)


class MemberTest(base.LVMTestCase):
    """What can't be in a group snapshot."""

    def test_a_member_of_another_volume_group_is_refused(self) -> None:
        eng = self.use_engine(thin=True)
        names, _devices = self.make_volumes(eng, 1)
        refusal = self.assertRaises(
            errors.Refusal, eng.snapshot_group, self.copies([*names, "elsewhere"], "s-")
        )
        self.assertIn("elsewhere", str(refusal))
        self.assert_sound(eng, names)

    def test_a_mounted_member_with_our_own_files_is_refused(self) -> None:
        eng = self.use_engine(thin=True)
        names, devices = self.make_volumes(eng, 1)
        directory = f"{self.vg.system_dir}/mounted"
        os.mkdir(directory)
        base.run("mkfs.ext4", "-q", devices[0])
        base.run("mount", devices[0], directory)
        self.addCleanup(base.run, "umount", directory)
        with open(f"{directory}/log", "w"):
            refusal = self.assertRaises(
                errors.Refusal, eng.snapshot_group, self.copies(names, "s-")
            )
            self.assertIn(f"{directory}/log", str(refusal))
        eng.snapshot_group(self.copies(names, "s-"))

    def test_what_is_cached_in_another_mount_namespace_is_written_out_before(self) -> None:
        eng = self.use_engine(thin=True)
        _names, devices = self.make_volumes(eng, 1)
        base.run("mkfs.ext4", "-q", devices[0])
        directory = f"{self.vg.system_dir}/mounted"
        os.mkdir(directory)
        script = 'mount "$1" "$2" && echo "still $3" >"$2/file" && echo ready && read -r _'
        container = subprocess.Popen(
            ["unshare", "--mount", "sh", "-c", script, "sh", devices[0], directory, "in memory"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        self.addCleanup(container.communicate)
        self.assertEqual(b"ready\n", container.stdout.readline())
        retake._flush(machine.read(), devices)
        with open(devices[0], "rb") as device:
            self.assertTrue(b"still in memory" in device.read())  # too long to be shown

    def test_a_member_that_holds_swap_is_refused(self) -> None:
        eng = self.use_engine(thin=True)
        names, devices = self.make_volumes(eng, 1)
        base.run("mkswap", devices[0])
        base.run("swapon", devices[0])
        self.addCleanup(base.run, "swapoff", devices[0])
        refusal = self.assertRaises(errors.Refusal, eng.snapshot_group, self.copies(names, "s-"))
        self.assertIn("swap", str(refusal))


def _fill(device: str, size: int) -> None:
    """Write at random; raises OSError when the device has no room for it."""
    with open(device, "r+b", buffering=0) as file:
        for _ in range(size // base.MIB):
            file.write(os.urandom(base.MIB))
        os.fsync(file.fileno())
