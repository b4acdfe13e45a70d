# SPDX-License-Identifier: Apache-2.0
"""The ``openstack`` command, unchanged and without flags that a user would not think of."""

from typing import Any

from cg_extension.tests.functional import base, cli


class OpenStackTest(base.FunctionalTest):
    """One service for all of a test's commands, each of which takes a second to start."""

    def setUp(self) -> None:
        super().setUp()
        self.service = self.useFixture(base.Standalone())
        self.client = self.service.client()
        self.openstack = cli.OpenStack.noauth(self.service, "tester:demo", "demo")

    def _settled(self, collection: str, id: str) -> dict[str, Any]:
        resource = self.client.wait(f"/{collection}/{id}")
        assert resource is not None
        self.assertEqual("available", resource["status"])
        return resource

    def _gone(self, collection: str, id: str) -> None:
        self.assertIsNone(self.client.wait(f"/{collection}/{id}"))

    def _volumes(self, *names: str) -> list[str]:
        return [
            self.client.create("/volumes", {"volume": {"size": 1, "name": name}}) for name in names
        ]

    def _members(self, group_id: str) -> list[str]:
        found = self.client.get(f"/volumes/detail?consistencygroup_id={group_id}")["volumes"]
        return sorted(volume["name"] for volume in found)

    def test_consistency_groups(self) -> None:
        openstack = self.openstack
        self._volumes("data", "logs", "config")
        created = openstack.json(
            *("consistency", "group", "create", "--volume-type", "__DEFAULT__"),
            *("--description", "of a database", "--availability-zone", "nova", "database"),
        )
        self.assertEqual(
            ("database", "of a database", "nova", "creating"),
            tuple(created[key] for key in ("name", "description", "availability_zone", "status")),
        )
        group_id = created["id"]
        self._settled("consistencygroups", group_id)

        openstack.run("consistency", "group", "add", "volume", "database", "data", "logs", "config")
        self._settled("consistencygroups", group_id)
        self.assertEqual(["config", "data", "logs"], self._members(group_id))
        openstack.run("consistency", "group", "remove", "volume", group_id, "config")
        self._settled("consistencygroups", group_id)
        self.assertEqual(["data", "logs"], self._members(group_id))

        openstack.run(
            *("consistency", "group", "set", "--name", "db", "--description", "d", "database")
        )
        shown = openstack.json("consistency", "group", "show", "db")
        self.assertEqual((group_id, "d"), (shown["id"], shown["description"]))
        self.assertEqual(shown, openstack.json("consistency", "group", "show", group_id))

        [listed] = openstack.json("consistency", "group", "list", "--all-projects", "--long")
        self.assertEqual(("db", "available"), (listed["Name"], listed["Status"]))
        [listed] = openstack.json("consistency", "group", "list")
        self.assertEqual((group_id, "db"), (listed["ID"], listed["Name"]))

        copies = []
        for source in ("--source", "--consistency-group-source"):
            copy = openstack.json("consistency", "group", "create", source, "db", "copy")
            self._settled("consistencygroups", copy["id"])
            self.assertEqual(["data", "logs"], self._members(copy["id"]))
            copies.append(copy["id"])
        nameless = openstack.json("consistency", "group", "create", "--source", group_id)
        self.assertIsNone(nameless["name"])
        self._settled("consistencygroups", nameless["id"])

        error = self.assertRaises(cli.Failed, openstack.run, "consistency", "group", "delete", "db")
        self.assertIn("has volumes", str(error))
        openstack.run("consistency", "group", "delete", "--force", "db", *copies, nameless["id"])
        for id in (group_id, *copies, nameless["id"]):
            self._gone("consistencygroups", id)
        empty = openstack.json("consistency", "group", "create", "--volume-type", "__DEFAULT__")
        self._settled("consistencygroups", empty["id"])
        openstack.run("consistency", "group", "delete", empty["id"])
        self._gone("consistencygroups", empty["id"])
        [volume] = openstack.json("volume", "list")
        self.assertEqual("config", volume["Name"])

    def test_consistency_group_snapshots(self) -> None:
        openstack = self.openstack
        body = {"consistencygroup": {"name": "db", "volume_types": "__DEFAULT__"}}
        group_id = self.client.create("/consistencygroups", body)
        volume = {"size": 1, "name": "data", "consistencygroup_id": group_id}
        self.client.create("/volumes", {"volume": volume})

        snapshot = ("consistency", "group", "snapshot")
        created = openstack.json(
            *(*snapshot, "create", "--consistency-group", "db", "--description", "d", "nightly")
        )
        self.assertEqual(
            ("nightly", "d", group_id, "creating"),
            tuple(created[key] for key in ("name", "description", "consistencygroup_id", "status")),
        )
        self._settled("cgsnapshots", created["id"])
        # Without a group, the one with the snapshot's name is meant.
        namesake = openstack.json(*snapshot, "create", "db")
        self._settled("cgsnapshots", namesake["id"])
        nameless = openstack.json(*snapshot, "create", "--consistency-group", group_id)
        self._settled("cgsnapshots", nameless["id"])

        shown = openstack.json(*snapshot, "show", "nightly")
        self.assertEqual("available", shown["status"])
        self.assertEqual(shown, openstack.json(*snapshot, "show", created["id"]))
        # This client's version filters once more by what it was not asked to filter by, so that
        # its plain list is empty whatever the service answers.
        filters = ("--status", "available", "--consistency-group", "db")
        for form in ((), ("--long",), ("--all-projects",)):
            listed = openstack.json(*snapshot, "list", *filters, *form)
            self.assertEqual(
                {created["id"], namesake["id"], nameless["id"]}, {item["ID"] for item in listed}
            )
        self.assertEqual([], openstack.json(*snapshot, "list", "--status", "error", *filters[2:]))
        openstack.run(*snapshot, "list")

        restored = []
        for source in ("--snapshot", "--consistency-group-snapshot"):
            copy = openstack.json("consistency", "group", "create", source, "nightly", "restored")
            self._settled("consistencygroups", copy["id"])
            self.assertEqual(["data"], self._members(copy["id"]))
            restored.append(copy["id"])

        openstack.run(*snapshot, "delete", "nightly", namesake["id"], nameless["id"])
        for id in (created["id"], namesake["id"], nameless["id"]):
            self._gone("cgsnapshots", id)

    def test_volumes(self) -> None:
        openstack = self.openstack
        created = openstack.json(
            *("volume", "create", "--size", "1", "--type", "__DEFAULT__", "--description", "d"),
            *("--property", "a=b", "--availability-zone", "nova", "--hint", "k=v", "data"),
        )
        self.assertEqual(("data", "__DEFAULT__"), (created["name"], created["type"]))
        self._settled("volumes", created["id"])
        [listed] = openstack.json("volume", "list", "--long", "--all-projects", "--name", "data")
        self.assertEqual({"a": "b"}, listed["Properties"])
        openstack.run(
            *("volume", "set", "--name", "logs", "--description", "e", "--property", "c=d"),
            *("--state", "error", "data"),
        )
        openstack.run("volume", "unset", "--property", "a", "logs")
        shown = openstack.json("volume", "show", "logs")
        self.assertEqual(
            ("e", {"c": "d"}, "error"),
            tuple(shown[key] for key in ("description", "properties", "status")),
        )
        openstack.run("volume", "set", "--state", "available", "logs")
        clone = openstack.json("volume", "create", "--source", "logs", "clone")
        self._settled("volumes", clone["id"])
        openstack.run("volume", "delete", "logs")
        openstack.run("volume", "delete", "--force", "clone")
        for id in (created["id"], clone["id"]):
            self._gone("volumes", id)

    def test_volume_snapshots(self) -> None:
        openstack = self.openstack
        [volume_id] = self._volumes("data")
        created = openstack.json(
            *("volume", "snapshot", "create", "--volume", "data", "--description", "d"),
            *("--property", "a=b", "--force", "before"),
        )
        self._settled("snapshots", created["id"])
        openstack.run("volume", "snapshot", "set", "--name", "after", "--property", "c=d", "before")
        openstack.run("volume", "snapshot", "unset", "--property", "a", "after")
        shown = openstack.json("volume", "snapshot", "show", "after")
        self.assertEqual({"c": "d"}, shown["properties"])
        form = ("--long", "--volume", "data", "--status", "available", "--name", "after")
        [listed] = openstack.json("volume", "snapshot", "list", *form)
        self.assertEqual(volume_id, listed["Volume"])
        volume = openstack.json("volume", "create", "--snapshot", "after", "restored")
        self._settled("volumes", volume["id"])
        # Without a look at discovery openstacksdk asks for 3.65, which there is not.
        setting = ("volume", "snapshot", "set", "--state", "error", "after")
        self.assertIn("406", str(self.assertRaises(cli.Failed, openstack.run, *setting)))
        openstack.run("volume", "snapshot", "delete", "after")
        self._gone("snapshots", created["id"])

    def test_volume_types(self) -> None:
        openstack = self.openstack
        form = ("--description", "d", "--property", "volume_backend_name=file", "gold")
        openstack.run("volume", "type", "create", *form)
        openstack.run("volume", "type", "create", "--private", "hidden")
        openstack.run("volume", "type", "set", "--name", "silver", "--property", "a=b", "gold")
        openstack.run("volume", "type", "unset", "--property", "a", "silver")
        shown = openstack.json("volume", "type", "show", "silver")
        self.assertEqual({"volume_backend_name": "file"}, shown["properties"])
        for form, names in (
            ((), {"__DEFAULT__", "silver", "hidden"}),
            (("--public",), {"__DEFAULT__", "silver"}),
            (("--private",), {"hidden"}),
            (("--default",), {"__DEFAULT__"}),
        ):
            listed = openstack.json("volume", "type", "list", *form)
            self.assertEqual(names, {item["Name"] for item in listed})
        openstack.run("volume", "type", "delete", "silver", "hidden")

    def test_what_the_deployment_is(self) -> None:
        openstack = self.openstack
        [service] = openstack.json("volume", "service", "list")
        self.assertEqual(("enabled", "up"), (service["Status"], service["State"]))
        form = ("--disable", "--disable-reason", "disks", service["Host"], service["Binary"])
        openstack.run("volume", "service", "set", *form)
        [listed] = openstack.json("volume", "service", "list", "--long", "--host", service["Host"])
        self.assertEqual(("disabled", "disks"), (listed["Status"], listed["Disabled Reason"]))
        openstack.run("volume", "service", "set", "--enable", service["Host"], service["Binary"])
        [zone] = openstack.json("availability", "zone", "list", "--volume")
        self.assertEqual("nova", zone["Zone Name"])
        aliases = {item["Alias"] for item in openstack.json("extension", "list", "--volume")}
        self.assertEqual({"consistencygroups", "cgsnapshots", "os-cg-receipt"}, aliases)
