# SPDX-License-Identifier: Apache-2.0
"""The group snapshots of a profile: what there is, what is kept, and the deletion of the rest.

A group snapshot is a profile's by a tag that it got when it was made, whatever it is called.
"""

import argparse
import dataclasses
import datetime
from collections.abc import Iterable, Sequence
from typing import Any

from cg_extension.cmd.lvm import keeping, machinery, naming
from cg_extension.cmd.lvm.profiles import retention
from cg_extension.cmd.lvm.profiles.signals import Signals
from cg_extension.conf import errors
from cg_extension.drivers import exceptions
from cg_extension.drivers.lvm import commands, receipts

COMPLETE = "complete"
LOST = "lost"
THIS_RUN = "this run"


@dataclasses.dataclass(frozen=True, slots=True)
class Taken:
    """A group snapshot of the profile.

    :param group: one of its volume groups, which tells it from others of its name.
    :param instant: None: its receipt does not tell.
    :param state: as ``cg-lvm list`` has it.
    """

    name: str
    group: str
    instant: datetime.datetime | None
    state: str

    @property
    def counts(self) -> bool:
        """Whether it may be kept as one of an hour, day and so on."""
        return self.state == COMPLETE and self.instant is not None


@dataclasses.dataclass(frozen=True, slots=True)
class Plan:
    """What becomes of the profile's group snapshots.

    :param kept: those that count, each with the rules by which it is kept.
    :param deleted: those that no rule keeps, and those lost, of which nothing can be made.
    :param left: those that are not counted and not touched: a part may only be away.
    """

    kept: Sequence[tuple[Taken, Sequence[str]]]
    deleted: Sequence[Taken]
    left: Sequence[Taken]


def look(profile: str) -> list[Taken]:
    """The profile's group snapshots, in all volume groups that can be read."""
    volumes = machinery.readable(
        machinery.all_names(), lambda name: commands.VolumeGroup(name).volumes(status=True)
    )
    found = []
    for family in naming.families(volumes):
        members = [volume for _group, volume in family.members]
        if family.prefix == naming.SNAPSHOT and all(
            naming.tag_value(volume, naming.PROFILE) == profile for volume in members
        ):
            instant = receipts.read(members[0].tags).instant
            found.append(Taken(family.name, family.groups[0], instant, keeping.state(family)))
    return found


def plan(found: Iterable[Taken], policy: retention.Policy, newest: str) -> Plan:
    """What becomes of them, once this run has taken the one called ``newest``."""
    taken = list(found)
    counting = {(each.group, each.name): each for each in taken if each.counts}
    decisions = retention.decide(
        (
            retention.Candidate("/".join(key), each.instant)
            for key, each in counting.items()
            if each.instant
        ),
        policy,
    )
    kept, deleted = [], []
    for decision in decisions:
        group, _slash, name = decision.candidate.name.partition("/")
        each = counting[group, name]
        # With a clock that went back it may not be the newest; it is not what nobody wants.
        rules = decision.rules or ((THIS_RUN,) if name == newest else ())
        if rules:
            kept.append((each, rules))
        else:
            deleted.append(each)
    deleted += [each for each in taken if each.state == LOST and not policy.is_empty]
    left = [each for each in taken if not each.counts and each not in deleted]
    return Plan(kept, deleted, left)


def delete(
    options: argparse.Namespace, unwanted: Iterable[Taken], signals: Signals
) -> tuple[list[Taken], list[str]]:
    """Delete group snapshots one after another; those deleted, and complaints of the others."""
    deleted, complaints = [], []
    for each in unwanted:
        if signals.came:
            complaints.append(f"ended by {signals.came}: {each.name} and others not deleted")
            break
        try:
            keeping.delete(_naming(options, each))
        except (exceptions.DriverError, OSError) as error:
            complaints.append(f"{each.name} not deleted: {errors.describe(error)}")
        else:
            deleted.append(each)
    return deleted, complaints


def _naming(options: argparse.Namespace, each: Taken) -> argparse.Namespace:
    """Options that name a group snapshot to ``keeping``."""
    given: dict[str, Any] = {**vars(options), "name": each.name, "volume_group": each.group}
    return argparse.Namespace(**given)
