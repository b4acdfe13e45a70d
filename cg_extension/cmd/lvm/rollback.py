# SPDX-License-Identifier: Apache-2.0
"""``rollback``, now or at the next boot, and ``finish``, which the boot runs."""

import argparse
import contextlib
import datetime
import sys
from typing import Any

from cg_extension.cmd.lvm import machinery, making, naming, pending, succession
from cg_extension.conf.errors import describe
from cg_extension.drivers import exceptions
from cg_extension.drivers.lvm import at_work, commands, errors, exchange, rollback, sets
from cg_extension.drivers.lvm.making import Part

# One at a time on this machine: each goes by names that another would change.
_LOCK = "rollback"


def roll_back(options: argparse.Namespace) -> dict[str, Any]:
    """``rollback``: now, or noted for the next boot, or that is called off."""
    if options.cancel and (options.at_boot or options.keep_as):
        raise naming.UsageError("--cancel takes no other option of rollback")
    with at_work.alone(_LOCK, _tell_wait):
        if options.cancel:
            return _cancel(options)
        keep = options.keep_as or _new_name()
        return _roll_back(options, options.name, keep, options.volume_group, options.at_boot)


def finish(options: argparse.Namespace) -> dict[str, Any]:
    """``finish``: what a crash left of rollbacks and, at boot, those that wait for it.

    One that waited and can't be is called off: nobody would expect it at a boot much later.
    """
    finished, complaints = [], []
    if options.at_boot:
        with contextlib.suppress(OSError):  # no reason to leave things as they are
            pending.leave_to_next_boot()
    with at_work.alone(_LOCK, _tell_wait):
        cut = _cut()
        for group in commands.all_groups():
            if not sets.orphaned(group.tags):
                continue
            try:
                machinery.Groups([group.name], options)
                if group.name in _cut():
                    complaints.append(_not_finished(group.name))
                elif group.name in cut:
                    finished.append(group.name)
            except (exceptions.DriverError, OSError) as error:
                complaints.append(f"volume group {group.name}: {describe(error)}")
        waiting = _waiting()
        if options.at_boot:
            for name, keep, noted_in in waiting:
                try:
                    _roll_back(options, name, keep, noted_in)
                    finished.append(name)
                except rollback.Unfinished as error:
                    complaints.append(f"{name}: {error}")
                except (exceptions.DriverError, OSError) as error:
                    complaints.append(_given_up(name, keep, noted_in, describe(error)))
            options.left.clear()  # wiped after the next command: the boot does not wait for it
        try:
            complaints += pending.clear()
        except (exceptions.DriverError, OSError) as error:
            complaints.append(describe(error))
    if complaints:
        raise errors.LVMError("; ".join(complaints))
    answer: dict[str, Any] = {"finished": ", ".join(finished) or "nothing was to be finished"}
    if waiting and not options.at_boot:
        answer["waiting_for_the_boot"] = ", ".join(name for name, _keep, _group in waiting)
    return {**answer, "volumes": []}


def _tell_wait() -> None:
    print("cg-lvm: another rollback or finish is under way: waiting for its end", file=sys.stderr)


def _roll_back(
    options: argparse.Namespace,
    name: str,
    keep: str,
    of_group: str | None,
    at_boot: bool = False,
) -> dict[str, Any]:
    """Roll back to the group snapshot ``name``; with ``at_boot`` just note it.

    :param of_group: a volume group of it; None: the name tells which is meant.
    """
    family = machinery.find_snapshot(options, name, of_group)[1]
    with naming.claimed(naming.SNAPSHOT, keep, family.groups):
        return _roll_back_alone(options, name, keep, of_group, at_boot)


