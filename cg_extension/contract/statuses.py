# SPDX-License-Identifier: Apache-2.0
"""All statuses and their changes in one place, as data: a :class:`Machine` per kind of resource.

Whoever changes a status takes the transition from here and writes it by compare and swap.
``tools/draw_statuses.py`` draws the diagrams of docs/operations.md from it.
"""

import dataclasses
import enum
import functools
from collections.abc import Collection, Iterator, Mapping

from cg_extension.contract import exceptions


class Status(enum.StrEnum):
    """The statuses of all resources, in Cinder's words."""

    CREATING = "creating"
    AVAILABLE = "available"
    IN_USE = "in-use"
    UPDATING = "updating"
    DELETING = "deleting"
    ERROR = "error"
    ERROR_DELETING = "error_deleting"
    # The resource is gone: stands in notifications, and never in a row.
    DELETED = "deleted"


@dataclasses.dataclass(frozen=True, slots=True)
class Transition:
    """A change from any of ``sources`` to ``target``.

    A row is inserted in the target of a transition without sources, and removed by one to
    ``DELETED``.
    """

    sources: frozenset[str]
    target: str


@dataclasses.dataclass(frozen=True, slots=True)
class Work:
    """Durable work: ``begin`` is written with the operation's row, one of the others ends it."""

    begin: Transition
    succeed: Transition
    fail: Transition


@dataclasses.dataclass(frozen=True)
class Machine:
    """All that can happen to the status of one kind of resource, which messages call ``name``.

    ``work`` takes time; other ``changes`` happen at once.
    """

    name: str
    work: Mapping[str, Work]
    changes: Mapping[str, Transition] = dataclasses.field(default_factory=dict)

    def transitions(self) -> Iterator[tuple[str, Transition]]:
        """All transitions, each after the name of the event that causes it."""
        for action, work in self.work.items():
            yield action, work.begin
            yield f"{action} succeeds", work.succeed
            yield f"{action} fails", work.fail
        yield from self.changes.items()

    @functools.cached_property
    def under_way(self) -> Mapping[str, str]:
        """The statuses in which work is under way, with the name of that work."""
        return {work.begin.target: action for action, work in self.work.items()}

    @functools.cached_property
    def statuses(self) -> frozenset[str]:
        """The statuses that a row can have."""
        return frozenset(each.target for _event, each in self.transitions()) - {Status.DELETED}

    @property
    def resettable(self) -> frozenset[str]:
        """The statuses that may be set by hand: those in which no work is under way."""
        return self.statuses.difference(self.under_way)

    def check(self, resource_id: str, status: str, allowed: Collection[str]) -> None:
        """:raises InvalidState: the resource's status is not one of those ``allowed``."""
        if status not in allowed:
            raise exceptions.InvalidState(
                reason=f"{self.name} {resource_id} is {status}; "
                f"it must be {' or '.join(sorted(allowed))}."
            )

    def reset(self, seen: str, status: str) -> Transition:
        """The transition to a ``status`` set by hand, from the one ``seen``, whichever that is.

        :raises InvalidInput: ``status`` may not be set by hand.
        """
        if status not in self.resettable:
            allowed = ", ".join(sorted(self.resettable))
            raise exceptions.InvalidInput(reason=f"status must be one of {allowed}")
        return Transition(frozenset({seen}), status)


def _transition(*sources: Status, to: Status) -> Transition:
    return Transition(frozenset(sources), to)


def _work(begin: Transition, succeed: Status, fail: Status) -> Work:
    during = frozenset({begin.target})
    return Work(begin, Transition(during, succeed), Transition(during, fail))


_DELETABLE = (Status.AVAILABLE, Status.ERROR, Status.ERROR_DELETING)
_CREATE = _work(_transition(to=Status.CREATING), Status.AVAILABLE, Status.ERROR)
_UPDATE = _work(_transition(Status.AVAILABLE, to=Status.UPDATING), Status.AVAILABLE, Status.ERROR)
_DELETE = _work(_transition(*_DELETABLE, to=Status.DELETING), Status.DELETED, Status.ERROR_DELETING)
# The backend has lost a snapshot's content; its group snapshot goes with it.
_LOSE = _transition(Status.AVAILABLE, to=Status.ERROR)

# Not even with force is a group deleted while an operation on it is under way.
GROUP = Machine("Consistency group", {"create": _CREATE, "update": _UPDATE, "delete": _DELETE})
CGSNAPSHOT = Machine("Group snapshot", {"create": _CREATE, "delete": _DELETE}, {"lose": _LOSE})
SNAPSHOT = Machine("Snapshot", {"create": _CREATE, "delete": _DELETE}, {"lose": _LOSE})
VOLUME = Machine(
    "Volume",
    {"create": _CREATE, "delete": _DELETE},
    {
        "attach": _transition(Status.AVAILABLE, to=Status.IN_USE),
        "detach": _transition(Status.IN_USE, to=Status.AVAILABLE),
        # Like delete, but also takes a volume that a fault left in-use without an attachment.
        "force_delete": _transition(*_DELETABLE, Status.IN_USE, to=Status.DELETING),
    },
)

# Statuses of a group, group snapshot or snapshot from which, or in which, something can be made.
USABLE = frozenset({Status.AVAILABLE})

# A group in these keeps its status when its name or description is changed.
RENAMABLE_GROUP = GROUP.statuses - {Status.DELETING}

# Volumes in these statuses hold data that a group snapshot or a new group can be taken from.
SNAPSHOTTABLE_VOLUME = frozenset({Status.AVAILABLE, Status.IN_USE})
ADDABLE_VOLUME = SNAPSHOTTABLE_VOLUME
REMOVABLE_VOLUME = frozenset({*_DELETABLE, Status.IN_USE})
