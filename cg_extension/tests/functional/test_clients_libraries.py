# SPDX-License-Identifier: Apache-2.0
"""python-cinderclient's library and openstacksdk, as programs use them."""

from typing import Any

import openstack
from cinderclient import exceptions as cinder_exceptions
from cinderclient.contrib import noauth
from cinderclient.v3 import client as cinder_client
from keystoneauth1 import session
from openstack import exceptions as sdk_exceptions

from cg_extension.tests import http_client, waiting
from cg_extension.tests.functional import base


class CinderClientTest(base.FunctionalTest):
    def setUp(self) -> None:
        super().setUp()
        self.service = self.useFixture(base.Standalone())
        auth = noauth.CinderNoAuthPlugin("tester", "demo", endpoint=f"{self.service.url}/v3")
        self.cinder = cinder_client.Client("3", session=session.Session(auth=auth))

    def settled(self, manager: Any, id: str) -> Any:
        def settled() -> Any:
            found = manager.get(id)
            return None if found.status in http_client.UNDER_WAY else found

        found = waiting.eventually(settled, f"{id} settled")
        self.assertEqual("available", found.status)
        return found

    def gone(self, manager: Any, id: str) -> None:
        waiting.eventually(lambda: not [item for item in manager.list() if item.id == id], "gone")

    def test_the_life_of_a_group(self) -> None:
        cinder = self.cinder
        volume = cinder.volumes.create(1, name="data", metadata={"a": "b"})
        self.settled(cinder.volumes, volume.id)
        groups, cgsnapshots = cinder.consistencygroups, cinder.cgsnapshots
        group = groups.create("__DEFAULT__,", name="db", description="d", user_id="x")
        self.settled(groups, group.id)
        groups.update(group.id, add_volumes=volume.id, name="database")
        self.settled(groups, group.id)
        self.assertEqual("database", groups.get(group.id).name)
        self.assertEqual([group.id], [item.id for item in groups.list()])
        self.assertEqual(
            [group.id],
            [item.id for item in groups.list(detailed=False, search_opts={"name": "database"})],
        )
        cgsnapshot = cgsnapshots.create(group.id, name="nightly", project_id="y")
        self.settled(cgsnapshots, cgsnapshot.id)
        found = cgsnapshots.list(search_opts={"consistencygroup_id": group.id})
        self.assertEqual([cgsnapshot.id], [item.id for item in found])
        restored = groups.create_from_src(cgsnapshot.id, None, name="restored")["id"]
        cloned = groups.create_from_src(None, group.id)["id"]
        for id in (restored, cloned):
            self.settled(groups, id)
        error = self.assertRaises(cinder_exceptions.BadRequest, groups.delete, group.id)
        self.assertIn(group.id, str(error))
        cgsnapshots.delete(cgsnapshot.id)
        self.gone(cgsnapshots, cgsnapshot.id)
        for id in (group.id, restored, cloned):
            groups.delete(id, force=True)
            self.gone(groups, id)
        self.assertRaises(cinder_exceptions.NotFound, groups.get, group.id)

    def test_what_surrounds_groups(self) -> None:
        cinder = self.cinder
        gold = cinder.volume_types.create("gold", is_public=True)
        gold.set_keys({"volume_backend_name": "file"})
        self.assertEqual({"volume_backend_name": "file"}, gold.get_keys())
        gold.unset_keys(["volume_backend_name"])
        self.assertEqual("__DEFAULT__", cinder.volume_types.default().name)
        volume = cinder.volumes.create(1, volume_type="gold")
        self.settled(cinder.volumes, volume.id)
        cinder.volumes.attach(volume.id, None, "/dev/vdb", host_name="host")
        attached = cinder.volumes.get(volume.id)
        self.assertEqual("host", attached.attachments[0]["host_name"])
        cinder.volumes.detach(volume.id, attached.attachments[0]["attachment_id"])
        cinder.volumes.set_metadata(volume.id, {"a": "b"})
        cinder.volumes.delete_metadata(volume.id, ["a"])
        snapshot = cinder.volume_snapshots.create(volume.id, name="s")
        self.settled(cinder.volume_snapshots, snapshot.id)
        cinder.volume_snapshots.reset_state(snapshot.id, "error")
        cinder.volume_snapshots.delete(snapshot.id, force=True)
        self.gone(cinder.volume_snapshots, snapshot.id)
        cinder.volumes.reset_state(volume.id, "error")
        cinder.volumes.force_delete(volume.id)
        self.gone(cinder.volumes, volume.id)
        cinder.quotas.update("demo", volumes=5)
        self.assertEqual(5, cinder.quotas.get("demo").volumes)
        self.assertEqual(0, cinder.quotas.get("demo", usage=True).volumes["in_use"])
        cinder.quotas.delete("demo")
        self.assertEqual(10, cinder.quotas.defaults("demo").volumes)
        self.assertEqual("nova", cinder.availability_zones.list()[0].zoneName)
        [service] = cinder.services.list()
        cinder.services.freeze_host(service.host)
        self.assertTrue(cinder.services.list()[0].frozen)
        cinder.services.thaw_host(service.host)
        absolute = {item.name: item.value for item in cinder.limits.get().absolute}
        self.assertEqual(10, absolute["maxTotalVolumes"])


