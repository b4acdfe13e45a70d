#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Trees of Debian's releases for guests: ``tree.py RELEASE…`` builds them and prints their paths.

A tree holds a release's own packages, LVM and Python among them, and a virtual environment of that
Python in ``/opt/test`` with what this project and its tests need. The project itself is not in it:
guests see the checkout. Trees are kept outside the checkout, in ``$XDG_CACHE_HOME``, by release and
recipe: a changed recipe is another tree. Needs root, Debian's mmdebstrap and the network; apt's and
pip's mirrors are those of this machine ($CG_GUEST_MIRROR names another of Debian's).
"""

import argparse
import ast
import configparser
import contextlib
import dataclasses
import fcntl
import hashlib
import json
import os
import pathlib
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator

ROOT = pathlib.Path(__file__).resolve().parents[2]
CONSTRAINTS = ROOT / "constraints.txt"
CACHE = (
    pathlib.Path(os.environ.get("XDG_CACHE_HOME") or pathlib.Path.home() / ".cache")
    / "cg_extension"
    / "guest"
)
RELEASES = ("bookworm", "trixie", "sid")
PYTHON = "/opt/test/bin/python"
# Trees of recipes that nobody has used for so many seconds are removed.
UNUSED = 30 * 24 * 3600

# pip's settings that hold in a tree, too; others name files of this machine.
_PIP_SETTINGS = ("default-timeout", "extra-index-url", "index-url", "proxy", "trusted-host")
_NO_DOCUMENTS = ("/usr/share/doc/*", "/usr/share/info/*", "/usr/share/locale/*", "/usr/share/man/*")
_EXPIRY = "Acquire::Check-Valid-Until"  # off: sid's index expires in a week

# What is run in the guest before anything of the host's is there; see qemu.py.
_START = """\
#!/bin/sh
# Mounts what the host shares, and runs its agent.
mkdir -p /run/guest
modprobe -a 9p 9pnet_virtio virtio_console
mount -t 9p -o trans=virtio,version=9p2000.L,msize=262144 guest /run/guest
exec python3 /run/guest/agent.py
"""
_UNIT = """\
[Unit]
Description=Commands of the host
After=multi-user.target

[Service]
Type=idle
ExecStart=/usr/local/sbin/guest-start
KillMode=process
Restart=no

[Install]
WantedBy=multi-user.target
"""
# Background work that a short-lived guest does not need.
_MASKED = (
    "apt-daily.timer",
    "apt-daily-upgrade.timer",
    "e2scrub_all.timer",
    "e2scrub_reap.service",
)


# Installed servers wait for tests to start them.
_NO_SERVERS = (("usr/sbin/policy-rc.d", "#!/bin/sh\n# None is started.\nexit 101\n"),)


@dataclasses.dataclass(frozen=True)
class Layer:
    """What is added to the layer ``below``; the lowest is made by mmdebstrap.

    ``files``: by path what to write before the packages are installed. ``extras``: those of
    setup.cfg, installed in the virtual environment with the project's own requirements.
    ``environment``: one of tox.ini, whose own dependencies are installed there, too.
    """

    below: str | None
    packages: tuple[str, ...] = ()
    files: tuple[tuple[str, str], ...] = ()
    extras: tuple[str, ...] = ()
    environment: str | None = None
    commands: tuple[tuple[str, ...], ...] = ()


def build_dependencies() -> tuple[str, ...]:
    """The packages that Debian's packages of this project are built with."""
    control = (ROOT / "debian" / "control").read_text()
    (field,) = re.findall(r"^Build-Depends:((?:\n .*)+)", control, re.MULTILINE)
    return tuple(re.findall(r"^ ([\w.+-]+)", field, re.MULTILINE))


def system_packages(environment: str) -> tuple[str, ...]:
    """What bindep.txt has the tests of an environment need."""
    lines = (ROOT / "bindep.txt").read_text().splitlines()
    needs = (re.fullmatch(r"(\S+) \[(.*)\]", line) for line in lines)
    return tuple(need[1] for need in needs if need and environment in need[2].split())


