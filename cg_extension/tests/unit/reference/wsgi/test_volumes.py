# SPDX-License-Identifier: Apache-2.0
"""Volumes over HTTP: forms of requests and answers; what the service decides is tested there."""

from typing import Any

from cg_extension.tests.unit.reference.service import base as service_base
from cg_extension.tests.unit.reference.wsgi import base

DETAIL = {
    "attachments",
    "availability_zone",
    "bootable",
    "consistencygroup_id",
    "created_at",
    "description",
    "encrypted",
    "id",
    "links",
    "metadata",
    "multiattach",
    "name",
    "os-vol-tenant-attr:tenant_id",
    "replication_status",
    "size",
    "snapshot_id",
    "source_volid",
    "status",
    "updated_at",
    "user_id",
    "volume_type",
}


class VolumesTest(base.HostTestCase):
    def create(self, **values: Any) -> dict[str, Any]:
        body = {"volume": {"size": 1, **values}}
        created: dict[str, Any] = self.ok("POST", "/volumes", body, status=202)["volume"]
        self.settle()
        return created

    def refuse(self, values: Any, *words: str) -> None:
        answer = self.call("POST", "/volumes", {"volume": values})
        self.assert_fault(answer, 400, "badRequest", *words)

    def test_a_created_volume_is_answered_with_all_that_is_known(self) -> None:
        created = self.create(name="logs", description="d", metadata={"a": "b"})
        self.assertEqual(DETAIL | {"os-vol-host-attr:host"}, set(created))
        self.assertEqual(
            ("creating", "logs", "__DEFAULT__", {"a": "b"}, "nova"),
            tuple(
                created[key]
                for key in ("status", "name", "volume_type", "metadata", "availability_zone")
            ),
        )
        url = f"http://localhost/v3/p/volumes/{created['id']}"
        self.assertEqual(url, created["links"][0]["href"])

    def test_where_a_volume_is_only_administrators_see(self) -> None:
        path = f"/volumes/{self.create()['id']}"
        self.assertEqual(DETAIL, set(self.ok("GET", path, roles="reader")["volume"]))
        self.assertEqual("host@one", self.ok("GET", path)["volume"]["os-vol-host-attr:host"])

    def test_null_is_as_good_as_absent(self) -> None:
        absent = (
            "name",
            "description",
            "volume_type",
            "availability_zone",
            "imageRef",
            "snapshot_id",
        )
        self.create(**dict.fromkeys(absent))

    def test_what_clients_send_beside_is_taken(self) -> None:
        self.create(size="1", multiattach=False, user_id="x", project_id="y", status="creating")
        body = {"volume": {"size": 1}, "OS-SCH-HNT:scheduler_hints": {"different_host": ["a"]}}
        self.ok("POST", "/volumes", body, status=202)

    def test_what_this_host_has_not_is_refused_by_name(self) -> None:
        for key, value in (
            ("imageRef", service_base.MISSING),
            ("backup_id", service_base.MISSING),
            ("group_id", service_base.MISSING),
            ("multiattach", True),
        ):
            self.refuse({"size": 1, key: value}, key)

    def test_a_size_must_be_a_number_of_gibibytes(self) -> None:
        for size in (0, -1, 1.5, "one", "", True, 2**31, "99999999999", [1], "٣"):
            with self.subTest(size=size):
                self.refuse({"size": size}, "size")
        self.refuse({}, "size")

    def test_a_size_may_be_left_out_with_the_one_source(self) -> None:
        source = self.create(size=2)["id"]
        self.assertEqual(2, self.create(source_volid=source, size=None)["size"])
        self.assertEqual(3, self.create(source_volid=source, size="3")["size"])
        self.refuse({"source_volid": source, "size": "0"}, "size")
        self.refuse({"source_volid": source, "snapshot_id": source}, "snapshot_id", "at most one")

    def test_ids_must_be_uuids_and_metadata_short_text(self) -> None:
        for key in ("snapshot_id", "source_volid", "consistencygroup_id"):
            self.refuse({"size": 1, key: "x"}, key)
        for metadata in ({"k": 1}, {"": "v"}, {"k" * 256: "v"}, {"k": "v" * 256}, ["k"]):
            self.refuse({"size": 1, "metadata": metadata})

    def test_a_list_has_links_and_no_detail(self) -> None:
        created = self.create(name="logs")
        [item] = self.ok("GET", "/volumes")["volumes"]
        self.assertEqual({"id", "name", "links"}, set(item))
        self.assertEqual(created["links"], item["links"])

    def test_a_list_pages_and_filters(self) -> None:
        for number in range(3):
            self.create(name=f"v{number}")
        page = self.ok("GET", "/volumes/detail?limit=2&sort=name:asc")
        self.assertEqual(["v0", "v1"], [item["name"] for item in page["volumes"]])
        [link] = page["volumes_links"]
        rest = self.send(
            "GET", link["href"].removeprefix("http://localhost"), headers={"X-Auth-Token": "u:p"}
        )
        self.assertEqual(["v2"], [item["name"] for item in rest.json["volumes"]])
        found = self.ok("GET", "/volumes/detail?name=v1&status=available&all_tenants=True")
        self.assertEqual(["v1"], [item["name"] for item in found["volumes"]])
        self.assert_fault(self.call("GET", "/volumes?nam=v1"), 400, "badRequest", "nam", "name")

    def test_an_administrator_lists_one_project_of_all(self) -> None:
        self.create()
        self.ok("POST", "/volumes", {"volume": {"size": 1}}, project="q", status=202)
        found = self.ok("GET", "/volumes/detail?all_tenants=1&project_id=q")["volumes"]
        self.assertEqual(["q"], [item["os-vol-tenant-attr:tenant_id"] for item in found])

    def test_name_description_and_metadata_can_be_changed(self) -> None:
        path = f"/volumes/{self.create(metadata={'a': 'b'})['id']}"
        change = {"name": "n", "description": "", "metadata": {"c": "d"}}
        self.assertEqual(change, _picked(self.ok("PUT", path, {"volume": change}), change))
        self.assertEqual(change, _picked(self.ok("GET", path), change))
        for body in ({}, {"size": 2}, {"name": "n" * 256}):
            self.assert_fault(self.call("PUT", path, {"volume": body}), 400, "badRequest")

    def test_a_volume_is_deleted_and_cascade_is_refused(self) -> None:
        path = f"/volumes/{self.create()['id']}"
        answer = self.call("DELETE", f"{path}?cascade=True")
        self.assert_fault(answer, 400, "badRequest", "snapshots first")
        self.ok("DELETE", f"{path}?cascade=False", status=202)
        self.assertEqual("deleting", self.ok("GET", path)["volume"]["status"])

    def test_force_is_an_administrators(self) -> None:
        path = f"/volumes/{self.create()['id']}?force=True"
        self.assert_fault(self.call("DELETE", path, roles="member"), 403, "forbidden")
        self.ok("DELETE", path, status=202)

    def test_an_id_that_is_none_is_not_found(self) -> None:
        for id in ("none", service_base.MISSING, "%00", "x" * 300):
            for method, rest in (("GET", ""), ("DELETE", ""), ("GET", "/metadata")):
                answer = self.call(method, f"/volumes/{id}{rest}")
                self.assert_fault(answer, 404, "itemNotFound")


