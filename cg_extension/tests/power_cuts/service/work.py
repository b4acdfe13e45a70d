# SPDX-License-Identifier: Apache-2.0
"""A client that asks for one thing after another, under a writer, until the power goes.

It does not wait for what it has asked for, but for the answers: several operations are under way at
any time. It asks only for what the service must accept, and ends at the first refusal.
"""

import itertools
import random
import sys
import time
from collections.abc import Callable
from typing import Any

from cg_extension.tests import http_client
from cg_extension.tests.lvm import writer
from cg_extension.tests.power_cuts.service import ledger as ledgers
from cg_extension.tests.power_cuts.service.ledger import CGSNAPSHOTS, GROUPS, SNAPSHOTS, VOLUMES

TYPE = "__DEFAULT__"
#: The group that is written to; its volumes are in use, and of these names.
BASE = "base"
MEMBERS = ("base-0", "base-1")
#: The group that volumes enter and leave begins with this name.
_SPARE = "spare"
# Things at a time; the disk has room for some more.
_MOST = {CGSNAPSHOTS: 3, GROUPS: 2, VOLUMES: 3, SNAPSHOTS: 2}
_UNDER_WAY = 4
_PAUSE = 0.2  # seconds between two looks at what is under way

_Body = dict[str, Any]


class Work:
    """The client. ``seed`` chooses what is asked for, and makes names that were not used before."""

    def __init__(self, caller: http_client.Client, ledger: ledgers.Ledger, seed: str) -> None:
        self._client = caller
        self._ledger = ledger
        self._chance = random.Random(seed)
        self._names = (f"{seed}-{number}" for number in itertools.count(1))
        # What is under way, with the ids of what it needs.
        self._pending: dict[tuple[str, str], set[str]] = {}

    def set_up(self) -> None:
        """Make the two groups, and the volumes that are written to; nothing is cut meanwhile."""
        for name in (BASE, _SPARE):
            self._create(GROUPS, {}, {"volume_types": TYPE}, name=name)
        self._settle()
        group = self._ledger.called(BASE)
        for name in MEMBERS:
            facts = {"size": 1, "consistencygroup_id": group}
            self._create(VOLUMES, facts, {**facts, "volume_type": TYPE}, name=name)
        self._settle()
        for name in MEMBERS:
            volume = self._ledger.called(name)
            attachment = {"instance_uuid": volume, "mountpoint": "/dev/vdb"}
            path = f"/volumes/{volume}/action"
            self._client.post(path, {"os-attach": attachment})

    def go_on(self) -> None:
        """For ever."""
        with writer.Writer([self._device(name) for name in MEMBERS]):
            print("at work", flush=True)
            while True:
                self._look()
                if len(self._pending) < _UNDER_WAY and (choices := self._choices()):
                    self._chance.choice(choices)()
                else:
                    time.sleep(_PAUSE)

    def probe(self) -> None:
        """Ask for a group snapshot and its deletion, and wait for both."""
        group = self._ledger.called(BASE)
        body = {"consistencygroup_id": group}
        snapshot = self._create(CGSNAPSHOTS, {"consistencygroup_id": group}, body)
        self._settle()
        self._delete(CGSNAPSHOTS, snapshot)
        self._settle()

    # What can be asked for

    def _choices(self) -> list[Callable[[], object]]:
        """What the service must accept now, some of it with more chances."""
        busy = {each for involved in self._pending.values() for each in involved}
        free = {
            kind: [each for each in self._ledger.of_kind(kind) if each not in busy]
            for kind in ledgers.KINDS
        }
        made = [each for each in free[GROUPS] if self._ledger.there[each].source]
        loose = [each for each in free[VOLUMES] if self._name(each) not in MEMBERS]
        outside = [each for each in loose if not self._group_of(each)]
        spare = [
            each
            for each, group in self._ledger.of_kind(GROUPS).items()
            if group.name.startswith(_SPARE) and each not in busy
        ]
        choices: list[Callable[[], object]] = []
        if self._has_room(CGSNAPSHOTS):
            choices += [self._take_group_snapshot] * 3
        if self._has_room(GROUPS):
            choices += [self._clone_group] * 2
            choices += [lambda: self._restore_group(self._any(free[CGSNAPSHOTS]))] * (
                2 * bool(free[CGSNAPSHOTS])
            )
        if self._has_room(SNAPSHOTS):
            choices += [self._take_snapshot]
        if self._has_room(VOLUMES):
            choices += [self._create_volume, self._clone_volume]
            choices += [lambda: self._restore_volume(self._any(free[SNAPSHOTS]))] * bool(
                free[SNAPSHOTS]
            )
        if spare and loose:
            choices += [lambda: self._update(spare[0], loose)] * 2
        for kind, deletable in (
            (CGSNAPSHOTS, free[CGSNAPSHOTS]),
            (SNAPSHOTS, free[SNAPSHOTS]),
            (VOLUMES, outside),
            (GROUPS, made),
        ):
            if deletable:
                choices += [lambda k=kind, d=deletable: self._delete(k, self._any(d))]
        return choices

    def _has_room(self, kind: str) -> bool:
        """Whether one more may be; those that are being deleted count as well."""
        there = [each for each in self._ledger.of_kind(kind) if self._counts(each)]
        going = [each for of, each in self._pending if of == kind and each in self._ledger.gone]
        return len(there) + len(going) < _MOST[kind]

    def _counts(self, identity: str) -> bool:
        thing = self._ledger.there[identity]
        return thing.name not in MEMBERS and (thing.kind != GROUPS or thing.source is not None)

    def _any(self, ids: list[str]) -> str:
        return self._chance.choice(sorted(ids))

    def _name(self, identity: str) -> str:
        return self._ledger.there[identity].name

    def _group_of(self, volume: str) -> str | None:
        group: str | None = self._ledger.there[volume].facts.get("consistencygroup_id")
        return group

    # Requests

    def _take_group_snapshot(self) -> None:
        facts = {"consistencygroup_id": self._ledger.called(BASE)}
        self._create(CGSNAPSHOTS, facts, facts)

    def _clone_group(self) -> None:
        self._make_group({"source_cgid": self._ledger.called(BASE)}, set())

    def _restore_group(self, source: str) -> None:
        self._make_group({"cgsnapshot_id": source}, {source})

    def _make_group(self, facts: _Body, needed: set[str]) -> None:
        self._create(
            *(GROUPS, facts, facts),
            path="/consistencygroups/create_from_src",
            envelope="consistencygroup-from-src",
            needed=needed,
        )

    def _take_snapshot(self) -> None:
        facts = {"volume_id": self._ledger.called(self._any(list(MEMBERS)))}
        self._create(SNAPSHOTS, facts, {**facts, "force": True})

    def _create_volume(self) -> None:
        facts = {"size": 1, "consistencygroup_id": None}
        self._create(VOLUMES, facts, {"size": 1})

    def _clone_volume(self) -> None:
        source = {"source_volid": self._ledger.called(self._any(list(MEMBERS)))}
        facts = {"size": 1, "consistencygroup_id": None, **source}
        self._create(VOLUMES, facts, {"size": 1, **source})

    def _restore_volume(self, source: str) -> None:
        facts = {"size": 1, "consistencygroup_id": None, "snapshot_id": source}
        self._create(VOLUMES, facts, {"size": 1, "snapshot_id": source}, needed={source})

    def _create(
        self,
        kind: str,
        facts: _Body,
        body: _Body,
        name: str = "",
        path: str = "",
        envelope: str = "",
        needed: set[str] | None = None,
    ) -> str:
        name = name or next(self._names)
        envelope = envelope or kind.removesuffix("s")
        self._ledger.begin(ledgers.Request(ledgers.CREATE, kind, name, facts))
        answer = self._client.post(path or f"/{kind}", {envelope: {**body, "name": name}})
        identity: str = answer[kind.removesuffix("s")]["id"]
        self._accepted(kind, identity, needed or set())
        return identity

    def _update(self, group: str, loose: list[str]) -> None:
        """Put a volume into the group, take one out, or both in one request."""
        inside = [each for each in loose if self._group_of(each) == group]
        outside = [each for each in loose if not self._group_of(each)]
        add = [self._any(outside)] if outside else []
        remove = [self._any(inside)] if inside and (not add or self._chance.random() < 0.5) else []
        name = f"{_SPARE}-{next(self._names)}"
        facts = {"id": group, "add": add, "remove": remove}
        self._ledger.begin(ledgers.Request(ledgers.UPDATE, GROUPS, name, facts))
        changes = {"name": name, "add_volumes": ",".join(add), "remove_volumes": ",".join(remove)}
        self._client.put(f"/consistencygroups/{group}/update", {"consistencygroup": changes})
        self._accepted(GROUPS, group, {*add, *remove})

    def _delete(self, kind: str, identity: str) -> None:
        self._ledger.begin(ledgers.Request(ledgers.DELETE, kind, identity))
        if kind == GROUPS:
            path = f"/{kind}/{identity}/delete"
            self._client.post(path, {"consistencygroup": {"force": True}})
        else:
            self._client.delete(f"/{kind}/{identity}")
        self._accepted(kind, identity, set())

    def _accepted(self, kind: str, identity: str, needed: set[str]) -> None:
        self._ledger.done(identity)
        self._pending[kind, identity] = {identity, *needed}

    # What has become of it

    def _look(self) -> None:
        """Forget what is under way no longer."""
        for kind, identity in list(self._pending):
            status = self._client.status(f"/{kind}/{identity}")
            if status.startswith("error"):
                sys.exit(f"{kind} {identity} is in {status}")
            if status not in http_client.UNDER_WAY:
                del self._pending[kind, identity]

    def _settle(self) -> None:
        while self._pending:
            self._look()
            time.sleep(_PAUSE)

    def _device(self, name: str) -> str:
        path = f"/volumes/{self._ledger.called(name)}/action"
        answer = self._client.post(path, {"os-initialize_connection": {"connector": {}}})
        device: str = answer["connection_info"]["data"]["device_path"]
        return device
