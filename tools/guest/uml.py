#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Run a command in User-Mode Linux, where there is device-mapper: ``uml.py -- COMMAND…``.

The guest's root is this machine's, read and write (hostfs), or with ``--release`` that of Debian's
tree, where what the guest writes is lost at its end. /run and $TMPDIR in it are its own. The
checkout is there under the same path.
Exits with the command's status; with 98, and the guest's console shown, when the guest hangs or
panics. Needs Debian's user-mode-linux and kmod, and a C compiler on processors with AMX.
"""

import argparse
import contextlib
import fcntl
import os
import pathlib
import random
import shlex
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))

from guest import checkout, tree

HERE = pathlib.Path(__file__).resolve().parent
MODULES = pathlib.Path("/usr/lib/uml/modules")
# Others are loaded by what needs them, or when a device-mapper table names their target.
_WANTED_MODULES = "dm-mod dm-snapshot dm-thin-pool dm-delay dm-flakey dm-zero loop"
GUEST_FAILED = 98

# The guest's own devices, without five hundred terminals that each LVM command would look at.
_DEVICES = "mount -t devtmpfs devtmpfs /dev && rm -f /dev/pty?? /dev/tty??"

# The first process on a tree, which stays as it is: all that is written goes to memory.
_OVERLAY = """\
#!/bin/bash
mount -t proc proc /proc
mount -t tmpfs -o size=80% tmpfs /run
mount -t hostfs -o {modules} none /srv
insmod "$(find /srv -name overlay.ko)"
umount /srv
mkdir /run/upper /run/work /run/root
mount -t overlay -o lowerdir=/,upperdir=/run/upper,workdir=/run/work overlay /run/root
mkdir -p /run/root{work}
mount --bind /mnt /run/root{work}
cd /run/root
mount --move . /
exec chroot . {work}/init
"""

_INIT = """\
#!/bin/bash
mount -t proc proc /proc
mount -t sysfs sys /sys
{mounts}
mount -t tmpfs -o size=80% tmpfs /run
mkdir -p /dev/shm /run/tmp /run/lock /lib/modules
mount -t tmpfs tmpfs /dev/shm
mount -t hostfs -o {modules} none /lib/modules
ip link set lo up
modprobe -a {wanted_modules}
# Not tmpfs: to make room in a file and to zero it must not cost the guest's memory.
truncate -s 100G /run/disk
mkfs.ext4 -q -O ^has_journal -T largefile4 -E nodiscard,lazy_itable_init=1 /run/disk
mount -o loop,discard /run/disk /run/tmp
{installation}
{environment}
export TMPDIR=/run/tmp DM_DISABLE_UDEV=1
cd {directory}
{command} >>{work}/output 2>&1
echo $? >{work}/status
sync
halt -f -p
"""


def boot(
    command: Sequence[str],
    memory: str = "2G",
    timeout: float = 1200,
    release: str | None = None,
    shares: Sequence[pathlib.Path] = (),
    layer: str = "test",
    disk: pathlib.Path | None = None,
) -> int:
    """Run ``command`` in a guest with ``memory``, for ``timeout`` seconds at most.

    Its output is passed on as it comes; gives back its exit status.

    :param release: of Debian, whose tree is the guest's root; None for this machine's own root.
    :param shares: directories that a guest on a tree sees, too, beside the checkout.
    :param layer: of the tree.
    :param disk: a file that is ``/dev/ubda`` in the guest. What was written there is kept whatever
        becomes of the guest, and zeros cost nothing.
    """
    with tempfile.TemporaryDirectory(prefix="uml") as name:
        work = pathlib.Path(name)
        root = ["rootflags=/", "rw", f"init={work}/init"]
        if release is not None:
            start = f'"mount -t hostfs -o {work} none /mnt && exec /mnt/overlay"'
            system = tree.tree(release, layer)
            root = [f"rootflags={system}", "ro", "init=/bin/sh", "--", "-c", start]
        _write_scripts(work, command, release, shares)
        output = work / "output"
        output.touch()
        with (
            open(work / "console", "wb") as console,
            open(output, errors="replace") as lines,
            _processor() as pinned,
        ):
            guest = subprocess.Popen(
                [
                    *(*pinned, "linux.uml", f"mem={memory}", "con=null", "con0=fd:0,fd:1", "quiet"),
                    *("panic=1", f"umid={work.name}", *([f"ubda={disk}"] if disk else [])),
                    *("root=/dev/root", "rootfstype=hostfs", *root),
                ],
                stdin=subprocess.DEVNULL,
                stdout=console,
                stderr=subprocess.STDOUT,
                env={**os.environ, **_registers(work)},
                start_new_session=True,
            )
            try:
                limit = time.monotonic() + timeout
                while guest.poll() is None and time.monotonic() < limit:
                    sys.stdout.write(lines.read())
                    sys.stdout.flush()
                    time.sleep(0.2)
            finally:
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(guest.pid, signal.SIGKILL)
                guest.wait()
                sys.stdout.write(lines.read())
        status = work / "status"
        if status.exists() and status.read_text().strip():
            return int(status.read_text())
        print(f"The guest ended without a result, or not within {timeout:g} s. Its console:")
        print((work / "console").read_text(errors="replace")[-8000:])
        return GUEST_FAILED


@contextlib.contextmanager
def _processor() -> Iterator[list[str]]:
    """A processor for a guest alone, if one is left; gives what goes before its command.

    Kernel and processes of a guest, of which one at a time runs, are processes here, and wake each
    other for each system call and page fault. On one processor that takes half the time. It is
    chosen at random, else guests of different containers would all take a machine's first.
    """
    tree.CACHE.mkdir(parents=True, exist_ok=True)
    with contextlib.ExitStack() as files:
        processors = list(os.sched_getaffinity(0))
        random.shuffle(processors)
        for number in processors:
            file = files.enter_context(open(tree.CACHE / f"processor-{number}", "w"))
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                continue
            yield ["taskset", "--cpu-list", str(number)]
            return
        yield []


def _write_scripts(
    work: pathlib.Path,
    command: Sequence[str],
    release: str | None,
    shares: Sequence[pathlib.Path],
) -> None:
    directory = pathlib.Path.cwd()
    if release is None:
        mounts, installation, environment = "", "", _own_environment()
    else:
        installation, environment = checkout.install(work / "project"), checkout.environment()
        if not directory.is_relative_to(tree.ROOT):
            directory = tree.ROOT
        paths = [shlex.quote(str(path)) for path in (tree.ROOT, *shares)]
        shared = [f"mkdir -p {path}\nmount -t hostfs -o {path} none {path}" for path in paths]
        mounts = "\n".join([_DEVICES, *shared])
        _write_script(work / "overlay", _OVERLAY.format(modules=MODULES, work=work))
    init = _INIT.format(
        mounts=mounts,
        modules=MODULES,
        wanted_modules=_WANTED_MODULES,
        installation=installation,
        environment="\n".join(f"export {k}={shlex.quote(v)}" for k, v in environment.items()),
        directory=shlex.quote(str(directory)),
        command=shlex.join(command),
        work=work,
    )
    _write_script(work / "init", init)


def _write_script(path: pathlib.Path, text: str) -> None:
    path.write_text(text)
    path.chmod(0o755)


def _own_environment() -> dict[str, str]:
    passed_on = {
        key: value
        for key, value in os.environ.items()
        if key in ("HOME", "LANG", "LC_ALL") or key.startswith(("PYTHON", "CG_"))
    }
    return {**passed_on, "PATH": f"/usr/sbin:/sbin:{os.environ['PATH']}"}


def _registers(work: pathlib.Path) -> dict[str, str]:
    """Environment with ``xstate.c`` preloaded, on a processor that needs it."""
    if "amx_tile" not in pathlib.Path("/proc/cpuinfo").read_text():
        return {}
    compiler = shutil.which("cc")
    if compiler is None:
        sys.exit("User-Mode Linux needs a C compiler on a processor with AMX; see xstate.c")
    library = work / "xstate.so"
    subprocess.run(
        [compiler, "-shared", "-fPIC", "-O2", "-o", library, HERE / "xstate.c"], check=True
    )
    return {"LD_PRELOAD": str(library)}


def main() -> int:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--memory", default="2G")
    parser.add_argument("--timeout", type=float, default=1200, metavar="SECONDS")
    parser.add_argument("--release", choices=tree.RELEASES)
    parser.add_argument("--layer", choices=tree.LAYERS, default="test", help="of its tree")
    parser.add_argument("--share", type=pathlib.Path, action="append", default=[], metavar="DIR")
    parser.add_argument("--disk", type=pathlib.Path, metavar="FILE")
    parser.add_argument("command", nargs="+")
    arguments = parser.parse_args()
    return boot(
        arguments.command,
        arguments.memory,
        arguments.timeout,
        arguments.release,
        arguments.share,
        arguments.layer,
        arguments.disk,
    )


if __name__ == "__main__":
    sys.exit(main())
