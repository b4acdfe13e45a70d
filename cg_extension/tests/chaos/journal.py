# SPDX-License-Identifier: Apache-2.0
"""What clients asked for and what they were told: the side of the story that the audit checks."""

import collections
import dataclasses
import threading

GROUPS, VOLUMES = "consistencygroups", "volumes"
CGSNAPSHOTS, SNAPSHOTS = "cgsnapshots", "snapshots"
COLLECTIONS = (GROUPS, CGSNAPSHOTS, VOLUMES, SNAPSHOTS)


@dataclasses.dataclass(frozen=True)
class Resource:
    """A resource of which a client knows."""

    collection: str
    id: str


class Journal:
    """Kept by all clients together; safe for threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        # Answers by status; ``None`` where there was none.
        self.answers: collections.Counter[int | None] = collections.Counter()
        # Server errors that are no honest "try again later".
        self.failures: list[str] = []
        self.created: set[Resource] = set()
        self.deleted: set[Resource] = set()
        # Deletions that may have been accepted: also those that were not answered.
        self._maybe_deleted: set[Resource] = set()
        self._groups_of: collections.defaultdict[str, set[str]] = collections.defaultdict(set)

    def answer(self, request: str, status: int | None, body: object) -> None:
        """Note an answer, or with None that there was none."""
        with self._lock:
            self.answers[status] += 1
            if status is not None and status >= 500 and status != 503:
                self.failures.append(f"{request}: {status} {body}")

    def creation(self, resource: Resource) -> None:
        """A creation was accepted."""
        with self._lock:
            self.created.add(resource)

    def deletion(self, resource: Resource, *, accepted: bool) -> None:
        """A deletion was accepted, or may have been."""
        with self._lock:
            self._maybe_deleted.add(resource)
            if accepted:
                self.deleted.add(resource)

    def joins(self, volume_id: str, group_id: str) -> None:
        """A client asked for a volume to be in a group."""
        with self._lock:
            self._groups_of[volume_id].add(group_id)

    def may_be_gone(self, resource: Resource) -> bool:
        """Whether a client asked for its deletion, alone or with a group that it is in."""
        holders = {Resource(GROUPS, group_id) for group_id in self._groups_of[resource.id]}
        return not self._maybe_deleted.isdisjoint({resource, *holders})

    @property
    def accepted(self) -> int:
        """How many requests were accepted."""
        return self.answers[202]
