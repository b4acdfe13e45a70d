# SPDX-License-Identifier: Apache-2.0
"""A QEMU guest on a release's tree: several processors, and systemd, udev, dmeventd as they come.

``Guest`` starts one, runs commands in it, kills it as a power cut does. Its root is an image of the
tree, and what it writes there is lost at its end, unless it is one that reboots; disks given to it
stay. A copy of the checkout is
there under the same path. KVM where it works, else QEMU's own translation, fifteen times slower.
Needs Debian's qemu-system-x86 and e2fsprogs.
"""

import contextlib
import functools
import json
import os
import pathlib
import shlex
import signal
import socket
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from types import TracebackType

from guest import agent, checkout, quick_boot, tree

GUEST_FAILED = 98
# Seconds from the start of QEMU to the guest's agent, on a busy machine.
BOOT_LIMIT = 600
# How often to try to boot a guest that panics before anything was run in it.
_BOOTS = 3
# Bytes of an image beyond its tree.
_SPARE = 2 << 30
_SHARED = "/run/guest"
# On a busy machine a timer may be late, which is no reason to panic at boot, and what mounts wait
# for a minute and a half at most may take longer. Mitigations of attacks cost time.
_FOR_TRANSLATION = (
    "no_timer_check mitigations=off nowatchdog systemd.default_device_timeout_sec=600"
)
# For scripts that end at the first failure: a command after "!" would not end them.
_FAILS = 'fails() { if "$@"; then return 1; fi; }\n'
_NINE_P = "trans=virtio,version=9p2000.L,msize=262144,cache=none"


class GuestDied(Exception):
    """The guest ended, was killed or did not answer in time; with the end of its console."""


class _BootDied(GuestDied):
    """It ended before anything was run in it."""


def image(root: pathlib.Path) -> pathlib.Path:
    """The image of a tree, beside it, made unless it is there."""
    path = root.with_suffix(".ext4")
    with tree.locked(root.with_suffix(".image.lock")):
        if not path.exists():
            unfinished = path.with_suffix(".unfinished")
            unfinished.unlink(missing_ok=True)
            used = int(tree.run("du", "--summarize", "--bytes", str(root)).split()[0])
            with open(unfinished, "wb") as file:
                file.truncate(used + _SPARE)
            tree.run(
                *("mkfs.ext4", "-q", "-F", "-L", "guest", "-E", "lazy_itable_init=1"),
                *("-d", str(root), str(unfinished)),
            )
            unfinished.rename(path)
    return path


