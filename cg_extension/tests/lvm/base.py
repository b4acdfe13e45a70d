# SPDX-License-Identifier: Apache-2.0
"""A volume group of its own on a loop device for each test, and what must hold after each."""

import os
import pathlib
import subprocess
import uuid
from collections.abc import Sequence
from typing import Any

import fixtures
from oslotest import base

from cg_extension.drivers.lvm import commands, device_mapper, engine, low_stall, privileged
from cg_extension.tests.deployment import warm

MIB = 1 << 20
# Sectors of an ``odd`` device's loop that are left out, so that LVM finds its label only there.
_ODD_START = "2048"
# When set, LVM's configuration is the machine's own, for tests that need none of these settings.
OWN_CONFIGURATION = "CG_TEST_OWN_LVM_CONF"


def run(*command: str, check: bool = True) -> str:
    """Run a command that has nobody to ask; its output, and on failure its complaint, too."""
    done = subprocess.run(
        command, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False
    )
    if check and done.returncode:
        raise AssertionError(f"{' '.join(command)}: {done.stdout}{done.stderr}")
    return done.stdout


def make_xfs(device: str, *options: str) -> None:
    """Make an XFS that this kernel can mount, which may be older than the programs of its system.

    They bring a file of the features that each kernel with long-term support had.
    """
    release = ".".join(os.uname().release.split(".")[:2])
    features = pathlib.Path(f"/usr/share/xfsprogs/mkfs/lts_{release}.conf")
    fit = ("-c", f"options={features}") if features.exists() else ()
    run("mkfs.xfs", "-q", *fit, *options, device)


COMMAND = "cg_extension.cmd.lvm:main"
"""``cg-lvm``, for ``warm``."""


def cg_lvm(*arguments: str) -> subprocess.CompletedProcess[str]:
    """Run ``cg-lvm`` in a process of its own."""
    return warm.run(COMMAND, arguments, modules=warm.LVM, timeout=600)


class VolumeGroupFixture(fixtures.Fixture):
    """A volume group on a loop device, with a thin pool if ``pool_size`` is set; sizes in MiB."""

    def __init__(
        self,
        size: int = 1500,
        pool_size: int = 0,
        metadata_size: int = 8,
        odd_size: int = 0,
        devices: int = 1,
    ) -> None:
        """Say how large and on how many devices of that size.

        ``odd_size`` adds an ``odd`` device that can be made slow or faulty.
        """
        self.size = size
        self.device_count = devices
        self.odd_size = odd_size
        self.pool_size = pool_size
        self.metadata_size = metadata_size
        self.pool: str | None = None

    def _setUp(self) -> None:
        directory = pathlib.Path(self.useFixture(fixtures.TempDir()).path)
        self.name = f"cg-test-{uuid.uuid4().hex[:8]}"
        self.device_prefix = self.name.replace("-", "--") + "-"
        self.loops = [self._loop(directory / f"pv{n}", self.size) for n in range(self.device_count)]
        self.loop = self.loops[0]
        devices = list(self.loops)
        if self.odd_size:
            self.odd_place = (self._loop(directory / "odd", self.odd_size + 1), _ODD_START)
            self.odd = f"odd-{self.name}"
            run("dmsetup", "create", self.odd, "--table", self._table("linear"))
            self.addCleanup(run, "dmsetup", "remove", "--retry", self.odd)
            devices.append(f"/dev/mapper/{self.odd}")
        if os.environ.get(OWN_CONFIGURATION):
            self.system_dir = pathlib.Path("/etc/lvm")
        else:
            self.system_dir = directory / "lvm"
            self.system_dir.mkdir()
            self.configure(devices)
        self.useFixture(fixtures.EnvironmentVariable("LVM_SYSTEM_DIR", str(self.system_dir)))
        self.useFixture(fixtures.EnvironmentVariable("LVM_SUPPRESS_FD_WARNINGS", "1"))
        run("vgcreate", self.name, *self.loops)
        if self.odd_size:  # LVM's own data stays on the other one
            run("pvcreate", "--metadatacopies", "0", devices[-1])
            run("vgextend", self.name, devices[-1])
        self.addCleanup(self._remove)
        if self.pool_size:
            self.pool = "pool"
            run(
                *("lvcreate", "--type", "thin-pool", "--size", f"{self.pool_size}M"),
                *("--poolmetadatasize", f"{self.metadata_size}M", "--name", "pool", self.name),
            )

    def configure(self, devices: Sequence[str], more: str = "") -> None:
        """Write the ``lvm.conf`` with which LVM sees these devices, and ``more``."""
        udev = int(os.path.exists("/run/udev/control"))
        accepted = ", ".join(f'"a|^{device}$|"' for device in devices)
        (self.system_dir / "lvm.conf").write_text(
            f'devices {{ use_devicesfile=0 filter=[{accepted}, "r|.*|"] }}\n'
            f"activation {{ udev_sync={udev} udev_rules={udev} monitoring=0\n"
            f"thin_pool_autoextend_threshold=100\n{low_stall.ACTIVATION}}}\n"
            f"backup {{ backup=0 archive=0 }}\n{more}\n"
        )

    def add_group(self, name: str, size: int, pool_size: int = 0) -> None:
        """Make another volume group, on a loop device of its own; sizes in MiB."""
        directory = pathlib.Path(self.useFixture(fixtures.TempDir()).path)
        self.loops.append(self._loop(directory / "pv", size))
        self.configure(self.loops)
        run("vgcreate", name, self.loops[-1])
        self.addCleanup(run, "vgremove", "--force", "--force", "--yes", name)
        if pool_size:
            run("lvcreate", "--type", "thin-pool", "-L", f"{pool_size}M", "-n", "pool", name)

    def _loop(self, image: pathlib.Path, size: int) -> str:
        with open(image, "wb") as file:
            file.truncate(size * MIB)
        loop = run("losetup", "--direct-io=on", "--find", "--show", str(image)).strip()
        self.addCleanup(run, "losetup", "--detach", loop)
        return loop

    def _table(self, kind: str, *parameters: str) -> str:
        sectors = self.odd_size * MIB // 512
        return " ".join(["0", str(sectors), kind, *self.odd_place, *parameters])

    def make_odd(self, kind: str, *parameters: str) -> None:
        """Change the ``odd`` device's table: its target's kind and what follows its place."""
        run("dmsetup", "suspend", "--noflush", "--nolockfs", self.odd)
        run("dmsetup", "load", self.odd, "--table", self._table(kind, *parameters))
        run("dmsetup", "resume", self.odd)

    def _remove(self) -> None:
        """Remove the group; what a failed test left suspended must not hang this."""
        for line in run("dmsetup", "info", "-c", "--noheadings", "-o", "name,suspended").split():
            name, _, state = line.partition(":")
            if name.startswith(self.device_prefix) and state == "Suspended":
                run("dmsetup", "resume", "--noudevsync", name, check=False)
        run("vgremove", "--force", "--force", "--yes", self.name)


