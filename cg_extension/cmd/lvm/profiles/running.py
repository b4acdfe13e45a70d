# SPDX-License-Identifier: Apache-2.0
"""``run``: one group snapshot of a profile, with its hooks, then the deletion of what is not kept.

=====  ============================================================================================
1      be the only run of the profile; run the after-hooks that an earlier one left
2      read the profile, find its members, look at their pools: refusals come before any hook
3      hooks before and sessions; the group snapshot; sessions end before it becomes complete
4      after-hooks, whatever happened
5      delete what no rule keeps, if there is a new group snapshot
6      tell the journal and the node exporter
=====  ============================================================================================
"""

import argparse
import contextlib
import datetime
import sys
import time
from collections.abc import Sequence
from typing import Any

from cg_extension.cmd.lvm import making, naming
from cg_extension.cmd.lvm.profiles import exits, hooks, pruning, reading, report
from cg_extension.cmd.lvm.profiles import state as states
from cg_extension.cmd.lvm.profiles.signals import Signals
from cg_extension.conf import errors
from cg_extension.drivers import exceptions
from cg_extension.drivers.lvm import commands, kinds, places, together
from cg_extension.drivers.lvm.making import Part


def run(options: argparse.Namespace) -> dict[str, Any]:
    """``run``."""
    name = reading.name_of(options.profile)
    if options.dry_run:
        return _foretell(options, reading.read(options.profile))
    try:
        return _run_alone(options, name)
    except (exceptions.DriverError, OSError) as error:
        message = f"profile {name}: {errors.describe(error)}"
        report.journal(report.FAILED, message, profile=name, status=getattr(error, "status", 1))
        raise


def _run_alone(options: argparse.Namespace, name: str) -> dict[str, Any]:
    with states.alone(name), Signals() as signals:
        left = states.load(name)
        undone, complaints = _undo(left, signals) if left else ([], [])
        if options.after_hooks:
            if left and complaints:
                message = f"profile {name}: {'; '.join(complaints)}"
                fields = {"profile": name, "snapshot": left.snapshot, "status": exits.TAKEN_BUT}
                report.journal(report.FAILED, message, **fields)
            status = {"status": exits.TAKEN_BUT} if complaints else {}
            return {"profile": name, "undone": undone, "warnings": complaints, **status}
        try:
            profile = reading.read(options.profile)
        except exits.ProfileError:
            _tell(complaints)
            raise
        return _Run(options, profile, signals, complaints).run()


def _undo(left: states.State, signals: Signals) -> tuple[list[str], list[str]]:
    """Run the after-hooks that an earlier run was killed before; those run, and which failed."""
    names = [undoing.name for undoing in reversed(left.undoings)]
    hooks.end_all(left)
    complaints = hooks.undo(left, signals)
    message = (
        f"profile {left.profile}: ran what a killed run left of after-hooks: {', '.join(names)}"
    )
    report.journal(report.UNDONE, message, profile=left.profile, snapshot=left.snapshot)
    return names, complaints