def _picked(answer: dict[str, Any], like: dict[str, Any]) -> dict[str, Any]:
    return {key: answer["volume"][key] for key in like}


class VolumeMetadataTest(base.HostTestCase):
    def setUp(self) -> None:
        super().setUp()
        self.path = f"/volumes/{self.volume(metadata={'a': '1', 'b': '2'}).id}/metadata"

    def test_metadata_is_read_changed_replaced_and_removed(self) -> None:
        self.assertEqual({"metadata": {"a": "1", "b": "2"}}, self.ok("GET", self.path))
        merged = {"a": "3", "b": "2", "c": "4"}
        body = {"metadata": {"a": "3", "c": "4"}}
        self.assertEqual({"metadata": merged}, self.ok("POST", self.path, body))
        self.assertEqual({"meta": {"c": "4"}}, self.ok("GET", f"{self.path}/c"))
        one = {"meta": {"d": "5"}}
        self.assertEqual(one, self.ok("PUT", f"{self.path}/d", one))
        self.ok("DELETE", f"{self.path}/d")
        self.assertEqual({"metadata": merged}, self.ok("GET", self.path))
        self.assertEqual(body, self.ok("PUT", self.path, body))
        self.assertEqual(body, self.ok("GET", self.path))

    def test_a_key_may_have_slashes(self) -> None:
        # As Kubernetes has them; clients send them as they are.
        for path in (f"{self.path}/csi.storage.k8s.io/pvc/name", f"{self.path}/a%2Fb"):
            key = path.removeprefix(f"{self.path}/").replace("%2F", "/")
            one = {"meta": {key: "5"}}
            self.assertEqual(one, self.ok("PUT", path, one))
            self.assertEqual(one, self.ok("GET", path))
            self.ok("DELETE", path)
        self.assertEqual({"metadata": {"a": "1", "b": "2"}}, self.ok("GET", self.path))

    def test_a_key_that_is_not_there_is_not_found(self) -> None:
        for method in ("GET", "DELETE"):
            self.assert_fault(self.call(method, f"{self.path}/x"), 404, "itemNotFound", "x")

    def test_the_bodys_key_must_be_the_paths(self) -> None:
        answer = self.call("PUT", f"{self.path}/a", {"meta": {"b": "1"}})
        self.assert_fault(answer, 400, "badRequest", "path")
        for meta in ({}, {"a": "1", "b": "2"}, {"a": 1}):
            self.assert_fault(self.call("PUT", f"{self.path}/a", {"meta": meta}), 400, "badRequest")