class LVMTestCase(base.BaseTestCase):
    """A test with an engine on a volume group of its own.

    The engine's privileged calls run in this process, which is root's.
    """

    def setUp(self) -> None:
        super().setUp()
        privileged.run_in_process()

    def use_engine(
        self,
        thin: bool,
        size: int = 1500,
        pool_size: int = 600,
        metadata_size: int = 8,
        odd_size: int = 0,
        devices: int = 1,
        **settings: Any,
    ) -> engine.Engine:
        """An engine on a new volume group; a pool's sizes, in MiB, count for thin ones."""
        self.vg = self.useFixture(
            VolumeGroupFixture(size, pool_size if thin else 0, metadata_size, odd_size, devices)
        )
        return engine.Engine(
            engine.Settings(
                volume_group=self.vg.name,
                pool=self.vg.pool,
                system_dir=str(self.vg.system_dir),
                **settings,
            )
        )

    def make_volumes(
        self, eng: engine.Engine, count: int, size: int = 16 * MIB
    ) -> tuple[list[str], list[str]]:
        """Make volumes; their names and the paths of their devices."""
        names = [f"v{number}" for number in range(count)]
        for name in names:
            eng.create_volume(name, size)
        return names, [eng.device_path(name) for name in names]

    def copies(self, names: Sequence[str], prefix: str) -> list[engine.Copy]:
        """A Copy of each name, called ``prefix`` and the name."""
        return [
            engine.Copy(source=name, target=f"{prefix}{name}", tags=[f"group={prefix}"])
            for name in names
        ]

    def readable(self, eng: engine.Engine, names: Sequence[str]) -> list[str]:
        """The devices of volumes or snapshots, activated."""
        eng.activate(names)
        return [eng.device_path(name) for name in names]

    def assert_sound(self, eng: engine.Engine, expected: Sequence[str]) -> None:
        """What must hold whatever failed: nothing suspended, nothing left over, no damage.

        :param expected: the names of the volumes that there are, beside a pool.
        """
        volumes = eng.volumes()
        with device_mapper.Control() as control:
            for volume in volumes.values():
                if volume.active:
                    self.assertFalse(control.is_suspended(volume.device_name), volume.name)
        self.assertEqual(
            sorted(expected), sorted(v.name for v in volumes.values() if not v.is_pool)
        )
        # No set is being made or removed, except for what waits to be wiped.
        if not any(name.startswith("cggone-") for name in expected):
            self.assertEqual(frozenset(), eng.group.usage().tags)
        run("vgck", self.vg.name)
        if self.vg.pool:
            self.assert_pool_sound()

    def assert_pool_sound(self) -> None:
        """The pool's metadata passes thin_check, on a snapshot that the pool makes of it."""
        pool = commands.device_name(self.vg.name, self.vg.pool, "tpool")
        metadata = commands.device_name(self.vg.name, f"{self.vg.pool}_tmeta")
        run("dmsetup", "message", pool, "0", "reserve_metadata_snap")
        try:
            run("thin_check", "--metadata-snap", f"/dev/mapper/{metadata}")
        finally:
            run("dmsetup", "message", pool, "0", "release_metadata_snap")
