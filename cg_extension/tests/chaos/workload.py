# SPDX-License-Identifier: Apache-2.0
"""A client that does random things with its project's resources until it is told to stop."""

import random
import threading
from collections.abc import Callable, Mapping
from typing import Any

import requests

from cg_extension.tests import http_client
from cg_extension.tests.chaos import journal
from cg_extension.tests.chaos.journal import CGSNAPSHOTS, GROUPS, SNAPSHOTS, VOLUMES

# Above this many volumes a project's clients rather delete than create.
_ENOUGH = 40


class Worker(threading.Thread):
    """One client in a thread of its own.

    :param types: names of volume types to choose from.
    """

    def __init__(
        self, seed: str, connection: http_client.Client, types: list[str], log: journal.Journal
    ) -> None:
        super().__init__(name=f"client {seed}", daemon=True)
        self._random = random.Random(seed)
        self._client = connection
        self._types = types
        self._journal = log
        self._stopping = threading.Event()
        self._known: dict[str, list[Mapping[str, Any]]] = {
            collection: [] for collection in journal.COLLECTIONS
        }
        self._actions: dict[Callable[[], None], int] = {
            self._create_volume: 3,
            self._create_group: 2,
            self._create_cgsnapshot: 4,
            self._create_from_source: 3,
            self._update_group: 3,
            self._create_snapshot: 1,
            self._copy_volume: 2,
            self._delete: 4,
            self._delete_group: 2,
        }

    def stop(self) -> None:
        self._stopping.set()

    def run(self) -> None:
        while not self._stopping.is_set():
            if self._random.random() < 0.3:
                self._look()
            crowded = len(self._known[VOLUMES]) > _ENOUGH
            actions = [self._delete, self._delete_group] if crowded else list(self._actions)
            weights = [self._actions[action] for action in actions]
            self._random.choices(actions, weights)[0]()
            self._stopping.wait(self._random.uniform(0, 0.1))

    def _look(self) -> None:
        collection = self._random.choice(journal.COLLECTIONS)
        answer = self._call("GET", f"/{collection}/detail")
        if answer is not None and answer.status_code == 200:
            self._known[collection] = answer.json()[collection]

    def _call(self, method: str, path: str, body: Any = None) -> requests.Response | None:
        """None: there was no answer, or one that leaves open whether it was carried out."""
        try:
            answer = self._client.request(method, path, body)
            told = answer.json() if answer.content else {}
        except requests.RequestException:
            self._journal.answer(f"{method} {path}", None, None)
            # Not at full speed against a server that is away.
            self._stopping.wait(0.2)
            return None
        self._journal.answer(f"{method} {path}", answer.status_code, told)
        return answer if answer.status_code < 500 else None

    def _create(self, collection: str, name: str, values: Any, path: str = "") -> str | None:
        answer = self._call("POST", f"/{collection}{path}", {name: values})
        if answer is None or answer.status_code != 202:
            return None
        created = next(iter(answer.json().values()))
        self._journal.creation(journal.Resource(collection, created["id"]))
        self._known[collection].append(created)
        identity: str = created["id"]
        return identity

    def _pick(self, collection: str) -> Mapping[str, Any] | None:
        """One that is usable as far as we know; now and then any."""
        known = self._known[collection]
        if self._random.random() < 0.9:
            known = [each for each in known if each["status"] in ("available", "creating")]
        return self._random.choice(known) if known else None

    def _create_volume(self) -> None:
        values: dict[str, Any] = {"size": self._random.choice((1, 2))}
        group = self._pick(GROUPS) if self._random.random() < 0.7 else None
        if group is not None:
            values["consistencygroup_id"] = group["id"]
            values["volume_type"] = self._random.choice(group["volume_types"])
        else:
            values["volume_type"] = self._random.choice(self._types)
        volume_id = self._create(VOLUMES, "volume", values)
        if volume_id is not None and group is not None:
            self._journal.joins(volume_id, group["id"])

    def _create_group(self) -> None:
        volume_type = self._random.choice(self._types)
        self._create(GROUPS, "consistencygroup", {"volume_types": volume_type})

    def _create_cgsnapshot(self) -> None:
        group = self._pick(GROUPS)
        if group is not None:
            self._create(CGSNAPSHOTS, "cgsnapshot", {"consistencygroup_id": group["id"]})

    def _create_from_source(self) -> None:
        collection, key = self._random.choice(
            [(GROUPS, "source_cgid"), (CGSNAPSHOTS, "cgsnapshot_id")]
        )
        source = self._pick(collection)
        if source is not None:
            values = {key: source["id"]}
            self._create(GROUPS, "consistencygroup-from-src", values, "/create_from_src")

    def _update_group(self) -> None:
        group, volume = self._pick(GROUPS), self._pick(VOLUMES)
        if group is None or volume is None:
            return
        is_member = volume.get("consistencygroup_id") == group["id"]
        key = "remove_volumes" if is_member else "add_volumes"
        if not is_member:
            self._journal.joins(volume["id"], group["id"])
        values = {key: volume["id"], "name": f"renamed {self._random.randrange(1000)}"}
        self._call("PUT", f"/{GROUPS}/{group['id']}", {"consistencygroup": values})

    def _create_snapshot(self) -> None:
        volume = self._pick(VOLUMES)
        if volume is not None:
            self._create(SNAPSHOTS, "snapshot", {"volume_id": volume["id"]})

    def _copy_volume(self) -> None:
        collection, key = self._random.choice(
            [(SNAPSHOTS, "snapshot_id"), (VOLUMES, "source_volid")]
        )
        source = self._pick(collection)
        if source is not None:
            self._create(VOLUMES, "volume", {key: source["id"], "size": source["size"]})

    def _delete(self) -> None:
        collection = self._random.choice((CGSNAPSHOTS, CGSNAPSHOTS, VOLUMES, SNAPSHOTS))
        found = self._pick(collection)
        if found is not None:
            path = f"/{collection}/{found['id']}"
            self._note_deletion(collection, found, self._call("DELETE", path))

    def _delete_group(self) -> None:
        group = self._pick(GROUPS)
        if group is not None:
            body = {"consistencygroup": {"force": self._random.random() < 0.7}}
            answer = self._call("POST", f"/{GROUPS}/{group['id']}/delete", body)
            self._note_deletion(GROUPS, group, answer)

    def _note_deletion(
        self, collection: str, found: Mapping[str, Any], answer: requests.Response | None
    ) -> None:
        if answer is None or answer.status_code == 202:
            resource = journal.Resource(collection, found["id"])
            self._journal.deletion(resource, accepted=answer is not None)
