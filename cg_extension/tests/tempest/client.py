# SPDX-License-Identifier: Apache-2.0
"""tempest's client for both collections: one method a call, which checks the answer's status."""

import json
from typing import Any

from tempest.lib import exceptions
from tempest.lib.common import rest_client

VOLUMES = "volumes"
GROUPS = "consistencygroups"
SNAPSHOTS = "cgsnapshots"


class ConsistencyGroupsClient(rest_client.RestClient):
    """Consistency groups and their snapshots; a method gives back the resource itself."""

    api_version = "v3"

    def create_volume(self, **values: Any) -> dict[str, Any]:
        """A new volume; unlike tempest's own client, whatever the service says beyond Cinder."""
        return self._send(VOLUMES, "volume", values)

    def delete_volume(self, volume_id: str) -> None:
        """Delete a volume."""
        answer, _ = self.delete(f"{VOLUMES}/{volume_id}")
        self.expected_success(202, answer.status)

    def create_group(self, **values: str) -> dict[str, Any]:
        """A new, empty group."""
        return self._send(GROUPS, "consistencygroup", values)

    def create_group_from_source(self, **values: str) -> dict[str, Any]:
        """A new group, from ``cgsnapshot_id`` or ``source_cgid``."""
        return self._send(f"{GROUPS}/create_from_src", "consistencygroup-from-src", values)

    def add_volumes(self, group_id: str, *volume_ids: str) -> None:
        """Let volumes join a group."""
        body = {"consistencygroup": {"add_volumes": ",".join(volume_ids)}}
        answer, _ = self.put(f"{GROUPS}/{group_id}/update", json.dumps(body))
        self.expected_success(202, answer.status)

    def delete_group(self, group_id: str, force: bool = True) -> None:
        """Delete a group, with its volumes if forced."""
        body = {"consistencygroup": {"force": force}}
        answer, _ = self.post(f"{GROUPS}/{group_id}/delete", json.dumps(body))
        self.expected_success(202, answer.status)

    def create_cgsnapshot(self, **values: str) -> dict[str, Any]:
        """A snapshot of a group."""
        return self._send(SNAPSHOTS, "cgsnapshot", values)

    def delete_cgsnapshot(self, cgsnapshot_id: str) -> None:
        """Delete a group snapshot."""
        answer, _ = self.delete(f"{SNAPSHOTS}/{cgsnapshot_id}")
        self.expected_success(202, answer.status)

    def show(self, collection: str, resource_id: str) -> dict[str, Any]:
        """One resource of a collection."""
        answer, body = self.get(f"{collection}/{resource_id}")
        self.expected_success(200, answer.status)
        return self._resource(body)

    def list_ids(self, collection: str) -> list[str]:
        """Ids of all resources of a collection."""
        answer, body = self.get(collection)
        self.expected_success(200, answer.status)
        return [each["id"] for each in json.loads(body)[collection]]

    def is_resource_deleted(self, id: tuple[str, str]) -> bool:
        """Whether ``(collection, id)`` is gone; tempest waits by this."""
        try:
            self.show(*id)
        except exceptions.NotFound:
            return True
        return False

    @property
    def resource_type(self) -> str:
        """What tempest's messages call it."""
        return "consistency group or snapshot"

    def _send(self, path: str, key: str, values: dict[str, Any]) -> dict[str, Any]:
        answer, body = self.post(path, json.dumps({key: values}))
        self.expected_success(202, answer.status)
        return self._resource(body)

    @staticmethod
    def _resource(body: str) -> dict[str, Any]:
        [resource] = json.loads(body).values()
        return resource
