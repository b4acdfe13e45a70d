#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Run a command in User-Mode Linux, where there is device-mapper: ``uml.py -- COMMAND…``.

The guest's root is this machine's, read and write (hostfs); /run and $TMPDIR in it are its own.
Exits with the command's status; with 98, and the guest's console shown, when the guest hangs or
panics. Needs Debian's user-mode-linux and kmod, and a C compiler on processors with AMX.
"""

import argparse
import contextlib
import os
import pathlib
import shlex
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence

HERE = pathlib.Path(__file__).resolve().parent
MODULES = pathlib.Path("/usr/lib/uml/modules")
# In the order in which they need each other.
WANTED_MODULES = (
    *("dax", "dm-mod", "dm-bufio", "dm-snapshot", "dm-bio-prison", "dm-persistent-data"),
    *("dm-thin-pool", "dm-delay", "dm-flakey", "loop"),
    *("async_tx", "async_memcpy", "async_xor", "async_pq", "async_raid6_recov", "md-mod"),
    *("raid0", "raid1", "raid10", "raid456", "dm-raid", "dm-log", "dm-region-hash", "dm-mirror"),
    *("dm-cache", "dm-cache-smq", "dm-writecache", "dm-integrity"),
)
GUEST_FAILED = 98

INIT = """\
#!/bin/bash
mount -t proc proc /proc
mount -t sysfs sys /sys
mount -t tmpfs -o size=80% tmpfs /run
mkdir -p /dev/shm /run/tmp /run/lock
mount -t tmpfs tmpfs /dev/shm
ip link set lo up
{insmod}
# Not tmpfs: to make room in a file and to zero it must not cost the guest's memory.
truncate -s 100G /run/disk
mkfs.ext4 -q -O ^has_journal -T largefile4 -E nodiscard,lazy_itable_init=1 /run/disk
mount -o loop /run/disk /run/tmp
{environment}
export TMPDIR=/run/tmp DM_DISABLE_UDEV=1
cd {directory}
{command} >>{work}/output 2>&1
echo $? >{work}/status
sync
halt -f -p
"""


def boot(command: Sequence[str], memory: str = "2G", timeout: float = 1200) -> int:
    """Run ``command`` in a guest with ``memory``, for ``timeout`` seconds at most.

    Its output is passed on as it comes; gives back its exit status.
    """
    with tempfile.TemporaryDirectory(prefix="uml") as name:
        work = pathlib.Path(name)
        init = work / "init"
        init.write_text(_init(command, work))
        init.chmod(0o755)
        output = work / "output"
        output.touch()
        with open(work / "console", "wb") as console, open(output) as lines:
            guest = subprocess.Popen(
                [
                    *("linux.uml", f"mem={memory}", "root=/dev/root", "rootfstype=hostfs"),
                    *("rootflags=/", "rw", f"init={init}", "con=null", "con0=fd:0,fd:1"),
                    *("quiet", "panic=1", f"umid={work.name}"),
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


def _init(command: Sequence[str], work: pathlib.Path) -> str:
    passed_on = {
        key: value
        for key, value in os.environ.items()
        if key in ("HOME", "LANG", "LC_ALL") or key.startswith(("PYTHON", "CG_"))
    }
    passed_on["PATH"] = f"/usr/sbin:/sbin:{os.environ['PATH']}"
    found = [next(MODULES.rglob(f"{module}.ko"), None) for module in WANTED_MODULES]
    return INIT.format(
        insmod="\n".join(f"insmod {path}" for path in found if path),
        environment="\n".join(
            f"export {key}={shlex.quote(value)}" for key, value in passed_on.items()
        ),
        directory=shlex.quote(os.getcwd()),
        command=shlex.join(command),
        work=work,
    )


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
    parser.add_argument("command", nargs="+")
    arguments = parser.parse_args()
    return boot(arguments.command, arguments.memory, arguments.timeout)


if __name__ == "__main__":
    sys.exit(main())
