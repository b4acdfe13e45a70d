# SPDX-License-Identifier: Apache-2.0
"""On which backend something new is put, as a client and an administrator see it."""

from typing import Any

from cg_extension.tests import waiting
from cg_extension.tests.functional import base

GOLD = "node@gold"
SILVER = "node@silver"
BROKEN = "node@broken"
CONFIG = {
    "DEFAULT": {
        "host": "node",
        "enabled_backends": "gold,silver,broken",
        "storage_availability_zone": "east",
        "report_interval": 0.5,
    },
    "gold": {"volume_driver": "file", "file_path": "$state_path/gold"},
    "silver": {
        "volume_driver": "file",
        "file_path": "$state_path/silver",
        "backend_availability_zone": "west",
    },
    # Its driver never comes up.
    "broken": {
        "volume_driver": "file",
        "file_path": "/proc/nowhere",
        "backend_availability_zone": "north",
    },
}


class SchedulingTest(base.FunctionalTest):
    def setUp(self) -> None:
        super().setUp()
        self.service = self.useFixture(base.Standalone(CONFIG))
        self.client = self.service.client()
        waiting.eventually(lambda: self.states().keys() == {GOLD, SILVER, BROKEN}, "all reported")
        for name in ("gold", "silver", "broken"):
            [made] = self.client.post("/types", {"volume_type": {"name": name}}).values()
            specs = {"extra_specs": {"volume_backend_name": name}}
            self.client.post(f"/types/{made['id']}/extra_specs", specs)

    def states(self) -> dict[str, str]:
        services = self.client.get("/os-services")["services"]
        return {service["host"]: service["state"] for service in services}

    def group_request(self, **values: str) -> Any:
        return self.client.request("POST", "/consistencygroups", {"consistencygroup": values})

    def host_of_new_group(self, **values: str) -> str:
        """Where the group is, told by a volume that is created in it."""
        group = self.client.create("/consistencygroups", {"consistencygroup": values})
        wanted = {"size": 1, "consistencygroup_id": group, "volume_type": values["volume_types"]}
        volume = self.client.create("/volumes", {"volume": wanted})
        host = self.client.get(f"/volumes/{volume}")["volume"]["os-vol-host-attr:host"]
        return str(host).partition("#")[0]

    def test_the_zone_and_the_types_say_where(self) -> None:
        self.assertEqual(GOLD, self.host_of_new_group(volume_types="gold"))
        silver = self.host_of_new_group(volume_types="silver", availability_zone="west")
        self.assertEqual(SILVER, silver)

    def test_what_no_backend_offers_is_refused(self) -> None:
        answer = self.group_request(volume_types="silver", availability_zone="east")
        self.assertEqual(400, answer.status_code, answer.text)
        self.assertIn("east", answer.text)

    def test_a_backend_that_is_down_gets_nothing_and_is_shown_as_down(self) -> None:
        self.assertEqual({GOLD: "up", SILVER: "up", BROKEN: "down"}, self.states())
        answer = self.group_request(volume_types="broken", availability_zone="north")
        self.assertEqual(503, answer.status_code, answer.text)

    def test_a_disabled_backend_gets_nothing_until_it_is_enabled(self) -> None:
        service = {"host": GOLD, "binary": "cg-manager"}
        self.client.put("/os-services/disable", service)
        self.assertEqual(503, self.group_request(volume_types="gold").status_code)
        self.client.put("/os-services/enable", service)
        self.assertEqual(GOLD, self.host_of_new_group(volume_types="gold"))

    def test_a_frozen_backend_gets_nothing_until_it_is_thawed(self) -> None:
        self.client.put("/os-services/freeze", {"host": GOLD})
        self.assertEqual(503, self.group_request(volume_types="gold").status_code)
        self.client.put("/os-services/thaw", {"host": GOLD})
        self.assertEqual(GOLD, self.host_of_new_group(volume_types="gold"))
