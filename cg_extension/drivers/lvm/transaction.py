# SPDX-License-Identifier: Apache-2.0
"""The steps by which a set becomes complete or goes, in one volume group or over several.

``sets`` says what the tags mean, and why the steps come in this order. Over several groups the
first by name decides.
"""

import contextlib
import logging
from collections.abc import Callable, Iterator, Mapping, Sequence

from cg_extension.drivers import steps
from cg_extension.drivers.lvm import commands, errors, removal, sets

LOG = logging.getLogger(__name__)


@contextlib.contextmanager
def all_or_nothing(
    removals: Sequence[removal.Removal],
    disks: Mapping[str, Sequence[str]] | None = None,
    undo: Callable[[], None] = lambda: None,
) -> Iterator[str]:
    """All that the block makes with the tag given here is complete at once, or is removed.

    :param removals: one for each volume group in which something is made.
    :param disks: by volume group, the paths of the disks that hold what the block has made, where
        the block knows them; LVM is asked for others at its end.
    :param undo: takes back what else the block has done, after a failure before the decision: while
        all that was made is there still, by which recovery can do it instead.
    """
    name = sets.new()
    deciding, *others = in_order(removals)
    marks = {deciding: sets.mark(sets.BEGUN, name)}
    records: list[str] = []
    may_be_decided = False
    try:
        if others:
            uuid = _uuids(deciding.group)
            decides = sets.mark(sets.BEGUN, name, uuid[deciding.group.name])
            marks |= dict.fromkeys(others, decides)
            records = [sets.mark(sets.MADE, name, uuid[other.group.name]) for other in others]
        for each, mark in marks.items():
            each.group.change_tags(add=[mark])
        steps.checkpoint("lvm.begun")
        yield sets.member_tag(name)
        # A set is complete only once its content would survive a power cut. The second flush
        # makes the completion itself survive.
        known = disks or {}
        written = {each: known.get(each.group.name) or each.group.devices() for each in marks}
        for each in marks:
            commands.flush(written[each])
        may_be_decided = True
        deciding.group.change_tags(add=records, remove=[marks[deciding]])
        commands.flush(written[deciding])
    except (Exception, KeyboardInterrupt):
        # What a command that failed has changed all the same must be undone first.
        is_open = not may_be_decided or _undecide(deciding, records, marks[deciding])
        if others and not is_open:
            raise
        if is_open:
            undo()
        for each, mark in marks.items():
            each.discard(name, mark)
        raise
    if others:
        steps.checkpoint("lvm.decided")
        for other, record in zip(others, records, strict=True):
            _close(deciding, other, marks[other], record)
    steps.checkpoint("lvm.finished")


@contextlib.contextmanager
def removed_at_last(removals: Sequence[removal.Removal]) -> Iterator[str]:
    """All that the block makes with the tag given here is removed in any case."""
    name = sets.new()
    ordered = in_order(removals)
    try:
        for each in ordered:
            each.group.change_tags(add=[sets.mark(sets.BEGUN, name)])
        yield sets.member_tag(name)
    except (Exception, KeyboardInterrupt):
        for each in ordered:
            each.discard_temporaries(name)
        raise
    for each in ordered:
        each.discard_temporaries(name)


def delete(wanted: Sequence[tuple[removal.Removal, Sequence[str]]]) -> None:
    """Wipe, if thick, and remove volumes and snapshots; those not there count as removed.

    All of them go or none, in all volume groups; otherwise as ``Removal.delete``.

    :param wanted: the names in each volume group.
    """
    ordered = sorted(wanted, key=lambda item: item[0].group.name)
    if len(ordered) == 1:
        removing, names = ordered[0]
        removing.delete(names)
        return
    looked = [(removing, *removing.look_at(names)) for removing, names in ordered]
    looked = [item for item in looked if item[1]]
    if len(looked) < 2:
        for removing, gone, _volumes in looked:
            removing.delete(volume.name for volume in gone)
        return
    shared = set.intersection(
        *(sets.common(gone, volumes.values()) for _r, gone, volumes in looked)
    )
    name = min(shared, default=None)
    if name is None:
        name = sets.new()
        for removing, gone, _volumes in looked:
            removing.name_set(gone, name)
    (deciding, _gone, _volumes), *others = looked
    mark = sets.mark(sets.GOING, name)
    uuid = _uuids(deciding.group)
    other_mark = sets.mark(sets.GOING, name, uuid[deciding.group.name])
    records = [sets.mark(sets.DELETED, name, uuid[each[0].group.name]) for each in others]
    others_removals = [removing for removing, _gone, _volumes in others]
    try:
        for removing in others_removals:
            removing.group.change_tags(add=[other_mark])
            removing.group.flush()
        steps.checkpoint("lvm.prepared")
        deciding.group.change_tags(add=[mark, *records])
        deciding.group.flush()
        steps.checkpoint("lvm.going")
        for removing, gone, _volumes in looked:
            removing.take_out(gone)
    except errors.LVMError:
        if all(removing.are_whole(gone) for removing, gone, _volumes in looked) and _undecide(
            deciding, [mark, *records]
        ):
            for removing in others_removals:
                removing.group.change_tags(remove=[other_mark])
        raise
    for (removing, gone, volumes), record in zip(others, records, strict=True):
        if removing.settle(gone, volumes, other_mark):
            _close(deciding, removing, None, record)
    deciding.settle(looked[0][1], looked[0][2], mark)


def in_order(removals: Sequence[removal.Removal]) -> list[removal.Removal]:
    """One for each volume group, in the order of the groups' names."""
    by_name = {each.group.name: each for each in reversed(removals)}
    return [by_name[name] for name in sorted(by_name)]


def _uuids(group: commands.VolumeGroup) -> dict[str, str]:
    """The UUIDs of all volume groups by name."""
    return {each.name: each.uuid for each in group.all_groups()}


def _undecide(deciding: removal.Removal, remove: Sequence[str], *add: str) -> bool:
    """Take back a decision that failed and yet may be on the disks; tells whether it is.

    Where that fails, nothing else is touched: the next start finds what was decided.
    """
    try:
        deciding.group.change_tags(add=add, remove=remove)
        deciding.group.flush()
    except errors.LVMError as error:
        LOG.warning("Left to the next start: %s: %s", remove, error)
        return False
    return True


def _close(
    deciding: removal.Removal, other: removal.Removal, mark: str | None, record: str
) -> None:
    """Take a mark off that counts no more, and then the record; what fails is left for later."""
    try:
        if mark:
            other.group.change_tags(remove=[mark])
        other.group.flush()
        deciding.group.change_tags(remove=[record])
    except errors.LVMError as error:
        LOG.warning("Tags left to be taken off later: %s: %s", record, error)
