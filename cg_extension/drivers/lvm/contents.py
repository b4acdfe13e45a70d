# SPDX-License-Identifier: Apache-2.0
"""The content of block devices: copying one to another, and wiping.

Root's part is done a piece at a time, so that a caller can show progress and stop, and so that no
privileged call runs for hours. In between nothing keeps a device: each piece makes sure that it is
still the volume that was meant, since others may have given its name to another.
"""

import contextlib
import errno
import fcntl
import mmap
import os
import struct
import subprocess
import threading
from collections.abc import Callable, Iterator, Sequence

from cg_extension.drivers import steps
from cg_extension.drivers.lvm import at_work, errors, machine, privileged

Progress = Callable[[int, int], None]
# A device's path and LVM's UUID of the volume that it is to be, None if it is to be none.
_Meant = tuple[str, str | None]

_PIECE = 64 << 20
_BUFFER = 1 << 20
# <linux/fs.h>: write zeros to a range of a block device, by its own means where it has any.
_BLKZEROOUT = 0x127F


def copy_all(
    devices: Sequence[tuple[str, str, int]],
    workers: int,
    progress: Progress | None = None,
) -> None:
    """Copy ``(source, target, bytes)`` devices, ``workers`` pieces at a time.

    :param progress: called with the bytes done and the bytes in all after each piece.
    :raises LVMError: a device could not be read or written; the targets are then of no use.
    """
    uuids = {path: machine.volume_uuid(path) for device in devices for path in device[:2]}
    total = sum(size for _source, _target, size in devices)
    done = 0
    pieces = [
        ((source, uuids[source]), (target, uuids[target]), offset, min(_PIECE, size - offset))
        for source, target, size in devices
        for offset in range(0, size, _PIECE)
    ]
    import concurrent.futures  # which group snapshots need not wait for

    with concurrent.futures.ThreadPoolExecutor(workers) as pool:
        running = [pool.submit(_copy, *piece) for piece in pieces]
        try:
            for finished in concurrent.futures.as_completed(running):
                done += finished.result()
                steps.checkpoint("lvm.piece_copied")
                if progress:
                    progress(done, total)
        except OSError as error:
            raise errors.LVMError(f"copying failed: {os.strerror(error.errno or 0)}") from error
        finally:
            for future in running:
                future.cancel()


def clear(
    device: str, offset: int, size: int, ionice: Sequence[str] = (), uuid: str | None = None
) -> None:
    """Write zeros to ``size`` bytes of a device from ``offset`` on, durably.

    :param ionice: arguments of ionice(1), e.g. ``["-c3"]`` for the idle class.
    :param uuid: LVM's of the volume that is meant; None: that of the device as it is now.
    :raises LVMError: the device could not be written.
    """
    meant = (device, uuid or machine.volume_uuid(device))
    try:
        for start in range(offset, offset + size, _PIECE):
            _clear(meant, start, min(_PIECE, offset + size - start), list(ionice))
    except OSError as error:
        raise errors.LVMError(f"wiping {device} failed: {error.strerror}") from error


@privileged.entrypoint
def _copy(source: _Meant, target: _Meant, offset: int, size: int) -> int:
    """Copy a piece; the device itself makes runs of zeros, which costs most devices nothing."""
    with (
        _opened(source, os.O_RDONLY | os.O_DIRECT) as read_from,
        _opened(target, os.O_WRONLY | os.O_DIRECT) as write_to,
    ):
        with at_work.work(), mmap.mmap(-1, _BUFFER) as buffer:
            zeros = bytes(_BUFFER)
            for position in range(offset, offset + size, _BUFFER):
                length = min(_BUFFER, offset + size - position)
                with memoryview(buffer)[:length] as part:
                    if os.preadv(read_from, [part], position) != length:
                        raise OSError(errno.EIO, f"short read of {source[0]}")
                    if buffer[:length] == zeros[:length]:  # as bytes; views compare slowly
                        _zero(write_to, position, length)
                    elif os.pwrite(write_to, part, position) != length:
                        raise OSError(errno.EIO, f"short write to {target[0]}")
            os.fsync(write_to)
        return size


@privileged.entrypoint
def _clear(device: _Meant, offset: int, size: int, ionice: list[str]) -> None:
    with _opened(device, os.O_WRONLY) as fd, at_work.work(), _io_priority(ionice):
        _zero(fd, offset, size)
        os.fsync(fd)  # Zeros in a disk's cache are lost when the power fails.


@contextlib.contextmanager
def _opened(device: _Meant, flags: int) -> Iterator[int]:
    """A descriptor of a device.

    :raises LVMError: it is another volume by now.
    """
    path, uuid = device
    fd = os.open(path, flags | os.O_CLOEXEC)
    try:
        if machine.volume_uuid(fd) != uuid:
            raise errors.LVMError(f"{path} is another volume by now; it was left as it is")
        yield fd
    finally:
        os.close(fd)


def _zero(fd: int, offset: int, size: int) -> None:
    fcntl.ioctl(fd, _BLKZEROOUT, struct.pack("QQ", offset, size))


@contextlib.contextmanager
def _io_priority(ionice: list[str]) -> Iterator[None]:
    """Let this thread do its I/O with the priority that ionice(1) sets for these arguments."""
    thread = ["-p", str(threading.get_native_id())]
    if not ionice:
        yield
        return
    subprocess.run(["ionice", *ionice, *thread], check=True, capture_output=True)
    try:
        yield
    finally:
        subprocess.run(["ionice", "-c", "0", *thread], check=True, capture_output=True)
