# SPDX-License-Identifier: Apache-2.0
"""What users type: the ``openstack`` client, every form of ``consistency group`` and more."""

import json
import os
import subprocess
import sys
import time
from typing import Any

from oslotest import base

from cg_extension.tests.cinder import shared

CLIENT = os.path.join(os.path.dirname(sys.executable), "openstack")
TIMEOUT = 60
"""Seconds that a resource may take to get to its status."""

GROUP_TYPE = "consistent"


class ClientTestCase(base.BaseTestCase):
    """Runs the client against Cinder with the plugin, as an administrator of a new project.

    :cvar version: the API version that the client is told to speak.
    """

    version = "3"

    def setUp(self) -> None:
        super().setUp()
        self.endpoint = shared.cinder().endpoint
        self.project = shared.new_project()
        self.token = shared.token(self.project, "admin", "member", "reader")

    def openstack(self, *arguments: str, fails: bool = False) -> str:
        """Run the client once; gives back what it printed.

        :param fails: the command must end with an error.
        """
        path = self.version.partition(".")[0]
        done = subprocess.run(
            [
                CLIENT,
                *("--os-auth-type", "admin_token"),
                *("--os-endpoint", f"{self.endpoint}/v{path}/{self.project}"),
                *("--os-token", self.token),
                *("--os-volume-api-version", self.version),
                *arguments,
            ],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            timeout=120,
        )
        self.assertEqual(fails, done.returncode != 0, done.stdout + done.stderr)
        return done.stderr if fails else done.stdout

    def document(self, *arguments: str) -> Any:
        """What the client prints, as the document that it is."""
        return json.loads(self.openstack(*arguments, "-f", "json"))

    def wait_for(self, status: str, *show: str) -> dict[str, Any]:
        """Show a resource until it is in a status; gives back the last answer."""
        deadline = time.monotonic() + TIMEOUT
        while True:
            shown = self.document(*show)
            if shown["status"] == status:
                return shown
            self.assertIn(shown["status"], ("creating", "updating", "deleting", "available"))
            self.assertLess(time.monotonic(), deadline, shown)

    def wait_until_gone(self, listing: list[str], resource: str) -> None:
        """List until a resource is not in the list."""
        deadline = time.monotonic() + TIMEOUT
        while resource in {row["ID"] for row in self.document(*listing)}:
            self.assertLess(time.monotonic(), deadline, resource)

    def create_volume(self, name: str) -> str:
        volume = self.document("volume", "create", "--size", "1", "--type", "gold", name)["id"]
        self.wait_for("available", "volume", "show", volume)
        return volume


class ConsistencyGroupTest(ClientTestCase):
    """``openstack consistency group …``"""

    def test_every_form_of_consistency_group_works(self) -> None:
        group = self.document(
            *("consistency", "group", "create", "--volume-type", "gold"),
            *("--description", "tables and logs", "database"),
        )["id"]
        self.wait_for("available", "consistency", "group", "show", "database")
        volumes = [self.create_volume(name) for name in ("tables", "logs")]
        self.openstack("consistency", "group", "add", "volume", group, *volumes)
        self.wait_for("available", "consistency", "group", "show", group)
        self.openstack(
            "consistency", "group", "set", "--name", "db", "--description", "both", group
        )
        shown = self.document("consistency", "group", "show", group)
        self.assertEqual(("db", "both"), (shown["name"], shown["description"]))
        rows = self.document("consistency", "group", "list", "--long")
        self.assertEqual([(group, "db")], [(row["ID"], row["Name"]) for row in rows])

        snapshot = self.document(
            "consistency", "group", "snapshot", "create", "--consistency-group", "db", "nightly"
        )["id"]
        self.wait_for("available", "consistency", "group", "snapshot", "show", "nightly")
        rows = self.document(
            *("consistency", "group", "snapshot", "list", "--long"),
            *("--status", "available", "--consistency-group", group),
        )
        self.assertEqual([snapshot], [row["ID"] for row in rows])

        for source in (
            ("--consistency-group-snapshot", "nightly"),
            ("--source", "db"),
        ):
            made = self.document("consistency", "group", "create", *source, "copy")["id"]
            self.wait_for("available", "consistency", "group", "show", made)
            self.openstack("consistency", "group", "delete", made, fails=True)
            self.openstack("consistency", "group", "delete", "--force", made)
            self.wait_until_gone(["consistency", "group", "list"], made)

        self.openstack("consistency", "group", "snapshot", "delete", "nightly")
        self.wait_until_gone(["consistency", "group", "snapshot", "list"], snapshot)
        self.openstack("consistency", "group", "remove", "volume", group, volumes[0])
        self.wait_for("available", "consistency", "group", "show", group)
        self.openstack("consistency", "group", "delete", "--force", "db")
        self.wait_until_gone(["consistency", "group", "list", "--all-projects"], group)
        self.assertEqual([volumes[0]], [row["ID"] for row in self.document("volume", "list")])


class ConsistencyGroupVersion2Test(ConsistencyGroupTest):
    """The same through /v2, which Cinder alone no longer answers."""

    version = "2"


class VolumeGroupTest(ClientTestCase):
    """``openstack volume group …``: Cinder's own API, the plugin's driver below."""

    version = "3.66"

    def test_every_form_of_volume_group_works(self) -> None:
        self.openstack("volume", "group", "type", "create", GROUP_TYPE)
        self.addCleanup(self.openstack, "volume", "group", "type", "delete", GROUP_TYPE)
        self.openstack(
            *("volume", "group", "type", "set", GROUP_TYPE),
            *("--property", "consistent_group_snapshot_enabled=<is> True"),
        )
        group = self.document(
            *("volume", "group", "create", "--volume-group-type", GROUP_TYPE),
            *("--volume-type", "gold", "--name", "database"),
        )["ID"]
        self.wait_for_group("available", group)
        volume = self.create_volume("tables")
        self.openstack("volume", "group", "add", "volume", group, volume)
        self.wait_for_group("available", group)
        self.openstack("volume", "group", "set", "--description", "both", group)
        snapshot = self.document(
            "volume", "group", "snapshot", "create", group, "--name", "nightly"
        )["ID"]
        self.wait_for_group("available", snapshot, "snapshot")
        for source in (("--group-snapshot", snapshot), ("--source-group", group)):
            made = self.document("volume", "group", "create", *source)["ID"]
            self.wait_for_group("available", made)
            self.openstack("volume", "group", "delete", "--force", made)
            self.wait_until_gone(["volume", "group", "list"], made)
        self.openstack("volume", "group", "snapshot", "delete", snapshot)
        self.wait_until_gone(["volume", "group", "snapshot", "list"], snapshot)
        self.openstack("volume", "group", "remove", "volume", group, volume)
        self.wait_for_group("available", group)
        self.openstack("volume", "group", "delete", group)
        self.wait_until_gone(["volume", "group", "list"], group)

    def test_consistency_groups_and_volume_groups_do_not_show_in_each_others_lists(self) -> None:
        group = self.document("consistency", "group", "create", "--volume-type", "gold")["id"]
        self.wait_for("available", "consistency", "group", "show", group)
        self.assertEqual([], self.document("volume", "group", "list"))
        self.openstack("consistency", "group", "delete", group)

    def wait_for_group(self, status: str, resource: str, *kind: str) -> None:
        """As wait_for, with the key that these commands print."""
        deadline = time.monotonic() + TIMEOUT
        while self.document("volume", "group", *kind, "show", resource)["Status"] != status:
            self.assertLess(time.monotonic(), deadline, resource)

