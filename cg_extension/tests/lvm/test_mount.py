# SPDX-License-Identifier: Apache-2.0
"""``cg-lvm mount`` shows a group snapshot as its file systems hung together, and leaves nothing."""

import hashlib
import json
import os
import pathlib
import tarfile
from typing import Any

from cg_extension.tests.lvm import base

_LUKS = ("--batch-mode", "--pbkdf", "pbkdf2", "--pbkdf-force-iterations", "1000")


class MountCase(base.LVMTestCase):
    """Three volumes, the file systems of two of them mounted in that of the first."""

    thin: bool

    def setUp(self) -> None:
        super().setUp()
        self.eng = self.use_engine(self.thin, pool_size=1000)
        self.directory = pathlib.Path(self.vg.system_dir)
        self.key = self.directory / "key"
        self.key.write_text("secret")
        self.names = ["data", "wal", "secret"]
        for name, size in (("data", 32), ("wal", 320), ("secret", 40)):
            self.eng.create_volume(name, size * base.MIB)
        data, wal, secret = map(self.eng.device_path, self.names)
        self.root = self.directory / "srv"
        base.run("mkfs.ext4", "-q", data)
        self._mount(data, self.root)
        base.make_xfs(wal)
        self._mount(wal, self.root / "wal")
        base.run("cryptsetup", "luksFormat", *_LUKS, secret, str(self.key))
        opened = f"{self.vg.name}-opened"
        base.run("cryptsetup", "open", "--key-file", str(self.key), secret, opened)
        self.addCleanup(base.run, "cryptsetup", "close", opened)
        base.run("mkfs.ext4", "-q", f"/dev/mapper/{opened}")
        self._mount(f"/dev/mapper/{opened}", self.root / "se cret")
        self.files = [self.root / part / "file" for part in (".", "wal", "se cret")]
        for file in self.files:
            file.write_text("before")
        done = base.cg_lvm("snapshot", str(self.root), "--with-submounts", "--name", "one")
        self.assertEqual(0, done.returncode, done.stderr)
        for file in self.files:
            file.write_text("after")
        self.target = self.directory / "target"
        self.target.mkdir()
        self.before = self._state()

    def _mount(self, device: str, point: pathlib.Path) -> None:
        point.mkdir()
        base.run("mount", device, str(point))
        self.addCleanup(base.run, "umount", str(point))

    def _state(self) -> list[str]:
        """All that a mount must leave as it was: volumes, devices, mounts."""
        devices = base.run("dmsetup", "ls", "--options", "devname").split("\n")
        mounts = pathlib.Path("/proc/self/mounts").read_text().splitlines()
        return [*sorted(self.eng.volumes()), *sorted(devices), *mounts]

    def call(self, *arguments: str, status: int = 0) -> Any:
        done = base.cg_lvm(*arguments, "--json")
        self.assertEqual(status, done.returncode, done.stdout + done.stderr)
        return done.stderr if status else json.loads(done.stdout)

    def mount(self, status: int = 0) -> Any:
        where = (self.vg.name, "one", str(self.target))
        return self.call("mount", *where, "--key-file", str(self.key), status=status)

    def umount(self, status: int = 0) -> Any:
        return self.call("umount", str(self.target), status=status)

    def digests(self) -> list[str]:
        paths = self.readable(self.eng, [f"{name}.one" for name in self.names])
        found = [hashlib.sha256(pathlib.Path(path).read_bytes()).hexdigest() for path in paths]
        if self.thin:
            for name in self.names:
                base.run("lvchange", "--activate", "n", f"{self.vg.name}/{name}.one")
        return found

    def assert_a_backup_has_every_file_of_the_instant(self) -> None:
        digests = self.digests()
        answer = self.mount()
        self.assertEqual(["ext4", "ext4", "xfs"], sorted(v["type"] for v in answer["volumes"]))
        shown = self.target / str(self.root).lstrip("/")
        self.assertRaises(OSError, (shown / "file").write_text, "x")
        self.assertIn("not empty", self.mount(status=1))
        backup = self.directory / "backup.tar"
        base.run("tar", "--create", "--file", str(backup), "--directory", str(self.target), ".")
        with open(shown / "wal" / "file"):
            told = self.umount(status=1)
            self.assertIn("busy", told)
            self.assertIn(f"process {os.getpid()} (", told)
        self.umount()
        self.assertEqual([], os.listdir(self.target))
        self.assertEqual(self.before, self._state())
        self.assertEqual(digests, self.digests())
        self.assertIn("nothing is mounted", self.umount(status=1))
        with tarfile.open(backup) as archive:
            for file in self.files:
                member = archive.extractfile(f".{file}")
                self.assertEqual(b"before", member.read() if member else None, file)
        self.assert_sound(self.eng, [n for name in self.names for n in (name, f"{name}.one")])


class ThinTest(MountCase):
    thin = True

    def test_a_backup_of_it_has_every_file_of_the_instant_in_its_place(self) -> None:
        self.assert_a_backup_has_every_file_of_the_instant()