class OpenStackSDKTest(base.FunctionalTest):
    def setUp(self) -> None:
        super().setUp()
        self.service = self.useFixture(base.Standalone())
        connection = openstack.connection.Connection(
            auth_type="admin_token",
            auth={"endpoint": f"{self.service.url}/v3/demo", "token": "tester:demo"},
        )
        self.addCleanup(connection.close)
        self.volumes: Any = connection.block_storage

    def settled(self, resource: Any) -> Any:
        return self.volumes.wait_for_status(
            resource, "available", ["error"], interval=0.1, wait=waiting.PATIENCE
        )

    def test_discovery_finds_the_newest_version(self) -> None:
        self.assertEqual((3, 0), self.volumes.get_endpoint_data().api_version)

    def test_the_life_of_a_group(self) -> None:
        sdk = self.volumes
        volume = self.settled(sdk.create_volume(size=1, name="data"))
        group = self.settled(sdk.create_consistency_group(volume_types="__DEFAULT__", name="db"))
        sdk.update_consistency_group(group, add_volumes=volume.id)
        self.settled(group)
        self.assertEqual(group.id, sdk.find_consistency_group("db").id)
        self.assertEqual([group.id], [item.id for item in sdk.consistency_groups()])
        snapshot = self.settled(
            sdk.create_consistency_group_snapshot(consistencygroup_id=group.id, name="nightly")
        )
        self.assertEqual(
            [snapshot.id], [item.id for item in sdk.consistency_group_snapshots(details=False)]
        )
        restored = self.settled(
            sdk.create_consistency_group_from_source(consistency_group_snapshot=snapshot.id)
        )
        members = list(sdk.volumes(consistencygroup_id=restored.id))
        self.assertEqual(1, len([item for item in members if item.id != volume.id]))
        sdk.delete_consistency_group_snapshot(snapshot)
        sdk.wait_for_delete(snapshot, interval=0.1, wait=waiting.PATIENCE)
        for one in (group, restored):
            sdk.delete_consistency_group(one, force=True)
            sdk.wait_for_delete(one, interval=0.1, wait=waiting.PATIENCE)
        self.assertRaises(sdk_exceptions.NotFoundException, sdk.get_consistency_group, group.id)

    def test_lists_are_paged_through(self) -> None:
        for number in range(5):
            self.settled(sdk_group := self._group(f"g{number}"))
            self.assertIsNotNone(sdk_group.id)
        names = [item.name for item in self.volumes.consistency_groups(limit=2, sort="name:asc")]
        self.assertEqual(["g0", "g1", "g2", "g3", "g4"], names)

    def _group(self, name: str) -> Any:
        return self.volumes.create_consistency_group(volume_types="__DEFAULT__", name=name)
