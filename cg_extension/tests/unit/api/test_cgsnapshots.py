# SPDX-License-Identifier: Apache-2.0
import dataclasses
from typing import Any
from unittest import mock

from cg_extension.api import cgsnapshots
from cg_extension.contract import exceptions, records
from cg_extension.tests.unit.api import base

PATH = "/cgsnapshots"
MEMBER = f"{PATH}/{base.CGSNAPSHOT_ID}"
DETAIL = {
    "id": base.CGSNAPSHOT_ID,
    "consistencygroup_id": base.GROUP_ID,
    "status": "available",
    "created_at": "2015-09-16T09:28:52.000000",
    "name": "nightly",
    "description": None,
}


class ReadTest(base.APITestCase):
    def test_list_without_detail_has_ids_and_names(self) -> None:
        self.assertEqual(
            {"cgsnapshots": [{"id": base.CGSNAPSHOT_ID, "name": "nightly"}]},
            self.call("GET", PATH).json,
        )

    def test_list_with_detail_has_all_fields(self) -> None:
        self.assertEqual({"cgsnapshots": [DETAIL]}, self.call("GET", f"{PATH}/detail").json)

    def test_a_next_page_is_linked(self) -> None:
        page = records.Page((base.CGSNAPSHOT,), has_more=True)
        self.service.list_cgsnapshot_names.return_value = page
        self.assertEqual(1, len(self.call("GET", PATH).json["cgsnapshot_links"]))

    def test_the_group_is_a_filter(self) -> None:
        self.call("GET", f"{PATH}?consistencygroup_id={base.GROUP_ID}")
        query = self.service.list_cgsnapshot_names.call_args.args[1]
        self.assertEqual({"consistencygroup_id": base.GROUP_ID}, query.filters)

    def test_show_has_all_fields(self) -> None:
        self.assertEqual({"cgsnapshot": DETAIL}, self.call("GET", MEMBER).json)

    def test_what_went_wrong_is_shown_to_administrators(self) -> None:
        failed = dataclasses.replace(base.CGSNAPSHOT, status="error", status_reason="in use")
        self.service.get_cgsnapshot.return_value = failed
        self.assertNotIn("status_reason", self.call("GET", MEMBER).json["cgsnapshot"])
        answer = self.call("GET", MEMBER, role="admin")
        self.assertEqual("in use", answer.json["cgsnapshot"]["status_reason"])

    def test_an_id_that_is_no_uuid_is_404(self) -> None:
        for method in ("GET", "DELETE"):
            self.assert_fault(self.call(method, f"{PATH}/x"), 404, "itemNotFound", "x")
        self.service.get_cgsnapshot.assert_not_called()


class ResetStatusTest(base.APITestCase):
    def test_a_status_without_work_under_way_may_be_set(self) -> None:
        for status in ("available", "error", "error_deleting"):
            answer = self.call(
                "POST", f"{MEMBER}/action", {"reset_status": {"status": status}}, role="admin"
            )
            self.assertEqual((202, b""), (answer.status_int, answer.body))
            self.service.reset_cgsnapshot_status.assert_called_with(
                mock.ANY, base.CGSNAPSHOT_ID, status=status
            )

    def test_any_other_is_refused_and_so_is_anyone_else(self) -> None:
        for status in ("creating", "deleting", "updating", "gone"):
            body = {"reset_status": {"status": status}}
            self.assert_bad(self.call("POST", f"{MEMBER}/action", body, role="admin"), "status")
        body = {"reset_status": {"status": "error"}}
        self.assert_fault(self.call("POST", f"{MEMBER}/action", body), 403, "forbidden")
        self.service.reset_cgsnapshot_status.assert_not_called()


class CreateTest(base.APITestCase):
    def _create(self, **values: Any) -> Any:
        return self.call("POST", PATH, {"cgsnapshot": values})

    def test_create_is_accepted_with_all_fields(self) -> None:
        answer = self._create(
            consistencygroup_id=base.GROUP_ID,
            name="n",
            description=None,
            user_id="someone",
            project_id=None,
            status="creating",
        )
        self.assertEqual((202, {"cgsnapshot": DETAIL}), (answer.status_int, answer.json))
        self.service.create_cgsnapshot.assert_called_once_with(
            mock.ANY, group_id=base.GROUP_ID, name="n", description=None
        )

    def test_the_group_is_needed(self) -> None:
        for values in ({}, {"consistencygroup_id": None}):
            self.assert_bad(self._create(**values), "consistencygroup_id")

    def test_what_is_no_groups_id_is_404(self) -> None:
        answer = self._create(consistencygroup_id="database")
        self.assert_fault(answer, 404, "itemNotFound", "database")


class DeleteTest(base.APITestCase):
    def test_delete_is_accepted(self) -> None:
        answer = self.call("DELETE", MEMBER)
        self.assertEqual((202, b""), (answer.status_int, answer.body))
        self.service.delete_cgsnapshot.assert_called_once_with(mock.ANY, base.CGSNAPSHOT_ID)

    def test_a_state_that_forbids_it_is_400(self) -> None:
        self.service.delete_cgsnapshot.side_effect = exceptions.InvalidState(reason="a source")
        self.assert_bad(self.call("DELETE", MEMBER), "a source")


class DescriptorTest(base.APITestCase):
    def test_it_registers_itself_with_what_the_extensions_list_shows(self) -> None:
        descriptor = cgsnapshots.Cgsnapshots(self.manager)
        self.assertIn(descriptor, self.manager.registered)
        self.assertEqual("cgsnapshots", descriptor.alias)
        self.assertTrue(descriptor.name and descriptor.updated and descriptor.__doc__)
