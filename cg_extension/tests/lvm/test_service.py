# SPDX-License-Identifier: Apache-2.0
"""The whole life of a group through HTTP: ``cg-standalone`` on the lvm driver, volumes in use."""

import time
from typing import Any

import requests

from cg_extension.tests.deployment import processes
from cg_extension.tests.functional import base as functional
from cg_extension.tests.lvm import base, writer

TYPE = "__DEFAULT__"
# Seconds for one operation; a guest is slow.
PATIENCE = 120


class ServiceTest(base.LVMTestCase):
    def setUp(self) -> None:
        super().setUp()
        self.eng = self.use_engine(thin=True, size=4096, pool_size=3072)
        self.metrics_port = processes.free_port()
        self.service = self.useFixture(
            functional.Standalone(
                config={
                    "DEFAULT": {"enabled_backends": "lvm"},
                    "metrics": {"port": self.metrics_port},
                    "lvm": {
                        "volume_driver": "lvm",
                        "volume_group": self.vg.name,
                        "lvm_pool_name": "pool",
                        "lvm_conf_file": self.vg.system_dir / "lvm.conf",
                    },
                }
            )
        )
        self.client = self.service.client()

    def _create(self, path: str, body: dict[str, Any]) -> str:
        (resource,) = self.client.post(path, body).values()
        ended = self.client.wait(f"/{path.split('/')[1]}/{resource['id']}", PATIENCE)
        self.assertEqual("available", ended and ended["status"], ended)
        return str(resource["id"])

    def _device(self, volume: str) -> str:
        answer = self.client.post(
            f"/volumes/{volume}/action", {"os-initialize_connection": {"connector": {}}}
        )
        connection = answer["connection_info"]
        self.assertEqual("local", connection["driver_volume_type"])
        return str(connection["data"]["device_path"])

    def _members(self, group: str) -> list[str]:
        """The ids of a group's volumes in the order of their names."""
        volumes = self.client.get("/volumes/detail")["volumes"]
        mine = [v for v in volumes if v["consistencygroup_id"] == group]
        return [v["id"] for v in sorted(mine, key=lambda v: v["name"])]

    def test_the_whole_life_of_a_group_with_volumes_in_use(self) -> None:
        group = self._create("/consistencygroups", {"consistencygroup": {"volume_types": TYPE}})
        volumes = [
            self._create(
                "/volumes",
                {
                    "volume": {
                        "name": f"v{number}",
                        "size": 1,
                        "volume_type": TYPE,
                        "consistencygroup_id": group,
                    }
                },
            )
            for number in range(2)
        ]
        devices = [self._device(volume) for volume in volumes]
        for volume in volumes:
            self.client.post(
                f"/volumes/{volume}/action",
                {"os-attach": {"instance_uuid": volume, "mountpoint": "/dev/vdb"}},
            )
        with writer.Writer(devices):
            time.sleep(0.5)
            cgsnapshot = self._create(
                "/cgsnapshots", {"cgsnapshot": {"consistencygroup_id": group}}
            )
        metrics = requests.get(f"http://127.0.0.1:{self.metrics_port}/metrics", timeout=60).text
        self.assertIn("cg_freeze_seconds_count 1.0", metrics)
        made = self._create(
            "/consistencygroups/create_from_src",
            {"consistencygroup-from-src": {"cgsnapshot_id": cgsnapshot}},
        )
        restored = [self._device(volume) for volume in self._members(made)]
        self.assertEqual(2, len(restored))
        self.assertEqual(0, writer.gap(restored))
        for volume in volumes:
            self.client.post(f"/volumes/{volume}/action", {"os-detach": {}})
        self.client.delete(f"/cgsnapshots/{cgsnapshot}")
        self.assertIsNone(self.client.wait(f"/cgsnapshots/{cgsnapshot}", PATIENCE))
        for gone in (made, group):
            self.client.post(
                f"/consistencygroups/{gone}/delete", {"consistencygroup": {"force": True}}
            )
            self.assertIsNone(self.client.wait(f"/consistencygroups/{gone}", PATIENCE))
        self.assert_sound(self.eng, [])
