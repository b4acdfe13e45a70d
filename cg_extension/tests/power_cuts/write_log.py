# SPDX-License-Identifier: Apache-2.0
"""A log of all writes to a device, and replaying it: what a disk holds that drops what was not
flushed, at each moment at which it could be asked.

The log is device-mapper's (Documentation/admin-guide/device-mapper/log-writes.rst): a write gets
into it when a flush has made it durable, or at once if it was a FUA write. So the log up to any
flush or FUA write is all that is surely on the disk then.
"""

import dataclasses
import os
import struct
from collections.abc import Iterator

# drivers/md/dm-log-writes.c: the flags of an entry, its head, and that of the log.
_FLUSH, _FUA, _DISCARD, _MARK = 1, 2, 4, 8
_SUPER = struct.Struct("<QQQI")
_ENTRY = struct.Struct("<QQQQ")
_MAGIC = 0x6A736677736872


@dataclasses.dataclass(frozen=True)
class Entry:
    """One entry: what it changes, in bytes, and what it says if it is a mark."""

    offset: int
    length: int
    data_at: int
    is_discard: bool
    is_durable: bool
    mark: str


def entries(log: int) -> Iterator[Entry]:
    """The entries of the log that is open as file descriptor ``log``."""
    magic, _version, count, sector = _SUPER.unpack(os.pread(log, _SUPER.size, 0))
    assert magic == _MAGIC, "not a log of writes"
    position = sector
    for _ in range(count):
        at, sectors, flags, text_length = _ENTRY.unpack(os.pread(log, _ENTRY.size, position))
        text = os.pread(log, text_length, position + _ENTRY.size) if flags & _MARK else b""
        position += sector
        length = sectors * sector
        yield Entry(
            offset=at * sector,
            length=length,
            data_at=position,
            is_discard=bool(flags & _DISCARD),
            is_durable=bool(flags & (_FLUSH | _FUA)),
            mark=text.rstrip(b"\0").decode(),
        )
        if not flags & (_DISCARD | _MARK):
            position += length


def replay(log: int, entry: Entry, target: int) -> None:
    """Do to the device or file ``target`` what the entry says."""
    if entry.is_discard:
        os.pwrite(target, bytes(entry.length), entry.offset)
    elif entry.length and not entry.mark:
        os.pwrite(target, os.pread(log, entry.length, entry.data_at), entry.offset)
