# SPDX-License-Identifier: Apache-2.0
"""What users type: the ``openstack`` client, every form of ``consistency group`` and more."""

from typing import Any

from oslotest import base
from testtools import content

from cg_extension.tests import http_client, waiting
from cg_extension.tests.cinder import shared
from cg_extension.tests.functional import cli

GROUP_TYPE = "consistent"


class ClientTestCase(base.BaseTestCase):
    """Runs the client against Cinder with the plugin, as an administrator of a new project.

    :cvar version: the API version that the client is told to speak.
    :cvar threads: whether Cinder is the one with threads.
    """

    version = "3"
    threads = False

    def setUp(self) -> None:
        # Before oslotest's temporary directory of this test, in which Cinder must not live.
        running = shared.cinder(self.threads)
        self.endpoint = running.endpoint
        super().setUp()
        begin = len(running.api_log())
        self.addDetail("API", content.Content(content.UTF8_TEXT, lambda: [running.api_log(begin)]))
        self.project = shared.new_project()
        self.token = shared.token(self.project, "admin", "member", "reader")
        self.http = http_client.Client(
            lambda: self.endpoint, self.project, self.token, microversion="3.66"
        )
        path = self.version.partition(".")[0]
        self.client = cli.OpenStack(
            {
                "OS_AUTH_TYPE": "admin_token",
                "OS_ENDPOINT": f"{self.endpoint}/v{path}/{self.project}",
                "OS_TOKEN": self.token,
                "OS_VOLUME_API_VERSION": self.version,
            }
        )

    def openstack(self, *words: str) -> str:
        """Run the client once; gives back what it printed.

        :raises cli.Failed: it ended with an error.
        """
        return self.client.run(*words)

    def document(self, *words: str) -> Any:
        """What the client prints, as the document that it is."""
        return self.client.json(*words)

    def wait_for(self, status: str, path: str) -> None:
        """Wait until a resource is in a status; ``gone``: until there is none.

        Asked without the client, whose start takes most of a command's time.
        """

        def is_so() -> bool:
            found = self.http.status(f"/{path}")
            self.assertTrue(found == status or "error" not in found, f"{path} is in {found}")
            return found == status

        waiting.eventually(is_so, f"{path} {status}", pause=0.2)

    def create_volume(self, name: str) -> str:
        volume = self.document("volume", "create", "--size", "1", "--type", "gold", name)["id"]
        self.wait_for("available", f"volumes/{volume}")
        return volume


class ConsistencyGroupTest(ClientTestCase):
    """``openstack consistency group …``"""

    def test_every_form_of_consistency_group_works(self) -> None:
        group = self.document(
            *("consistency", "group", "create", "--volume-type", "gold"),
            *("--description", "tables and logs", "database"),
        )["id"]
        self.wait_for("available", f"consistencygroups/{group}")
        volumes = [self.create_volume(name) for name in ("tables", "logs")]
        self.openstack("consistency", "group", "add", "volume", group, *volumes)
        self.wait_for("available", f"consistencygroups/{group}")
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
        self.wait_for("available", f"cgsnapshots/{snapshot}")
        shown = self.document("consistency", "group", "snapshot", "show", "nightly")
        self.assertEqual(group, shown["consistencygroup_id"])
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
            self.wait_for("available", f"consistencygroups/{made}")
            self.assertRaises(cli.Failed, self.openstack, "consistency", "group", "delete", made)
            self.openstack("consistency", "group", "delete", "--force", made)
            self.wait_for("gone", f"consistencygroups/{made}")

        self.openstack("consistency", "group", "snapshot", "delete", "nightly")
        self.wait_for("gone", f"cgsnapshots/{snapshot}")
        self.openstack("consistency", "group", "remove", "volume", group, volumes[0])
        self.wait_for("available", f"consistencygroups/{group}")
        self.openstack("consistency", "group", "delete", "--force", "db")
        self.wait_for("gone", f"consistencygroups/{group}")
        self.assertEqual([], self.document("consistency", "group", "list"))
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
        self.wait_for("available", f"groups/{group}")
        volume = self.create_volume("tables")
        self.openstack("volume", "group", "add", "volume", group, volume)
        self.wait_for("available", f"groups/{group}")
        self.openstack("volume", "group", "set", "--description", "both", group)
        snapshot = self.document(
            "volume", "group", "snapshot", "create", group, "--name", "nightly"
        )["ID"]
        self.wait_for("available", f"group_snapshots/{snapshot}")
        for source in (("--group-snapshot", snapshot), ("--source-group", group)):
            made = self.document("volume", "group", "create", *source)["ID"]
            self.wait_for("available", f"groups/{made}")
            self.openstack("volume", "group", "delete", "--force", made)
            self.wait_for("gone", f"groups/{made}")
        self.openstack("volume", "group", "snapshot", "delete", snapshot)
        self.wait_for("gone", f"group_snapshots/{snapshot}")
        self.openstack("volume", "group", "remove", "volume", group, volume)
        self.wait_for("available", f"groups/{group}")
        self.openstack("volume", "group", "delete", group)
        self.wait_for("gone", f"groups/{group}")

    def test_consistency_groups_and_volume_groups_do_not_show_in_each_others_lists(self) -> None:
        group = self.document("consistency", "group", "create", "--volume-type", "gold")["id"]
        self.wait_for("available", f"consistencygroups/{group}")
        self.assertEqual([], self.document("volume", "group", "list"))
        self.openstack("consistency", "group", "delete", group)
        self.wait_for("gone", f"consistencygroups/{group}")
