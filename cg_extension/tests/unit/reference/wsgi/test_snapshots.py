# SPDX-License-Identifier: Apache-2.0
"""Snapshots over HTTP: forms of requests and answers; what the service decides is tested there."""

from typing import Any

from cg_extension.tests.unit.reference.service import base as service_base
from cg_extension.tests.unit.reference.wsgi import base


class SnapshotsTest(base.HostTestCase):
    def setUp(self) -> None:
        super().setUp()
        self.volume_id = self.volume().id

    def create(self, **values: Any) -> dict[str, Any]:
        body = {"snapshot": {"volume_id": self.volume_id, **values}}
        created: dict[str, Any] = self.ok("POST", "/snapshots", body, status=202)["snapshot"]
        self.settle()
        return created

    def test_a_snapshot_is_answered_with_all_that_is_known(self) -> None:
        created = self.create(name="n", description=None, metadata={"a": "b"}, force=None)
        self.assertEqual(
            ("n", None, {"a": "b"}, "creating", 1, self.volume_id, "p", "0%"),
            tuple(
                created[key]
                for key in (
                    "name",
                    "description",
                    "metadata",
                    "status",
                    "size",
                    "volume_id",
                    "os-extended-snapshot-attributes:project_id",
                    "os-extended-snapshot-attributes:progress",
                )
            ),
        )
        shown = self.ok("GET", f"/snapshots/{created['id']}")["snapshot"]
        self.assertEqual("100%", shown["os-extended-snapshot-attributes:progress"])

    def test_lists_filter_by_volume(self) -> None:
        created = self.create()
        for path in ("/snapshots", "/snapshots/detail"):
            found = self.ok("GET", f"{path}?volume_id={self.volume_id}&status=available")
            self.assertEqual([created["id"]], [item["id"] for item in found["snapshots"]])
            other = self.ok("GET", f"{path}?volume_id={service_base.MISSING}")
            self.assertEqual([], other["snapshots"])

    def test_a_volume_in_use_needs_force(self) -> None:
        attach = {"os-attach": {"host_name": "h"}}
        self.ok("POST", f"/volumes/{self.volume_id}/action", attach, status=202)
        body = {"snapshot": {"volume_id": self.volume_id}}
        self.assert_fault(self.call("POST", "/snapshots", body), 400, "badRequest", "force")
        self.create(force="True")
        self.assert_fault(
            self.call("POST", "/snapshots", {"snapshot": {**body["snapshot"], "force": "maybe"}}),
            400,
            "badRequest",
            "force",
        )

    def test_a_volume_must_be_given_and_exist(self) -> None:
        answer = self.call("POST", "/snapshots", {"snapshot": {}})
        self.assert_fault(answer, 400, "badRequest", "volume_id")
        for volume_id in ("none", service_base.MISSING):
            answer = self.call("POST", "/snapshots", {"snapshot": {"volume_id": volume_id}})
            self.assert_fault(answer, 404, "itemNotFound", volume_id)

    def test_a_snapshot_is_changed_and_deleted(self) -> None:
        path = f"/snapshots/{self.create()['id']}"
        changed = self.ok("PUT", path, {"snapshot": {"name": "m", "description": "d"}})["snapshot"]
        self.assertEqual(("m", "d"), (changed["name"], changed["description"]))
        self.assert_fault(self.call("PUT", path, {"snapshot": {}}), 400, "badRequest", "name")
        self.ok("DELETE", path, status=202)
        self.assertEqual("deleting", self.ok("GET", path)["snapshot"]["status"])

    def test_metadata_is_read_changed_replaced_and_removed(self) -> None:
        path = f"/snapshots/{self.create(metadata={'a': '1'})['id']}/metadata"
        self.assertEqual(
            {"metadata": {"a": "1", "b": "2"}}, self.ok("POST", path, {"metadata": {"b": "2"}})
        )
        self.assertEqual({"meta": {"b": "3"}}, self.ok("PUT", f"{path}/b", {"meta": {"b": "3"}}))
        self.ok("DELETE", f"{path}/a")
        self.assertEqual({"metadata": {"b": "3"}}, self.ok("GET", path))
        self.assertEqual({"metadata": {}}, self.ok("PUT", path, {"metadata": {}}))

    def test_administrators_mend(self) -> None:
        path = f"/snapshots/{self.create()['id']}"
        self.ok("POST", f"{path}/action", {"os-reset_status": {"status": "error"}}, status=202)
        self.assertEqual("error", self.ok("GET", path)["snapshot"]["status"])
        for body in ({"os-reset_status": {}}, {"os-reset_status": None}, {}, {"os-unmanage": None}):
            self.assert_fault(self.call("POST", f"{path}/action", body), 400, "badRequest")
        self.ok("POST", f"{path}/action", {"os-force_delete": None}, status=202)
        self.assertEqual("deleting", self.ok("GET", path)["snapshot"]["status"])
