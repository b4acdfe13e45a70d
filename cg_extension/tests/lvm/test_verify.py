# SPDX-License-Identifier: Apache-2.0
"""``cg-lvm verify`` sees what became of a group snapshot, and leaves it as it is."""

import hashlib
import json
import os
import pathlib
from typing import Any

from cg_extension.tests.lvm import base


class VerifyCase(base.LVMTestCase):
    thin: bool

    def setUp(self) -> None:
        super().setUp()
        self.eng = self.use_engine(self.thin, pool_size=1000)
        self.names = ["ext", "xfs"]
        for name, size in (("ext", 32), ("xfs", 320)):
            self.eng.create_volume(name, size * base.MIB)
        base.run("mkfs.ext4", "-q", self.eng.device_path("ext"))
        base.make_xfs(self.eng.device_path("xfs"))
        self.points = [self._mount(name) for name in self.names]
        self.members = [f"{self.vg.name}/{name}" for name in self.names]

    def _mount(self, name: str) -> pathlib.Path:
        point = pathlib.Path(self.vg.system_dir, name)
        point.mkdir()
        base.run("mount", self.eng.device_path(name), str(point))
        self.addCleanup(base.run, "umount", str(point))
        return point

    def snapshot(self, name: str) -> None:
        done = base.cg_lvm("snapshot", *self.members, "--name", name)
        self.assertEqual(0, done.returncode, done.stderr)

    def verify(self, name: str, *options: str) -> tuple[int, Any]:
        done = base.cg_lvm("verify", self.vg.name, name, "--json", *options)
        self.assertIn(done.returncode, (0, 1), done.stderr)
        return done.returncode, json.loads(done.stdout or "null") or done.stderr

    def wrong(self, name: str, *options: str) -> list[str]:
        """What is said to be wrong, by volume and of the whole."""
        status, answer = self.verify(name, *options)
        found = [
            f"{volume['volume']}: {wrong}"
            for volume in answer["volumes"]
            for wrong in volume["wrong"]
        ]
        found += answer["wrong"]
        self.assertEqual(bool(found), bool(status))
        return found

    def digest(self, name: str) -> str:
        (device,) = self.readable(self.eng, [name])
        return hashlib.sha256(pathlib.Path(device).read_bytes()).hexdigest()

    def everything(self) -> set[str]:
        return set(self.eng.volumes())


class Verify:
    def test_what_was_in_use_is_right_and_stays_as_it_is(self) -> None:
        """Files are open and unlinked, and not all is written out: journals have to be replayed."""
        for point in self.points:
            (point / "file").write_text("saved" * 1000)
            gone = self.enterContext(open(point / "gone", "w"))
            gone.write("x" * 5000)
            os.fsync(gone.fileno())
            (point / "gone").unlink()
        self.snapshot("one")
        before, digests = self.everything(), [self.digest(f"{name}.one") for name in self.names]
        self.assertEqual([], self.wrong("one"))
        status, answer = self.verify("one", "--deep")
        self.assertEqual(0, status, answer)
        self.assertEqual(
            [("ext4", "sound"), ("xfs", "sound")],
            [(v["content"]["kind"], v["content"]["state"]) for v in answer["volumes"]],
        )
        self.assertEqual(digests, [self.digest(f"{name}.one") for name in self.names])
        self.assertEqual(before, self.everything())


class ThinTest(Verify, VerifyCase):
    thin = True

    def test_a_damaged_file_system_is_named_and_the_others_are_right(self) -> None:
        self.snapshot("one")
        (device,) = self.readable(self.eng, ["ext.one"])
        with open(device, "r+b") as file:  # the inode table, behind the superblock and the maps
            for block in range(2, 400):
                file.seek(block * 1024)
                file.write(b"\xa5" * 512)
        (wrong,) = self.wrong("one", "--deep")
        self.assertIn("ext.one: e", wrong)
        self.assertEqual([], self.wrong("one"))

    def test_a_volume_that_the_pool_made_later_is_not_the_one(self) -> None:
        self.snapshot("one")
        volumes = self.eng.volumes()
        pool = f"{self.vg.device_prefix}pool-tpool"
        snapshot, origin = volumes["xfs.one"].thin_id, volumes["xfs"].thin_id
        base.run("dmsetup", "message", pool, "0", f"delete {snapshot}")
        (wrong,) = self.wrong("one")
        self.assertIn(f"has no volume with its id {snapshot}", wrong)
        base.run("dmsetup", "suspend", self.eng.volumes()["xfs"].device_name)
        base.run("dmsetup", "message", pool, "0", f"create_snap {snapshot} {origin}")
        base.run("dmsetup", "resume", self.eng.volumes()["xfs"].device_name)
        found = self.wrong("one")
        self.assertEqual(2, len([wrong for wrong in found if "at the instant" in wrong]), found)


class ThickTest(Verify, VerifyCase):
    thin = False

    def test_a_store_that_overflowed_is_told(self) -> None:
        done = base.cg_lvm("snapshot", *self.members, "--name", "one", "--cow-percent", "13")
        self.assertEqual(0, done.returncode, done.stderr)
        with open(self.points[0] / "large", "wb") as file:
            file.write(os.urandom(12 * base.MIB))
            os.fsync(file.fileno())
        found = self.wrong("one", "--deep")
        self.assertIn("ext.one: its store overflowed: its content is lost", found)
        self.assertIn("not looked into", found[-1])
