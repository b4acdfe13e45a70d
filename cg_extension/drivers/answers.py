# SPDX-License-Identifier: Apache-2.0
"""Whether what a driver gave back is what ``drivers.base`` says; if not, in words for its author.

The manager asks before it believes an answer, and the conformance suite asks the same. Each
function gives the answer back, and raises a TypeError that says what was given and what is right.
"""

import dataclasses
import datetime
import json
import math
import reprlib
import typing
from collections.abc import Mapping, Sequence
from typing import Any, NoReturn

from cg_extension.contract import records
from cg_extension.drivers import base

# Characters that are kept of a driver's note or word.
_LONGEST = 255

_FIGURES = typing.get_type_hints(base.VolumeStats)


def model_update(update: Any) -> base.ModelUpdate:
    """The update of one volume or snapshot."""
    if not isinstance(update, Mapping):
        _wrong("An update", update, "a mapping, {} if there is nothing to note")
    location = update.get("provider_location")
    if location is not None and not _is_text(location):
        _wrong("provider_location", location, f"None or up to {_LONGEST} printable characters")
    return typing.cast(base.ModelUpdate, update)


def group_update(update: Any, members: int) -> base.GroupUpdate:
    """What a call for a group of ``members`` gave back, as what it stands for."""
    fields = base.GroupUpdate(*_fields("A GroupUpdate", update, 2, 5))
    _updates("members", fields.members, members)
    if not _is_number(fields.held_seconds):
        _wrong("held_seconds", fields.held_seconds, "a number, 0 or more")
    if fields.deadline_seconds is not None and not _is_number(fields.deadline_seconds):
        _wrong("deadline_seconds", fields.deadline_seconds, "None or a number, 0 or more")
    receipt = fields.receipt
    if receipt is None:
        return fields
    if not isinstance(receipt, records.Receipt):
        _wrong("receipt", receipt, "None or a Receipt")
    if not isinstance(receipt.instant, datetime.datetime) or receipt.instant.tzinfo is not None:
        _wrong("The receipt's instant", receipt.instant, "a datetime in UTC without tzinfo")
    if not _is_number(receipt.held_seconds):
        _wrong("The receipt's held_seconds", receipt.held_seconds, "a number, 0 or more")
    if not receipt.consistency or not _is_text(receipt.consistency):
        wanted = f"1 to {_LONGEST} printable characters"
        _wrong("The receipt's consistency", receipt.consistency, wanted)
    return fields


def membership_update(update: Any, added: int, removed: int) -> base.MembershipUpdate:
    """The same for a change of members."""
    fields = base.MembershipUpdate(*_fields("A MembershipUpdate", update, 3, 3))
    _updates("added", fields.added, added)
    _updates("removed", fields.removed, removed)
    return fields


def volume_stats(stats: Any) -> base.VolumeStats:
    """A backend's figures: each is of the type that its field has, and finite."""
    if not isinstance(stats, base.VolumeStats):
        _wrong("What get_volume_stats gives", stats, "a VolumeStats")
    for name, kind in _FIGURES.items():
        value = getattr(stats, name)
        if kind in (float, int):
            if not _is_number(value, least=-math.inf):
                _wrong(name, value, "a finite number")
        elif kind in (bool, str):
            if not isinstance(value, kind):
                _wrong(name, value, f"of type {kind.__name__}")
        else:
            _key, wanted = typing.get_args(kind)
            entries = value.items() if isinstance(value, Mapping) else [(value, None)]
            if not all(isinstance(k, str) and isinstance(v, wanted) for k, v in entries):
                _wrong(name, value, f"a mapping of str to {wanted.__name__}")
    for space in stats.pool_usage.values():
        for name, value in dataclasses.asdict(space).items():
            if not _is_number(value):
                _wrong(name, value, "a number, 0 or more")
    return stats


def lost_snapshots(reasons: Any) -> Mapping[str, str]:
    """Reasons by the ids of snapshots."""
    entries = reasons.items() if isinstance(reasons, Mapping) else [(None, None)]
    if not all(isinstance(k, str) and isinstance(v, str) for k, v in entries):
        _wrong("What get_lost_snapshots gives", reasons, "a mapping of ids to reasons, {} for none")
    return typing.cast(Mapping[str, str], reasons)


def connection(given: Any) -> records.Connection:
    """How a volume is reached."""
    wanted = "a mapping of driver_volume_type, a text, and data, a mapping that JSON can hold"
    if not (
        isinstance(given, Mapping)
        and isinstance(given.get("driver_volume_type"), str)
        and isinstance(given.get("data"), Mapping)
    ):
        _wrong("A connection", given, wanted)
    try:
        json.dumps(given)
    except (TypeError, ValueError):
        _wrong("A connection", given, wanted)
    return typing.cast(records.Connection, given)


def _fields(what: str, update: Any, least: int, most: int) -> Sequence[Any]:
    if not isinstance(update, tuple | list) or not least <= len(update) <= most:
        _wrong(what, update, f"such a one, or a tuple of {least} to {most} of its fields")
    return update


def _updates(name: str, updates: Any, count: int) -> None:
    if not isinstance(updates, tuple | list) or len(updates) != count:
        _wrong(name, updates, f"a list of {count} updates, one for each of the call's, in order")
    for update in updates:
        model_update(update)


def _is_text(value: Any) -> bool:
    return isinstance(value, str) and len(value) <= _LONGEST and value.isprintable()


def _is_number(value: Any, least: float = 0.0) -> bool:
    return isinstance(value, int | float) and math.isfinite(value) and value >= least


def _wrong(what: str, given: Any, wanted: str) -> NoReturn:
    raise TypeError(f"{what} is {reprlib.repr(given)}; it must be {wanted}")
