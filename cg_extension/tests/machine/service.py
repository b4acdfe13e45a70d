# SPDX-License-Identifier: Apache-2.0
"""``cg-standalone`` on the lvm driver as a deployer installs it: our unit, by systemd.

It writes to /etc and makes a user: for guests only, whose disk is thrown away.
"""

import configparser
import contextlib
import pathlib
import shutil
import subprocess
import sys
import time
from collections.abc import Mapping

import fixtures

import cg_extension
from cg_extension.tests import http_client
from cg_extension.tests.deployment import processes
from cg_extension.tests.lvm import base

UNIT = "cg-standalone.service"
USER = "cg_extension"
# Seconds; a guest is slow.
START_LIMIT = 900
# What the unit gives a stop, and what asking for it takes in a guest.
STOP_LIMIT = 90 + 20
_PACKAGE = pathlib.Path(cg_extension.__file__).parent
_OURS = _PACKAGE.parent / "etc" / "systemd"
_SYSTEM = pathlib.Path("/etc/systemd/system")
_CONFIG = pathlib.Path("/etc/cg_extension/cg_extension.conf")
_SUDOERS = pathlib.Path("/etc/sudoers.d/cg_extension")
_HELPERS = ("privsep-helper", "freeze.py")


class Service(fixtures.Fixture):
    """The installed unit; it is stopped, and its state removed, at the end."""

    def __init__(self, options: Mapping[str, object], as_root: bool) -> None:
        """Say with which options of the backend; else than as root it has sudo for the helper."""
        super().__init__()
        self._options = options
        self._as_root = as_root

    def _setUp(self) -> None:
        self._cursor = base.run("journalctl", "--lines=0", "--show-cursor").split()[-1]
        # As pip does it; the service's user could not, and a start would take its time each time.
        base.run(sys.executable, "-m", "compileall", "-q", "-x", "/tests/", str(_PACKAGE))
        scripts = pathlib.Path(sys.executable).parent
        _link(pathlib.Path("/usr/bin/cg-standalone"), scripts / "cg-standalone")
        if subprocess.run(["id", USER], capture_output=True).returncode:
            base.run("useradd", "--system", "--user-group", USER)
        self._configure()
        drop_in = (_OURS / f"{UNIT}.d" / "lvm.conf").read_text()
        if not self._as_root:
            drop_in = drop_in.replace("User=root\n", "")
            _SUDOERS.write_text(
                f"{USER} ALL=(root) NOPASSWD: {scripts}/privsep-helper --privsep_context "
                "cg_extension.drivers.lvm.privileged.context --privsep_sock_path *\n"
            )
            self.addCleanup(_SUDOERS.unlink)
        shutil.copy(_OURS / UNIT, _SYSTEM)
        (_SYSTEM / f"{UNIT}.d").mkdir(exist_ok=True)
        (_SYSTEM / f"{UNIT}.d" / "lvm.conf").write_text(drop_in)
        base.run("systemctl", "daemon-reload")
        self.addCleanup(base.run, "systemctl", "clean", "--what=state", UNIT)
        self.addCleanup(base.run, "systemctl", "reset-failed", UNIT, check=False)
        self.addCleanup(base.run, "systemctl", "stop", UNIT)

    def _configure(self) -> None:
        port = processes.free_port()
        self.url = f"http://127.0.0.1:{port}"
        parser = configparser.RawConfigParser()
        parser.read_dict(
            {
                "DEFAULT": {"enabled_backends": "lvm", "osapi_volume_listen_port": port},
                "lvm": {"volume_driver": "lvm", **self._options},
            }
        )
        _CONFIG.parent.mkdir(exist_ok=True)
        with _CONFIG.open("w") as file:
            parser.write(file)

    def client(self) -> http_client.Client:
        """An administrator's."""
        return http_client.Client(lambda: self.url, "demo", "tester:demo")

    def property(self, name: str) -> str:
        """What systemd says of the unit."""
        return base.run("systemctl", "show", "--value", f"--property={name}", UNIT).strip()

    def start(self) -> None:
        """Return when systemd takes it for started."""
        subprocess.run(["systemctl", "start", UNIT], check=True, timeout=START_LIMIT)

    def stop(self) -> float:
        """Return when systemd takes it for stopped; gives the seconds that this took."""
        started = time.monotonic()
        subprocess.run(["systemctl", "stop", UNIT], check=True, timeout=2 * STOP_LIMIT)
        return time.monotonic() - started

    def journal(self) -> str:
        """What the service and systemd have said of it since this fixture was set up."""
        base.run("journalctl", "--sync")
        shown = ("--unit", UNIT, "--after-cursor", self._cursor, "--output", "cat")
        return base.run("journalctl", "--no-pager", *shown)

    @staticmethod
    def helpers() -> list[str]:
        """Command lines of the privileged processes that there are: helper, freezer, watchdog."""
        found = []
        for path in pathlib.Path("/proc").glob("[0-9]*/cmdline"):
            with contextlib.suppress(OSError):  # it ends meanwhile
                found.append(path.read_text(errors="replace").replace("\0", " "))
        return [line for line in found if any(name in line for name in _HELPERS)]


def _link(path: pathlib.Path, target: pathlib.Path) -> None:
    if not path.is_symlink():
        path.symlink_to(target)
