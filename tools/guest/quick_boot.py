# SPDX-License-Identifier: Apache-2.0
"""A guest's boot without udev and systemd: an initrd with no more than what mounts the root.

The kernel's modules and the programs (klibc's, which need hardly a library) are those of the
guest's tree. Under QEMU's translation an initrd of initramfs-tools takes longer to unpack than this
one to boot.
"""

import lzma
import pathlib
from collections.abc import Iterator

# A module that is built into the kernel has no file.
_MODULES = ("virtio_pci", "virtio_blk", "crc32c_generic", "ext4")
_PROGRAMS = ("sh", "mount", "insmod", "run-init")
# ``/bin/sh -c`` in the guest's own root.
_START = (
    "mount -t proc proc /proc; mount -t sysfs sys /sys; "
    "mkdir -p /dev/shm /dev/pts; mount -t tmpfs tmpfs /dev/shm; mount -t devpts devpts /dev/pts; "
    "mount -t tmpfs tmpfs /run; mkdir -p /run/lock; ip link set lo up; "
    "exec /usr/local/sbin/guest-start"
)
_INIT = """\
#!/bin/sh
mount -t devtmpfs dev /dev
{load}
mount -t ext4 /dev/vda /root
mount -o move /dev /root/dev
exec run-init /root /bin/sh -c "{start}"
"""


def write_initrd(tree: pathlib.Path, path: pathlib.Path) -> None:
    """Write the initrd for the kernel of a tree; the root is ``/dev/vda``."""
    modules = list(_modules(tree))
    load = "\n".join(f"insmod /modules/{name}" for name, _content in modules)
    with open(path, "wb") as archive:
        for directory in ("bin", "usr", "usr/lib", "dev", "root", "modules"):
            archive.write(_entry(directory, 0o40755))
        archive.write(_entry("lib", 0o120777, b"usr/lib"))
        archive.write(_entry("init", 0o100755, _INIT.format(load=load, start=_START).encode()))
        for library in (tree / "usr/lib").glob("klibc-*.so"):
            archive.write(_entry(f"usr/lib/{library.name}", 0o100755, library.read_bytes()))
        for name in _PROGRAMS:
            content = (tree / "usr/lib/klibc/bin" / name).read_bytes()
            archive.write(_entry(f"bin/{name}", 0o100755, content))
        for name, content in modules:
            archive.write(_entry(f"modules/{name}", 0o100644, content))
        archive.write(_entry("TRAILER!!!", 0))


def _modules(tree: pathlib.Path) -> Iterator[tuple[str, bytes]]:
    """The files of the modules, each after those that it needs."""
    (directory,) = (tree / "usr/lib/modules").iterdir()
    needed: dict[str, list[str]] = {}
    for line in (directory / "modules.dep").read_text().splitlines():
        file, _, others = line.partition(":")
        name = pathlib.PurePath(file).name.partition(".")[0]
        needed[name] = [*reversed(others.split()), file]
    files = dict.fromkeys(file for name in _MODULES for file in needed.get(name, ()))
    for file in files:
        content = (directory / file).read_bytes()
        if file.endswith(".xz"):
            content = lzma.decompress(content)
        yield pathlib.PurePath(file).name.removesuffix(".xz"), content


def _entry(name: str, mode: int, content: bytes = b"") -> bytes:
    """One entry of an archive in cpio's newc format (the kernel's initramfs-buffer-format.rst)."""
    encoded = name.encode() + b"\0"
    fields = (0, mode, 0, 0, 1, 0, len(content), 0, 0, 0, 0, len(encoded), 0)
    head = b"070701" + b"".join(b"%08X" % field for field in fields) + encoded
    return b"".join(piece + bytes(-len(piece) % 4) for piece in (head, content))