LAYERS = {
    "base": Layer(
        below=None,
        packages=(
            *("python3", "python3-venv", "lvm2", "thin-provisioning-tools", "kmod", "iproute2"),
            *("e2fsprogs", "xfsprogs", "cryptsetup-bin", "sqlite3", "procps", "psmisc", "sudo"),
        ),
    ),
    # What User-Mode Linux boots.
    "test": Layer(below="base", extras=("test",)),
    # What QEMU boots.
    "system": Layer(
        below="test",
        packages=("linux-image-amd64", "initramfs-tools", "systemd-sysv", "udev", "dbus"),
        files=(
            ("etc/initramfs-tools/modules", "virtio_pci\nvirtio_blk\next4\n"),
            ("etc/initramfs-tools/conf.d/guest", "MODULES=list\nCOMPRESS=gzip\n"),
            ("etc/hostname", "guest\n"),
            ("etc/hosts", "127.0.0.1 localhost guest\n"),
            ("etc/systemd/system/guest.service", _UNIT),
            ("usr/local/sbin/guest-start", _START),
        ),
        commands=(
            ("systemctl", "enable", "guest.service"),
            ("systemctl", "mask", *_MASKED),
        ),
    ),
    # What this project's own packages are built in: nothing but the release's.
    "packaging": Layer(
        below="base",
        packages=(
            *("build-essential", "debhelper", "git", "lintian", "sudo"),
            *(p for p in build_dependencies() if p != "debhelper-compat"),
        ),
    ),
    # The plugin in Cinder on LVM.
    "cinder": Layer(below="test", environment="cinder"),
    "cinder28": Layer(below="test", environment="cinder28"),
    # And all that Cinder's own processes need.
    "servers": Layer(
        below="cinder",
        packages=("mariadb-server", "rabbitmq-server", "qemu-utils"),
        files=_NO_SERVERS,
    ),
    # The functional tests.
    "functional": Layer(
        below="test",
        packages=(*system_packages("functional"), "git"),
        files=_NO_SERVERS,
        environment="functional",
    ),
    # What the pages on tasks of administrators use.
    "tasks": Layer(
        below="test",
        packages=("postgresql", "mariadb-server", "restic", "rsync"),
        files=_NO_SERVERS,
    ),
}

# The same with nothing of this project.
LAYERS["machine"] = dataclasses.replace(LAYERS["system"], below="base")


def tree(release: str, layer: str = "test") -> pathlib.Path:
    """The directory of a release's tree with what ``layer`` names, built unless it is there.

    :raises subprocess.CalledProcessError: it can't be built; what the programs said is shown.
    """
    path = CACHE / f"{release}-{layer}-{_key(release, layer)}"
    with locked(path.with_suffix(".lock")):
        if not path.is_dir():
            started = time.monotonic()
            print(f"Building {path.name}", file=sys.stderr, flush=True)
            unfinished = path.with_suffix(".unfinished")
            _remove(unfinished)
            _build(release, LAYERS[layer], unfinished)
            unfinished.rename(path)
            _remove_unused()
            print(f"Built in {time.monotonic() - started:.0f} s", file=sys.stderr, flush=True)
    return path


def has_environment(path: pathlib.Path) -> bool:
    """Whether a tree has the virtual environment for this project."""
    return (path / PYTHON.removeprefix("/")).parent.is_dir()


def _key(release: str, layer: str) -> str:
    """A hash of all that a tree is made of."""
    recipe: list[object] = [CONSTRAINTS.read_text()] if LAYERS[layer].below else []
    below: str | None = layer
    while below is not None:
        described = dataclasses.asdict(LAYERS[below])
        described["extras"] = _required(LAYERS[below])
        del described["environment"]  # by what it requires, not by its name
        recipe.append(described)
        below = LAYERS[below].below
    text = json.dumps([release, _NO_DOCUMENTS, recipe], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:12]


def requirements(extras: tuple[str, ...]) -> list[str]:
    """What setup.cfg requires for these extras and the project itself; nothing without extras."""
    setup = configparser.ConfigParser()
    setup.read(ROOT / "setup.cfg")
    found = []
    waiting = [setup["options"]["install_requires"]] if extras else []
    waiting += [setup["options.extras_require"][extra] for extra in extras]
    while waiting:
        for line in filter(None, waiting.pop().splitlines()):
            if line.startswith("cg_extension["):
                named = line.removeprefix("cg_extension[").removesuffix("]").split(",")
                waiting += [setup["options.extras_require"][extra] for extra in named]
            else:
                found.append(line)
    return sorted(found)


def tox_requirements(environment: str) -> list[str]:
    """What tox.ini has an environment install beside the project."""
    tox = configparser.ConfigParser(interpolation=None)
    tox.read(ROOT / "tox.ini")

    def dependencies(section: str, option: str) -> Iterator[str]:
        for line in filter(None, tox[section][option].splitlines()):
            if line.startswith("{["):
                yield from dependencies(*line.strip("{[}").split("]"))
            else:
                yield line

    return sorted(dependencies(f"testenv:{environment}", "deps"))


def _required(layer: Layer) -> list[str]:
    """What is installed in the virtual environment."""
    besides = tox_requirements(layer.environment) if layer.environment else []
    return requirements(layer.extras) + besides


