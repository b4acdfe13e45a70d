# SPDX-License-Identifier: Apache-2.0
"""What the freeze's program is told to do, and its encoding for that program."""

import dataclasses
import marshal
from collections.abc import Collection, Sequence
from typing import Any

from cg_extension.drivers.lvm import device_mapper


@dataclasses.dataclass(frozen=True, slots=True)
class Steps:
    """What is prepared before the freeze and taken in it, for volumes of one kind; see ``Plan``."""

    prepare: Sequence[Sequence[Any]]
    take: Sequence[Sequence[Any]]


@dataclasses.dataclass(frozen=True, slots=True)
class Plan:
    """What to do, in order; a step is a list: its kind, the device's name, then arguments.

    Kinds: ``["message", device, text]``, ``["load", device, [[start, length, kind,
    parameters], …]]``, ``["suspend", device]``, ``["resume", device]`` and ``["clear", device,
    bytes]`` (zeros from the start of the device, a multiple of 4096; not among ``take``).

    :param prepare: steps before the freeze; the first that fails ends it all.
    :param suspend: devices to hold, in this order; they are resumed in the reverse order.
    :param take: steps while I/O is held.
    :param deadline: seconds for which I/O may be held.
    :param shared: devices of those to hold that are one of several of a mounted file system. It is
        not frozen along with them: to freeze it writes to all, which may be held by then.
    """

    prepare: Sequence[Sequence[Any]]
    suspend: Sequence[str]
    take: Sequence[Sequence[Any]]
    deadline: float
    shared: Collection[str] = ()

    def encoded(self) -> bytes:
        """The plan as ``freeze`` reads it: all requests to the kernel are built already."""
        held = self.suspend
        return marshal.dumps(
            {
                "prepare": [_step(step) for step in self.prepare],
                "suspend": [
                    _ioctl(f"suspend {n}", device_mapper.suspend(n, n not in self.shared))
                    for n in held
                ],
                "take": [_step(step) for step in self.take],
                "resume": [_ioctl(f"resume {n}", device_mapper.resume(n)) for n in held],
                "deadline": float(self.deadline),
                "harmless": device_mapper.DEV_STATUS,
            }
        )


def _step(step: Sequence[Any]) -> tuple[str, str | int, int | bytes]:
    """``(text, number, content)`` of an ioctl, or ``(text, path, bytes)`` of what to clear."""
    text = " ".join(map(str, step[:2]))
    match step:
        case ["message", name, message]:
            return _ioctl(text, device_mapper.message(name, message))
        case ["load", name, targets]:
            lines = [device_mapper.Target(*line) for line in targets]
            return _ioctl(text, device_mapper.load(name, lines))
        case ["suspend", name]:
            return _ioctl(text, device_mapper.suspend(name))
        case ["resume", name]:
            return _ioctl(text, device_mapper.resume(name))
        case ["clear", name, size]:
            return text, f"/dev/mapper/{name}", size
    raise ValueError(f"not a step: {step!r}")


def _ioctl(text: str, request: device_mapper.Request) -> tuple[str, int, bytes]:
    return text, request.number, request.content
