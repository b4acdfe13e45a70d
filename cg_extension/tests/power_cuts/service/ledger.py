# SPDX-License-Identifier: Apache-2.0
"""What was asked of the service and what it accepted, kept where no power is cut.

``begin ACTION NAME FACTS`` before a request, ``done ACTION NAME ID`` once it is accepted. A request
that was begun and not accepted may be carried out or not, but not in part: the audit says ``settled
there NAME ID`` or ``settled gone NAME`` when it has seen which.
"""

import dataclasses
import json
import pathlib
from collections.abc import Iterable
from typing import Any

from cg_extension.tests.power_cuts import journal

CREATE, UPDATE, DELETE = "create", "update", "delete"
#: Collections of the API, and the database's tables of the same names.
VOLUMES, SNAPSHOTS = "volumes", "snapshots"
GROUPS, CGSNAPSHOTS = "consistencygroups", "cgsnapshots"
KINDS = (VOLUMES, SNAPSHOTS, GROUPS, CGSNAPSHOTS)


@dataclasses.dataclass(frozen=True)
class Request:
    """One request.

    ``name``, without blanks and used once, is that of what is created; the new one of a group that
    is updated; the id of what is deleted. ``facts`` are columns of the row that is created, or
    ``id``, ``add`` and ``remove`` (ids of volumes) of an update.
    """

    action: str
    kind: str
    name: str
    facts: dict[str, Any] = dataclasses.field(default_factory=dict)


@dataclasses.dataclass
class Thing:
    """What must be there: its row's columns, as far as the requests say them."""

    kind: str
    facts: dict[str, Any]

    @property
    def name(self) -> str:
        return str(self.facts["name"])

    @property
    def source(self) -> str | None:
        """The id of what a group was made of, if of something."""
        return self.facts.get("cgsnapshot_id") or self.facts.get("source_cgid")


class Ledger:
    """The state that follows from all lines up to now; ``FileLedger`` keeps them."""

    def __init__(self, lines: Iterable[str] = ()) -> None:
        #: By id what must be there. Volumes of groups that were made of something, and parts of
        #: group snapshots, have no entry.
        self.there: dict[str, Thing] = {}
        #: Ids of what must not be there.
        self.gone: set[str] = set()
        #: What was asked for last, while it is not known to be accepted.
        self.open: Request | None = None
        for line in lines:
            self._take(line)

    def begin(self, request: Request) -> None:
        """A request is about to be sent."""
        facts = json.dumps({"kind": request.kind, **request.facts})
        self._note(f"begin {request.action} {request.name} {facts}")

    def done(self, identity: str) -> None:
        """It was accepted; ``identity`` is the id of what it is about."""
        assert self.open is not None
        self._note(f"done {self.open.action} {self.open.name} {identity}")

    def settle(self, identity: str | None) -> None:
        """It was carried out, or not if there is no ``identity``."""
        assert self.open is not None
        self._note(
            f"settled there {self.open.name} {identity}"
            if identity
            else f"settled gone {self.open.name}"
        )

    def of_kind(self, kind: str) -> dict[str, Thing]:
        """Things of one kind, by id."""
        return {each: thing for each, thing in self.there.items() if thing.kind == kind}

    def called(self, name: str) -> str:
        """The id of the one that has this name."""
        (found,) = (each for each, thing in self.there.items() if thing.facts["name"] == name)
        return found

    def _note(self, line: str) -> None:
        self._keep(line)
        self._take(line)

    def _keep(self, line: str) -> None:
        """Nothing: what is noted here is for this process."""

    def _take(self, line: str) -> None:
        event, action, name, *rest = line.split(maxsplit=3)
        if event == "begin":
            facts = json.loads(rest[0])
            self.open = Request(action, facts.pop("kind"), name, facts)
            return
        if rest:
            self._carry_out(self.open, rest[0].strip())
        self.open = None

    def _carry_out(self, request: Request | None, identity: str) -> None:
        assert request is not None
        if request.action == CREATE:
            self.there[identity] = Thing(request.kind, {**request.facts, "name": request.name})
        elif request.action == UPDATE:
            self.there[identity].facts["name"] = request.name
            for volume in request.facts["add"]:
                self.there[volume].facts["consistencygroup_id"] = identity
            for volume in request.facts["remove"]:
                self.there[volume].facts["consistencygroup_id"] = None
        else:
            members = {
                each
                for each, volume in self.of_kind(VOLUMES).items()
                if volume.facts.get("consistencygroup_id") == identity
            }
            for each in {identity, *members}:
                del self.there[each]
            self.gone |= {identity, *members}


class FileLedger(Ledger):
    """A ledger in a file that the guest shares with the host."""

    def __init__(self, path: pathlib.Path) -> None:
        self._file = journal.Lines(path)
        super().__init__(self._file.whole())

    def _keep(self, line: str) -> None:
        self._file.append(line)