class _Run:
    """One run; ``complaints`` are what goes wrong beside the group snapshot itself."""

    def __init__(
        self,
        options: argparse.Namespace,
        profile: reading.Profile,
        signals: Signals,
        complaints: list[str],
    ) -> None:
        self._options = options
        self._profile = profile
        self._signals = signals
        self._complaints = complaints

    def run(self) -> dict[str, Any]:
        profile = self._profile.name
        try:
            answer = self._take()
        except (exceptions.DriverError, OSError) as error:
            found = None
            with contextlib.suppress(exceptions.DriverError, OSError):
                found = pruning.look(profile)
            self._write_figures(getattr(error, "status", 1), found)
            _tell(self._complaints)
            raise
        name = answer["snapshot"]
        message = f"profile {profile}: took {name}"
        held = f"{answer['held_seconds']:.6f}"
        report.journal(report.TAKEN, message, profile=profile, snapshot=name, held_seconds=held)
        plan, deleted, there = self._prune(name)
        answer |= _told(plan, deleted)
        self._write_figures(exits.TAKEN_BUT if self._complaints else 0, there)
        if self._complaints:
            answer["status"] = exits.TAKEN_BUT
            answer["warnings"] = [*answer["warnings"], *self._complaints]
            message = f"profile {profile}: {'; '.join(self._complaints)}"
            fields = {"profile": profile, "snapshot": name, "status": exits.TAKEN_BUT}
            report.journal(report.FAILED, message, **fields)
        return answer

    def _take(self) -> dict[str, Any]:
        """Take the group snapshot."""
        profile = self._profile
        name = profile.snapshot_name(datetime.datetime.now(datetime.UTC))
        found = places.find(profile.members, profile.with_submounts)
        _check_pools(profile, found)
        with naming.claimed(naming.SNAPSHOT, name, found.groups):
            parts = _parts(self._options, profile, name, found)
            held = self._take_within_hooks(name, parts)
        answer = making.answer("snapshot", name, held, parts, found.warnings)
        return {"profile": profile.name, "consistency": profile.consistency, **answer}

    def _take_within_hooks(self, name: str, parts: Sequence[Part]) -> float:
        """Gives back the seconds for which I/O was held."""
        profile = self._profile
        if profile.hooks:  # else it is the next thing to be done anyway
            together.check_sources(parts)
        state = states.State(profile.name, name)
        running = hooks.Hooks(profile.hooks, state)
        try:
            with self._signals.interrupting():
                running.begin()
            # A session that fails makes it worth less than its receipt says: it is undone.
            held = together.snapshot_group(parts, check=running.end_sessions).held
        except BaseException:
            state.result = states.FAILED
            with contextlib.suppress(hooks.HookError):
                running.end_sessions()
            hooks.end_all(state)
            self._complaints += hooks.undo(state, self._signals)
            raise
        state.result = states.TAKEN
        with contextlib.suppress(OSError):  # after a kill, after-hooks are not told of it then
            state.save()
        self._complaints += hooks.undo(state, self._signals)
        return held

    def _prune(
        self, newest: str
    ) -> tuple[pruning.Plan, Sequence[pruning.Taken], Sequence[pruning.Taken] | None]:
        """Delete what no rule keeps; the plan, those deleted, and those there are now."""
        profile = self._profile
        nothing = pruning.Plan([], [], [])
        try:
            found = pruning.look(profile.name)
        except (exceptions.DriverError, OSError) as error:
            self._complaints.append(f"nothing deleted: {errors.describe(error)}")
            return nothing, [], None
        if not any(each.name == newest and each.counts for each in found):
            self._complaints.append(f"nothing deleted: {newest} itself is not complete any more")
            return nothing, [], found
        plan = pruning.plan(found, profile.keep, newest)
        deleted, complaints = pruning.delete(self._options, plan.deleted, self._signals)
        self._complaints += complaints
        for each in deleted:
            message = f"profile {profile.name}: deleted {each.name}"
            report.journal(
                report.DELETED, message, profile=profile.name, snapshot=each.name, state=each.state
            )
        return plan, deleted, [each for each in found if each not in deleted]

    def _write_figures(self, status: int, found: Sequence[pruning.Taken] | None) -> None:
        directory = self._profile.metrics_directory
        if directory is None:
            return
        try:
            report.write_figures(directory, self._profile.name, time.time(), status, found)
        except OSError as error:
            self._complaints.append(f"no figures written: {errors.describe(error)}")


def _tell(complaints: Sequence[str]) -> None:
    for complaint in complaints:
        print(f"cg-lvm: {complaint}", file=sys.stderr)