def _roll_back_alone(
    options: argparse.Namespace, name: str, keep: str, of_group: str | None, at_boot: bool
) -> dict[str, Any]:
    groups, family = machinery.find_snapshot(options, name, of_group)
    groups.recover(family.groups)
    family = groups.add_rest_of(naming.find(groups.volumes, name, [naming.SNAPSHOT]))
    if not family.is_complete:
        raise naming.UsageError(
            f"group snapshot {name} is not complete: it is still being made, was cut short, "
            "members were removed, or a volume group is missing"
        )
    if left := [group for group in _cut() if group in family.groups]:
        raise naming.UsageError(_not_finished(left[0]))
    for other, others_keep, group in _waiting():
        is_another = (other, others_keep) != (name, keep)
        if is_another and not set(family.groups).isdisjoint(_groups(options, other, group)):
            raise naming.UsageError(
                f"a rollback to {other} waits for the next boot: cg-lvm rollback --cancel {other}"
            )
    # At boot LVM may be about to activate them, but not have done so yet.
    parts = succession.parts(groups, family, keep, all_active=options.at_boot)
    if at_boot:
        rollback.check(parts)
        rollback.check_not_needed_at_boot(parts)
        pending.leave_to_next_boot()
        pending.note(family.groups)
        first = commands.VolumeGroup(family.groups[0])
        first.change_tags(add=[exchange.wanted_tag(name, keep)])
        first.flush()
        return {**_answer("at_boot", family, keep, parts), "warnings": pending.warnings()}
    pending.note(family.groups)
    try:
        rollback.roll_back(parts, making.show_progress)
    finally:
        _clear_notes()
    return _answer("rolled_back", family, keep, parts)


def _cancel(options: argparse.Namespace) -> dict[str, Any]:
    """Call off what waits for the next boot."""
    name, of_group = options.name, options.volume_group
    found = [
        (name, keep, noted_in)
        for waiting, keep, noted_in in _waiting()
        if waiting == name and (of_group is None or of_group in _groups(options, name, noted_in))
    ]
    if not found:
        where = f" in volume group {of_group}" if of_group else ""
        raise naming.UsageError(f"no rollback to {name} waits for the next boot{where}")
    if len(found) > 1:
        where = ", ".join(group for _name, _keep, group in found)
        raise naming.UsageError(
            f"several rollbacks to {name} wait for the next boot (in {where}): say of which volume "
            "group"
        )
    _call_off(*found[0])
    _clear_notes()
    return {"called_off": name, "volumes": []}


def _groups(options: argparse.Namespace, name: str, noted_in: str) -> list[str]:
    """The volume groups of a rollback that waits; where it is noted, if its snapshot is gone."""
    try:
        return machinery.find_snapshot(options, name, noted_in)[1].groups
    except naming.UsageError:
        return [noted_in]


def _cut() -> list[str]:
    """The volume groups in which a rollback was cut short, and is not finished yet."""
    return [
        group.name
        for group in commands.all_groups()
        if any(mark.kind == sets.BACK for mark in sets.orphaned(group.tags))
    ]


def _not_finished(group: str) -> str:
    return (
        f"a rollback in volume group {group} was cut short, and can't be finished before another "
        "volume group of it is back"
    )


def _waiting() -> list[tuple[str, str, str]]:
    """What waits for the next boot: the group snapshot, the state before, the volume group."""
    return [
        (name, keep, group.name)
        for group in commands.all_groups()
        for name, keep in exchange.waiting(group.tags)
    ]


def _call_off(name: str, keep: str, group: str) -> None:
    noted = commands.VolumeGroup(group)
    noted.change_tags(remove=[exchange.wanted_tag(name, keep)])
    noted.flush()


def _clear_notes() -> None:
    """Take notes off, if that works: one that stays costs a boot a look.

    What became of the rollback must be told.
    """
    with contextlib.suppress(exceptions.DriverError, OSError):
        pending.clear()


def _given_up(name: str, keep: str, group: str, reason: str) -> str:
    """Call off what the boot could not do; a sentence about it."""
    try:
        _call_off(name, keep, group)
    except (exceptions.DriverError, OSError) as error:
        still = f"it could not be called off ({describe(error)}), so the next boot tries again"
        return f"not rolled back to {name}: {reason}; {still}"
    return f"not rolled back to {name}, and no longer to be: {reason}"


def _new_name() -> str:
    now = datetime.datetime.now(datetime.UTC)
    return f"before-rollback-{now:%Y%m%dT%H%M%SZ}"


def _answer(kind: str, family: naming.Family, keep: str, parts: list[Part]) -> dict[str, Any]:
    copies = [(part, copy) for part in parts for copy in part.copies]
    return {
        kind: family.name,
        "state_before": keep if any(exchange.aside_name(c.tags) for _p, c in copies) else "none",
        "volumes": [
            {
                "volume": exchange.taken_name(copy.tags),
                "source": copy.source,
                "before": exchange.aside_name(copy.tags) or "none",
                "path": part.maker.device_path(exchange.taken_name(copy.tags) or ""),
                "volume_group": part.maker.group.name,
            }
            for part, copy in copies
        ],
    }
