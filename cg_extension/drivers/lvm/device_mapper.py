# SPDX-License-Identifier: Apache-2.0
"""The few raw device-mapper ioctls that the engine needs, after ``linux/dm-ioctl.h``.

A request is built first and sent later, so that the freeze has built all of its own before it holds
any I/O.
"""

import dataclasses
import errno
import fcntl
import os
import struct
from collections.abc import Iterator, Sequence
from types import TracebackType

CONTROL = "/dev/mapper/control"

# struct dm_ioctl: version[3], data_size, data_start, target_count, open_count (signed), flags,
# event_nr, padding, dev, name[128], uuid[129], data[7]; in the machine's own byte order.
_HEADER = struct.Struct("=3I3Ii3IQ128s129s7s")
_DEVICE_NAME_BYTES = 128
# struct dm_target_spec: sector_start, length (in sectors of 512 bytes), status, next,
# target_type[16]; the parameters follow as a string that ends in NUL.
_TARGET = struct.Struct("=QQiI16s")
# struct dm_target_msg: sector; the message follows.
_MESSAGE = struct.Struct("=Q")
_ANSWER_BYTES = 16384
# struct dm_target_versions: next, version[3], and the name.
_VERSION_BYTES = 64

_IOC_READ_WRITE = 3
_DM_IOCTL = 0xFD


def _request_number(command: int) -> int:
    """``_IOWR(DM_IOCTL, command, struct dm_ioctl)``, as ``asm-generic/ioctl.h`` lays it out."""
    return (_IOC_READ_WRITE << 30) | (_HEADER.size << 16) | (_DM_IOCTL << 8) | command


DEV_SUSPEND = _request_number(6)
DEV_STATUS = _request_number(7)
TABLE_LOAD = _request_number(9)
TABLE_STATUS = _request_number(12)
TARGET_MSG = _request_number(14)
GET_TARGET_VERSION = _request_number(17)

FLAG_SUSPEND = 1 << 1
FLAG_STATUS_TABLE = 1 << 4
FLAG_INACTIVE_PRESENT = 1 << 6
FLAG_BUFFER_FULL = 1 << 8
FLAG_SKIP_LOCKFS = 1 << 10
FLAG_NOFLUSH = 1 << 11


@dataclasses.dataclass(frozen=True, slots=True)
class Target:
    """One line of a table or of a status. ``start`` and ``length`` are in sectors of 512 bytes."""

    start: int
    length: int
    kind: str
    parameters: str


@dataclasses.dataclass(frozen=True, slots=True)
class Request:
    """An ioctl ready to be sent, as often as need be: the answer goes into another buffer."""

    number: int
    content: bytes


def suspend(name: str, lock_file_system: bool = True) -> Request:
    """Hold a device's I/O: flush what is under way, freeze a file system mounted on it."""
    flags = FLAG_SUSPEND if lock_file_system else FLAG_SUSPEND | FLAG_SKIP_LOCKFS
    return _request(DEV_SUSPEND, name, flags=flags)


def resume(name: str) -> Request:
    """Let a device's I/O go on; swaps in the table of the inactive slot, if one is loaded.

    No error on a device that is not suspended.
    """
    return _request(DEV_SUSPEND, name)


def device_status(name: str) -> Request:
    """Ask for a device's flags, which tell whether its I/O is held."""
    return _request(DEV_STATUS, name)


def message(name: str, text: str) -> Request:
    """Send a message to the target at sector 0 of a device, e.g. to a thin pool."""
    return _request(TARGET_MSG, name, payload=_MESSAGE.pack(0) + text.encode() + b"\0")


def load(name: str, targets: Sequence[Target]) -> Request:
    """Load a table into a device's inactive slot."""
    payload = b""
    for target in targets:
        parameters = _padded(target.parameters.encode() + b"\0")
        payload += _TARGET.pack(
            target.start,
            target.length,
            0,
            _TARGET.size + len(parameters),
            target.kind.encode(),
        )
        payload += parameters
    return _request(TABLE_LOAD, name, payload=payload, target_count=len(targets))