def _parts(
    options: argparse.Namespace,
    profile: reading.Profile,
    name: str,
    found: places.Found,
    recovered: bool = True,
) -> list[Part]:
    """What to make; refused if the name is there, or what else stands in the way."""
    given = {
        **vars(options),
        "name": name,
        "deadline": profile.deadline,
        "cow_percent": profile.cow_percent,
        "pool_limits": {
            "data_limit": profile.data_limit,
            "metadata_limit": profile.metadata_limit,
        },
    }
    tags = [f"{naming.PROFILE}{profile.name}"]
    return making.parts_of_live(
        argparse.Namespace(**given), found, naming.SNAPSHOT, profile.consistency, tags, recovered
    )


def _check_pools(profile: reading.Profile, found: places.Found) -> list[dict[str, Any]]:
    """The thin pools of members, with what of them is in use.

    :raises UsageError: a member can't be one.
    :raises PoolAboveLimit: more than the profile allows.
    """
    pools: list[dict[str, Any]] = []
    for group in sorted(found.groups):
        volume_group = commands.VolumeGroup(group)
        volumes = volume_group.volumes(hidden=True)
        members = [name for of, name in found.volumes if of == group]
        for name in members:
            if name not in volumes:
                raise naming.no_volume(group, name)
            if reason := kinds.obstacle(volumes[name].traits):
                raise naming.UsageError(f"{group}/{name} {reason}")
        names = {volumes[name].pool for name in members}
        for pool in sorted(filter(None, names)):
            usage = volume_group.pool_usage(pool)
            pools.append(
                {
                    "pool": f"{group}/{pool}",
                    "data_percent": usage.data_percent,
                    "metadata_percent": usage.metadata_percent,
                }
            )
    limits = {"data": profile.data_limit, "metadata": profile.metadata_limit}
    above = [
        f"{pool[f'{what}_percent']:g} % of the {what} of pool {pool['pool']} is in use; the limit "
        f"of profile {profile.name} is {limit:g} %"
        for pool in pools
        for what, limit in limits.items()
        if pool[f"{what}_percent"] > limit
    ]
    if above:
        raise exits.PoolAboveLimit(
            f"{'; '.join(above)}: nothing was taken, and nothing is deleted; extend the pool, or "
            "delete group snapshots"
        )
    return pools


def _foretell(options: argparse.Namespace, profile: reading.Profile) -> dict[str, Any]:
    """What a run would do now; nothing is changed."""
    now = datetime.datetime.now(datetime.UTC)
    name = profile.snapshot_name(now)
    found = places.find(profile.members, profile.with_submounts)
    pools = _check_pools(profile, found)
    together.check_sources(_parts(options, profile, name, found, recovered=False))
    group = min(found.groups)
    new = pruning.Taken(name, group, now, pruning.COMPLETE)
    plan = pruning.plan([*pruning.look(profile.name), new], profile.keep, name)
    return {
        "profile": profile.name,
        "would_take": name,
        "consistency": profile.consistency,
        "members": ["/".join(volume) for volume in found.volumes],
        "pools": pools,
        "hooks": [
            {
                "hook": hook.name,
                "user": hook.user,
                **{
                    key: list(getattr(hook, key))
                    for key in ("before", "session", "after")
                    if getattr(hook, key)
                },
            }
            for hook in profile.hooks
        ],
        **_told(plan, plan.deleted),
        "warnings": list(found.warnings),
    }


def _told(plan: pruning.Plan, deleted: Sequence[pruning.Taken]) -> dict[str, Any]:
    return {
        "kept": [
            {"snapshot": each.name, "instant": _instant(each), "rules": list(rules)}
            for each, rules in plan.kept
        ],
        "deleted": [
            {"snapshot": each.name, "instant": _instant(each), "state": each.state}
            for each in deleted
        ],
        "left": [{"snapshot": each.name, "state": each.state} for each in plan.left],
    }


def _instant(each: pruning.Taken) -> str | None:
    return each.instant.isoformat().replace("+00:00", "Z") if each.instant else None