class VolumeActionsTest(base.HostTestCase):
    def setUp(self) -> None:
        super().setUp()
        self.volume_id = self.volume().id

    def act(self, body: Any, status: int = 202) -> Any:
        return self.ok("POST", f"/volumes/{self.volume_id}/action", body, status=status)

    def shown(self) -> Any:
        return self.ok("GET", f"/volumes/{self.volume_id}")["volume"]

    def refuse(self, body: Any, *words: str) -> None:
        answer = self.call("POST", f"/volumes/{self.volume_id}/action", body)
        self.assert_fault(answer, 400, "badRequest", *words)

    def test_a_volume_is_attached_and_detached(self) -> None:
        attach = {"instance_uuid": service_base.MISSING, "mountpoint": "/dev/vdb", "mode": "rw"}
        self.act({"os-attach": attach})
        shown = self.shown()
        self.assertEqual("in-use", shown["status"])
        [attachment] = shown["attachments"]
        self.assertEqual(
            (service_base.MISSING, "/dev/vdb", self.volume_id, None),
            tuple(attachment[key] for key in ("server_id", "device", "volume_id", "host_name")),
        )
        self.act({"os-detach": {"attachment_id": attachment["attachment_id"]}})
        self.assertEqual(("available", []), (self.shown()["status"], self.shown()["attachments"]))

    def test_arguments_may_be_null(self) -> None:
        self.act({"os-attach": {"host_name": "h", "instance_uuid": None, "mode": None}})
        self.act({"os-detach": None})
        self.assertEqual("available", self.shown()["status"])
        self.act({"os-force_delete": None})
        self.assertEqual("deleting", self.shown()["status"])

    def test_a_connection_is_answered(self) -> None:
        connect = {"os-initialize_connection": {"connector": {"host": "h", "ip": "192.0.2.1"}}}
        connection = self.act(connect, status=200)["connection_info"]
        self.assertEqual("local", connection["driver_volume_type"])
        self.act({"os-terminate_connection": {"connector": {"host": "h"}}})

    def test_a_status_is_set_by_hand(self) -> None:
        self.act({"os-reset_status": {"status": "error"}})
        self.assertEqual("error", self.shown()["status"])
        self.refuse({"os-reset_status": {"status": "splendid"}}, "available", "error")
        self.refuse({"os-reset_status": {}}, "status")
        self.refuse({"os-reset_status": {"attach_status": "error"}}, "attached, detached")

    def test_what_a_volume_is_attached_to_is_an_instance_or_a_host(self) -> None:
        for arguments in ({}, {"instance_uuid": service_base.MISSING, "host_name": "h"}):
            self.refuse({"os-attach": arguments}, "exactly one", "instance_uuid", "host_name")

    def test_exactly_one_known_action_is_asked_for(self) -> None:
        for body in (
            {},
            {"os-detach": {}, "os-force_delete": None},
            {"os-detach": None, "os-force_delete": None},
            {"os-extend": {"new_size": 2}},
            {"os-extend": None},
            {"os-initialize_connection": None},
            {"os-attach": {"host_name": "h", "mode": "rwx"}},
        ):
            with self.subTest(body=body):
                self.refuse(body)