@contextlib.contextmanager
def locked(path: pathlib.Path) -> Iterator[None]:
    path.parent.mkdir(parents=True, exist_ok=True)
    with open(path, "w") as file:  # its time tells when the tree was last asked for
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _build(release: str, layer: Layer, path: pathlib.Path) -> None:
    if layer.below is None:
        _bootstrap(release, layer.packages, path)
    else:
        below = tree(release, layer.below)
        run("cp", "--archive", "--reflink=auto", str(below), str(path))
    for name, content in layer.files:
        file = path / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(content)
        file.chmod(0o755 if content.startswith("#!") else 0o644)
    if layer.below is not None and layer.packages:
        install = ("install", "--yes", "--quiet", "--no-install-recommends", *layer.packages)
        chroot(path, "apt-get", "--option", f"{_EXPIRY}=false", "--quiet", "update")
        chroot(path, "apt-get", *install, DEBIAN_FRONTEND="noninteractive")
        chroot(path, "apt-get", "clean")
        _remove(path / "var/lib/apt/lists")
    if required := _required(layer):
        _make_environment(path, required)
    for command in layer.commands:
        chroot(path, *command)


def _bootstrap(release: str, packages: tuple[str, ...], path: pathlib.Path) -> None:
    mirror = os.environ.get("CG_GUEST_MIRROR")
    run(
        *("mmdebstrap", "--quiet", "--variant=minbase", f"--include={','.join(packages)}"),
        *(f"--dpkgopt=path-exclude={documents}" for documents in _NO_DOCUMENTS),
        f'--aptopt={_EXPIRY} "false"',
        *(release, str(path), *([mirror] if mirror else [])),
    )
    shutil.copyfile("/etc/resolv.conf", path / "etc/resolv.conf")


def _make_environment(path: pathlib.Path, required: list[str]) -> None:
    settings, certificates = _pip_configuration()
    if certificates:
        shutil.copyfile(certificates, path / "tmp/certificates")
        settings["PIP_CERT"] = "/tmp/certificates"
    shutil.copyfile(CONSTRAINTS, path / "tmp/constraints.txt")
    chroot(path, "python3", "-m", "venv", str(pathlib.PurePath(PYTHON).parents[1]))
    try:
        chroot(
            path,
            *(PYTHON, "-m", "pip", "install", "--quiet", "--no-cache-dir"),
            *("--constraint", "/tmp/constraints.txt", *required),
            **settings,
        )
    finally:
        (path / "tmp/certificates").unlink(missing_ok=True)
        (path / "tmp/constraints.txt").unlink()


def _pip_configuration() -> tuple[dict[str, str], str | None]:
    """This machine's settings as environment variables, and its file of certificates or None."""
    for pip in ([sys.executable, "-m", "pip"], ["pip"], ["pip3"]):
        with contextlib.suppress(OSError):
            done = subprocess.run([*pip, "config", "list"], capture_output=True, text=True)
            if done.returncode == 0:
                break
    else:
        return {}, None
    found = {}
    for line in done.stdout.splitlines():  # global.index-url='…', or :env:.index-url='…'
        name, _, value = line.partition("=")
        found[name.rpartition(".")[2]] = ast.literal_eval(value)
    settings = {
        f"PIP_{name.upper().replace('-', '_')}": " ".join(
            word for word in found[name].split() if not word.startswith("file:")
        )
        for name in _PIP_SETTINGS
        if name in found
    }
    return {name: value for name, value in settings.items() if value}, found.get("cert")


def chroot(path: pathlib.Path, *command: str, **environment: str) -> None:
    """Run a command in a tree, with nothing of this machine's environment."""
    settings = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL": "C.UTF-8", **environment}
    run("chroot", str(path), "env", "-i", *(f"{k}={v}" for k, v in settings.items()), *command)


def run(*command: str) -> str:
    """Run a command; gives back what it prints, or shows it when the command fails.

    :raises subprocess.CalledProcessError: it failed.
    """
    done = subprocess.run(
        command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    )
    output = done.stdout.decode(errors="replace")
    if done.returncode:
        sys.stderr.write(output[-8000:])
        raise subprocess.CalledProcessError(done.returncode, command)
    return output


def _remove(path: pathlib.Path) -> None:
    if path.exists():
        shutil.rmtree(path)


def _remove_unused() -> None:
    for lock in CACHE.glob("*.lock"):
        if time.time() - lock.stat().st_mtime > UNUSED:
            for path in CACHE.glob(f"{lock.stem}*"):
                if path.is_dir():
                    _remove(path)
                else:
                    path.unlink()


def main() -> int:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--layer", choices=LAYERS, default="test")
    parser.add_argument("releases", nargs="+", choices=RELEASES, metavar="RELEASE")
    arguments = parser.parse_args()
    for release in arguments.releases:
        print(tree(release, arguments.layer), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