class Guest:
    """A guest, in a ``with`` statement; it is killed at its end.

    :param disks: files of this machine, ``/dev/vdb`` and so on in the guest (by serial number
        ``disk0``, … as well); what reached them stays there over kills and boots.
    :param systemd: False boots a shell instead (``quick_boot``), in a fraction of the time.
    :param shares: directories that the guest sees, and may write to, under the same path.
    :param arguments: more for QEMU's command line.
    :param root: a tree made of layer ``machine``, to boot instead; there is no checkout in it.
    :param reboots: what it writes to its root stays over ``reboot`` and ``reset``.
    """

    def __init__(
        self,
        release: str,
        disks: Sequence[pathlib.Path] = (),
        systemd: bool = True,
        shares: Sequence[pathlib.Path] = (),
        memory: str = "4G",
        processors: int = 2,
        arguments: Sequence[str] = (),
        root: pathlib.Path | None = None,
        reboots: bool = False,
    ) -> None:
        """Say what it is to be; nothing is started."""
        self.release = release
        self.disks = disks
        self.systemd = systemd
        self.shares = tuple(shares)
        self.memory = memory
        self.processors = processors
        self.arguments = arguments
        self.root = root
        self.reboots = reboots

    def __enter__(self) -> "Guest":
        self._resources = contextlib.ExitStack()
        self._listening: threading.Thread | None = None
        with contextlib.ExitStack() as kept:
            if self.reboots:
                self._copy_root(kept)
            kept.callback(self._switch_off)
            self._switch_on()
            self.wait_for_boot()
            self._kept = kept.pop_all()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        where: TracebackType | None,
    ) -> None:
        self._kept.close()

    def _copy_root(self, kept: contextlib.ExitStack) -> None:
        name = kept.enter_context(tempfile.TemporaryDirectory(prefix="qemu-root", dir="/var/tmp"))
        self._own_root = pathlib.Path(name) / "root"
        tree.run("cp", "--sparse=always", str(image(self._tree())), str(self._own_root))

    def _switch_off(self) -> None:
        self._resources.close()
        if self._listening is not None:
            self._listening.join()

    def _switch_on(self) -> None:
        """Start it, whatever was before; returns at once."""
        self._switch_off()
        with contextlib.ExitStack() as resources:
            name = resources.enter_context(tempfile.TemporaryDirectory(prefix="qemu"))
            self._work = pathlib.Path(name)
            self._write_shared()
            self._start(resources)
            resources.callback(self.kill)
            self._resources = resources.pop_all()

    def wait_for_boot(self) -> None:
        """Wait until it takes commands, after ``reset`` and ``reboot``.

        :raises GuestDied: it can't be booted, or not within ``BOOT_LIMIT`` seconds.
        """
        # Several translated processors can trip over code that the kernel patches while it boots
        # ("Oops: int3" was seen); that is a power cut before anything has touched the disks.
        for _ in range(_BOOTS - 1):
            with contextlib.suppress(_BootDied):
                return self._connect()
            self._switch_on()
        return self._connect()

    def reset(self) -> None:
        """Cut the power, and give it back; returns before it has booted."""
        self.kill()
        self._switch_on()

    def reboot(self, timeout: float = 600) -> None:
        """End it in order, and start it again; returns before it has booted."""
        self.shut_down(timeout)
        self._switch_on()

    def _tree(self) -> pathlib.Path:
        return self.root or tree.tree(self.release, "system")

    def run(
        self,
        command: Sequence[str],
        timeout: float = 600,
        output: Callable[[str], object] | None = None,
        environment: Mapping[str, str] | None = None,
        directory: pathlib.Path = tree.ROOT,
    ) -> tuple[int, str]:
        """Run a command in the guest, as root; several threads may do so at the same time.

        :param timeout: in seconds.
        :param output: is called with each piece of what it prints as it comes.
        :param environment: variables beside the usual ones.
        :return: its exit status, and what it printed.
        :raises GuestDied: the guest ended, or the time ran out.
        """
        with self._changed:
            self._last_id += 1
            number, work = self._last_id, self._work
        file = work / f"output-{number}"
        file.touch()
        request = {
            "id": number,
            "command": list(command),
            "output": file.name,
            "directory": str(directory),
            "environment": {**checkout.environment(), **(environment or {})},
        }
        limit = time.monotonic() + timeout
        with open(file, errors="replace") as lines:
            with contextlib.suppress(OSError):  # then ``_listen`` finds it dead
                self._socket.sendall(json.dumps(request).encode() + b"\n")
            while True:
                with self._changed:
                    self._changed.wait_for(lambda: number in self._ended or self._dead, 0.3)
                    has_ended = self._dead or work != self._work  # and been started again
                    status = self._ended.get(number) if work == self._work else None
                    over = has_ended or time.monotonic() > limit
                if output is not None and (text := lines.read()):
                    output(text)
                if status is not None:
                    return status, file.read_text(errors="replace")
                if over:
                    raise GuestDied(f"{shlex.join(command)}: no answer\n{self.console()[-4000:]}")

    def run_script(
        self, script: str, timeout: float, *arguments: str, directory: pathlib.Path = tree.ROOT
    ) -> tuple[int, str]:
        """Run shell commands, all of which must succeed, but for those after ``fails``.

        :param arguments: ``$0`` and so on.
        :return: as of ``run``, with the commands themselves in what it printed.
        :raises GuestDied: as ``run``.
        """
        return self.run(["sh", "-exc", _FAILS + script, *arguments], timeout, directory=directory)

    def console(self) -> str:
        """What QEMU complained of, and what the guest printed on its console so far."""
        files = [self._work / "errors", self._work / "console"]
        return "".join(f.read_text(errors="replace") for f in files if f.exists())

    def kill(self) -> None:
        """End it at once, as a power cut: what QEMU has not passed on to a disk's file is lost."""
        with contextlib.suppress(ProcessLookupError):
            os.kill(self._process.pid, signal.SIGKILL)
        self._process.wait()

    def runs(self) -> bool:
        """Whether it has not ended; it may still boot."""
        return self._process.poll() is None

    def shut_down(self, timeout: float = 300) -> None:
        """End it in order, or by ``kill`` after ``timeout`` seconds."""
        command = "systemctl poweroff" if self.systemd else "sync; echo o >/proc/sysrq-trigger"
        with contextlib.suppress(GuestDied):
            self.run(["sh", "-c", command], timeout)
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(timeout)
        self.kill()

    def _write_shared(self) -> None:
        """What the guest finds in its ``/run/guest``, which is this machine's work directory."""
        shared = self._work
        (shared / "agent.py").write_bytes(pathlib.Path(agent.__file__).read_bytes())
        lines = [f"mkdir -p {shared}", f"mount --bind {_SHARED} {shared}"]
        if self.root is None:
            lines.append(checkout.copy(shared / "checkout.tar"))
            lines.append(checkout.install(shared / "project"))
        for number, path in enumerate(self.shares):
            place = shlex.quote(str(path))
            lines += [f"mkdir -p {place}", f"mount -t 9p -o {_NINE_P} share{number} {place}"]
        (shared / "setup").write_text("\n".join(lines))

    def _start(self, resources: contextlib.ExitStack) -> None:
        system = self._tree()
        root = f"{self._own_root}" if self.reboots else f"{image(system)},snapshot=on"
        (kernel,) = (system / "boot").glob("vmlinuz-*")
        if self.systemd:
            (initrd,) = (system / "boot").glob("initrd.img-*")
        else:
            initrd = self._work / "initrd"
            quick_boot.write_initrd(system, initrd)
        append = f"root=/dev/vda rw console=ttyS0 panic=-1 quiet {_FOR_TRANSLATION}"
        command = [
            *("qemu-system-x86_64", "-accel", _accelerator(kernel), "-cpu", "max,la57=off"),
            *("-smp", str(self.processors), "-m", self.memory),
            *("-machine", "q35", "-nodefaults", "-display", "none", "-no-reboot"),
            *("-serial", f"file:{self._work}/console"),
            *("-kernel", str(kernel), "-initrd", str(initrd), "-append", append),
            # Before the other disks, which come after it in the guest as well: /dev/vda.
            *("-drive", f"file={root},format=raw,if=none,id=root"),
            *("-device", "virtio-blk-pci,drive=root"),
            *("-object", "rng-random,id=random,filename=/dev/urandom"),
            *("-device", "virtio-rng-pci,rng=random", "-device", "virtio-serial"),
            *("-chardev", f"socket,id=agent,path={self._work}/socket,server=on,wait=off"),
            *("-device", f"virtserialport,chardev=agent,name={agent.PORT}"),
        ]
        for tag, path in [("guest", self._work), *_numbered("share", self.shares)]:
            command += ["-virtfs", f"local,path={path},mount_tag={tag},security_model=none"]
        for serial, path in _numbered("disk", self.disks):
            command += [
                *("-drive", f"file={path},format=raw,if=none,id={serial},cache=writeback"),
                *("-device", f"virtio-blk-pci,drive={serial},serial={serial}"),
            ]
        errors = resources.enter_context((self._work / "errors").open("wb"))
        self._process = subprocess.Popen(
            [*command, *self.arguments],
            stdin=subprocess.DEVNULL,
            stdout=errors,
            stderr=errors,
            start_new_session=True,
        )

    def _connect(self) -> None:
        """Wait for the agent.

        :raises GuestDied: there is none, or the guest could not be set up.
        """
        self._changed = threading.Condition()
        self._last_id = 0
        self._ended: dict[int, int] = {}
        self._dead = False
        self._setup: str | None = None
        self._socket = self._resources.enter_context(socket.socket(socket.AF_UNIX))
        limit = time.monotonic() + BOOT_LIMIT
        while True:
            with contextlib.suppress(OSError):
                self._socket.connect(f"{self._work}/socket")
                break
            if self._process.poll() is not None or time.monotonic() > limit:
                raise GuestDied(self.console())
            time.sleep(0.05)
        self._listening = threading.Thread(target=self._listen, daemon=True)
        self._listening.start()
        with self._changed:
            self._changed.wait_for(lambda: self._setup is not None or self._dead, BOOT_LIMIT)
        if self._setup is None and self._dead:
            raise _BootDied(f"no agent\n{self.console()[-4000:]}")
        if self._setup != "":
            raise GuestDied(self._setup or f"no agent\n{self.console()[-4000:]}")

    def _listen(self) -> None:
        received = b""
        with contextlib.suppress(OSError):
            while piece := self._socket.recv(65536):
                received += piece
                *lines, received = received.split(b"\n")
                for line in lines:
                    message = json.loads(line)
                    with self._changed:
                        if "setup" in message:
                            self._setup = message["output"] if message["setup"] else ""
                        else:
                            self._ended[message["id"]] = message["status"]
                        self._changed.notify_all()
        with self._changed:
            self._dead = True
            self._changed.notify_all()


@functools.cache
def _accelerator(kernel: pathlib.Path) -> str:
    """KVM if a kernel boots in it until it misses its root; that the device exists says nothing."""
    command = [
        *("qemu-system-x86_64", "-accel", "kvm", "-cpu", "max", "-m", "512M", "-no-reboot"),
        *("-display", "none", "-monitor", "none", "-nic", "none", "-serial", "stdio"),
        *("-kernel", str(kernel), "-append", "console=ttyS0 panic=-1"),
    ]
    with contextlib.suppress(subprocess.TimeoutExpired):
        done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, timeout=20)
        if done.returncode == 0 and b"Kernel panic" in done.stdout:
            return "kvm"
    return "tcg,thread=multi"


def _numbered(word: str, paths: Sequence[pathlib.Path]) -> list[tuple[str, pathlib.Path]]:
    return [(f"{word}{number}", path) for number, path in enumerate(paths)]
