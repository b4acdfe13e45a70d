# SPDX-License-Identifier: Apache-2.0
"""The four scenarios of consistency groups: alone, with a snapshot, from each kind of source."""

import time
from collections.abc import Callable
from typing import Any

from tempest import config
from tempest.api.volume import base
from tempest.lib import decorators
from tempest.lib.common.utils import data_utils, test_utils

from cg_extension.tests.tempest import client

CONF = config.CONF


class ConsistencyGroupsTest(base.BaseVolumeTest):
    """Run as an ordinary member of a project."""

    @classmethod
    def setup_clients(cls) -> None:
        super().setup_clients()
        cls.client = cls.os_primary.consistency_group_v3.ConsistencyGroupsClient(
            service=CONF.volume.catalog_type,
            region=CONF.volume.region or CONF.identity.region,
            endpoint_type=CONF.volume.endpoint_type,
            build_interval=CONF.volume.build_interval,
            build_timeout=CONF.volume.build_timeout,
        )

    @decorators.idempotent_id("5f0a7c0e-0b0f-4a27-8a3c-6f3b3f1b0d11")
    def test_create_and_delete_a_group(self) -> None:
        group = self._create_group()
        self.assertIn(group["id"], self.client.list_ids(client.GROUPS))
        self._delete(self.client.delete_group, client.GROUPS, group)
        self.assertNotIn(group["id"], self.client.list_ids(client.GROUPS))

    @decorators.idempotent_id("0c1f5f3a-5a51-4a5c-9d7c-b7f1f0d0a9c2")
    def test_create_and_delete_a_snapshot(self) -> None:
        group, snapshot = self._create_group_with_snapshot()
        self.assertEqual(group["id"], snapshot["consistencygroup_id"])
        self.assertIn(snapshot["id"], self.client.list_ids(client.SNAPSHOTS))
        self._delete(self.client.delete_cgsnapshot, client.SNAPSHOTS, snapshot)
        self.assertNotIn(snapshot["id"], self.client.list_ids(client.SNAPSHOTS))

    @decorators.idempotent_id("c3a1f5c8-9a43-4c83-8c37-0d7c2a9f4be3")
    def test_create_a_group_from_a_snapshot(self) -> None:
        group, snapshot = self._create_group_with_snapshot()
        self._create_from(group, cgsnapshot_id=snapshot["id"])

    @decorators.idempotent_id("e2b9d0a4-4f3d-4f69-b6f0-5c1f4f8e7a94")
    def test_create_a_group_from_a_group(self) -> None:
        group = self._create_group()
        self._create_from(group, source_cgid=group["id"])

    def _create_group(self) -> dict[str, Any]:
        """A group with one volume."""
        # Before the group, so that it is cleaned up after it, when nothing holds it any more.
        volume = self.client.create_volume(size=1, volume_type=CONF.consistency_group.volume_type)
        self.addCleanup(self._delete, self.client.delete_volume, client.VOLUMES, volume)
        self._wait_until_available(client.VOLUMES, volume)
        group = self.client.create_group(
            name=data_utils.rand_name("group"), volume_types=CONF.consistency_group.volume_type
        )
        self.addCleanup(self._delete, self.client.delete_group, client.GROUPS, group)
        self._wait_until_available(client.GROUPS, group)
        self.client.add_volumes(group["id"], volume["id"])
        return self._wait_until_available(client.GROUPS, group)

    def _create_group_with_snapshot(self) -> tuple[dict[str, Any], dict[str, Any]]:
        group = self._create_group()
        snapshot = self.client.create_cgsnapshot(
            consistencygroup_id=group["id"], name=data_utils.rand_name("snapshot")
        )
        self.addCleanup(self._delete, self.client.delete_cgsnapshot, client.SNAPSHOTS, snapshot)
        return group, self._wait_until_available(client.SNAPSHOTS, snapshot)

    def _create_from(self, group: dict[str, Any], **source: str) -> None:
        made = self.client.create_group_from_source(name=data_utils.rand_name("copy"), **source)
        self.addCleanup(self._delete, self.client.delete_group, client.GROUPS, made)
        made = self._wait_until_available(client.GROUPS, made)
        self.assertEqual(group["volume_types"], made["volume_types"])

    def _wait_until_available(self, collection: str, resource: dict[str, Any]) -> dict[str, Any]:
        deadline = time.monotonic() + CONF.volume.build_timeout
        while True:
            shown = self.client.show(collection, resource["id"])
            if shown["status"] == "available":
                return shown
            self.assertNotIn("error", shown["status"], shown)
            self.assertLess(time.monotonic(), deadline, shown)
            time.sleep(CONF.volume.build_interval)

    def _delete(
        self, delete: Callable[[str], None], collection: str, resource: dict[str, Any]
    ) -> None:
        """Delete a resource, if it is still there, and wait until it is not."""
        test_utils.call_and_ignore_notfound_exc(delete, resource["id"])
        self.client.wait_for_resource_deletion((collection, resource["id"]))
