# SPDX-License-Identifier: Apache-2.0
"""Paths as members, on real mounts: LUKS, an XFS on two volumes, a bind mount, a partition."""

import json
import pathlib
from typing import Any

from cg_extension.tests.lvm import base

_LUKS = ("--batch-mode", "--pbkdf", "pbkdf2", "--pbkdf-force-iterations", "1000")


class PlacesTest(base.LVMTestCase):
    def setUp(self) -> None:
        super().setUp()
        self.eng = self.use_engine(thin=True)
        self.directory = pathlib.Path(self.vg.system_dir)
        self.key = self.directory / "key"
        self.key.write_text("secret")

    def _make(self, name: str, size: int) -> str:
        self.eng.create_volume(name, size * base.MIB)
        return self.eng.device_path(name)

    def _mount(self, name: str, device: str, *options: str) -> pathlib.Path:
        point = self.directory / name
        point.mkdir(exist_ok=True)
        base.run("mount", *options, device, str(point))
        self.addCleanup(base.run, "umount", str(point))
        return point

    def _open(self, device: str, name: str) -> str:
        """Open LUKS; its device."""
        name = f"{self.vg.name}-{name}"
        base.run("cryptsetup", "open", "--key-file", str(self.key), device, name)
        self.addCleanup(base.run, "cryptsetup", "close", name)
        return f"/dev/mapper/{name}"

    def _call(self, *arguments: str) -> Any:
        done = base.cg_lvm(*arguments, "--json")
        self.assertEqual(0, done.returncode, done.stderr)
        return json.loads(done.stdout)

    def test_what_was_saved_is_in_the_snapshot_whatever_is_between(self) -> None:
        data, log, hidden = self._make("data", 320), self._make("log", 80), self._make("luks", 40)
        base.make_xfs(data, "-l", f"logdev={log},size=64m")
        database = self._mount("db", data, "-o", f"logdev={log}")
        base.run("cryptsetup", "luksFormat", *_LUKS, hidden, str(self.key))
        opened = self._open(hidden, "opened")
        base.run("mkfs.ext4", "-q", opened)
        secret = self._mount("db/secret", opened)
        (database / "sub").mkdir()
        bound = self._mount("bound", str(database / "sub"), "--bind")
        for place in (bound, secret):
            (place / "file").write_text("saved")

        taken = self._call("snapshot", str(bound / "file"), "--name", "one")
        self.assertEqual({"data", "log"}, {v["source"] for v in taken["volumes"]})
        taken = self._call("snapshot", str(database), "--name", "two")
        self.assertEqual({"data", "log"}, {v["source"] for v in taken["volumes"]})
        (warning,) = taken["warnings"]
        self.assertIn(f"{secret}, which is on {self.vg.name}/luks", warning)
        taken = self._call("snapshot", str(database), "--with-submounts", "--name", "three")
        self.assertEqual({"data", "log", "luks"}, {v["source"] for v in taken["volumes"]})
        self.assertEqual([], taken["warnings"])

        made = self._call("clone", self.vg.name, "--from", "three", "--name", "made")
        path = {volume["source"].partition(".")[0]: volume["path"] for volume in made["volumes"]}
        options = f"nouuid,logdev={path['log']}"
        self.assertEqual(
            "saved", (self._mount("again", path["data"], "-o", options) / "sub/file").read_text()
        )
        clear = self._mount("clear", self._open(path["luks"], "again"))
        self.assertEqual("saved", (clear / "file").read_text())

    def test_a_partition_is_the_volume_below_it_and_a_plain_disk_is_refused(self) -> None:
        disk = self._make("disk", 16)
        part = f"{self.vg.name}-part1"
        base.run("dmsetup", "create", part, "--table", f"0 8192 linear {disk} 2048")
        self.addCleanup(base.run, "dmsetup", "remove", "--retry", part)
        taken = self._call("snapshot", f"/dev/mapper/{part}", "--name", "one")
        self.assertEqual(["disk"], [volume["source"] for volume in taken["volumes"]])
        refused = base.cg_lvm("snapshot", self.vg.loop, f"{self.vg.name}/disk", "--name", "two")
        self.assertEqual(1, refused.returncode)
        self.assertIn(f"{self.vg.loop} is on", refused.stderr)
        self.assertIn("no logical volume", refused.stderr)
        self.assertNotIn("disk.two", self.eng.volumes())