class Control:
    """The open control device. Needs CAP_SYS_ADMIN.

    :raises OSError: device-mapper is not there, or what the kernel answered to a request
        (ENXIO: no such device).
    """

    def __init__(self) -> None:
        self.fd = os.open(CONTROL, os.O_RDWR | os.O_CLOEXEC)

    def __enter__(self) -> "Control":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        os.close(self.fd)

    def send(self, request: Request) -> bytearray:
        """Send one request; gives back the kernel's answer, in the request's layout."""
        answer = bytearray(request.content)
        fcntl.ioctl(self.fd, request.number, answer)
        return answer

    def is_suspended(self, name: str) -> bool:
        """Whether a device's I/O is held."""
        return bool(_flags(self.send(device_status(name))) & FLAG_SUSPEND)

    def is_open(self, name: str) -> bool:
        """Whether someone has a device open: a program, a mount, another device on it."""
        try:
            return bool(_HEADER.unpack_from(self.send(device_status(name)))[6])
        except OSError as error:
            if error.errno == errno.ENXIO:  # gone meanwhile
                return False
            raise

    def has_waiting_table(self, name: str) -> bool:
        """Whether a table is loaded in a device's inactive slot, for the next resume."""
        return bool(_flags(self.send(device_status(name))) & FLAG_INACTIVE_PRESENT)

    def has_target(self, kind: str) -> bool:
        """Whether the kernel knows a kind of target, after loading its module if need be."""
        try:
            self.send(_request(GET_TARGET_VERSION, kind, payload=bytes(_VERSION_BYTES)))
        except OSError:  # EINVAL; ENOTTY before Linux 5.4, which can't be asked
            return False
        return True

    def table(self, name: str) -> list[Target]:
        """The live table of a device."""
        return self._targets(name, FLAG_STATUS_TABLE)

    def status(self, name: str) -> list[Target]:
        """The status of a device's targets, without making a thin pool commit first."""
        return self._targets(name, FLAG_NOFLUSH)

    def _targets(self, name: str, flags: int) -> list[Target]:
        size = _ANSWER_BYTES
        while True:
            answer = self.send(_request(TABLE_STATUS, name, flags=flags, payload=bytes(size)))
            if not _flags(answer) & FLAG_BUFFER_FULL:
                return list(_parse_targets(answer))
            size *= 4


def _request(
    number: int, name: str, flags: int = 0, payload: bytes = b"", target_count: int = 0
) -> Request:
    encoded = name.encode()
    if not 0 < len(encoded) < _DEVICE_NAME_BYTES:
        raise ValueError(f"not the name of a device-mapper device: {name!r}")
    payload = _padded(payload)
    header = _HEADER.pack(
        *(4, 0, 0),  # the interface's version; the kernel refuses another major number
        _HEADER.size + len(payload),
        _HEADER.size,
        target_count,
        0,
        flags,
        0,
        0,
        0,
        encoded,
        b"",
        b"",
    )
    return Request(number, header + payload)


def _padded(data: bytes) -> bytes:
    """Data with zeros up to a multiple of eight bytes, the alignment that dm-ioctl.h asks for."""
    return data + bytes(-len(data) % 8)


def _flags(answer: bytearray) -> int:
    return int(_HEADER.unpack_from(answer)[7])


def _parse_targets(answer: bytearray) -> Iterator[Target]:
    fields = _HEADER.unpack_from(answer)
    data_start, target_count = fields[4], fields[5]
    offset = data_start
    for _ in range(target_count):
        start, length, _status, following, kind = _TARGET.unpack_from(answer, offset)
        text_at = offset + _TARGET.size
        text = bytes(answer[text_at : answer.index(0, text_at)])
        yield Target(start, length, kind.rstrip(b"\0").decode(), text.decode().strip())
        # In an answer ``next`` counts from the start of the data, not of this target.
        offset = data_start + following
