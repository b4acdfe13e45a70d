# SPDX-License-Identifier: Apache-2.0
import dataclasses
from typing import Any
from unittest import mock

from cg_extension.api import consistencygroups
from cg_extension.contract import exceptions, records
from cg_extension.tests.unit.api import base

PATH = "/consistencygroups"
MEMBER = f"{PATH}/{base.GROUP_ID}"
DETAIL = {
    "id": base.GROUP_ID,
    "status": "available",
    "availability_zone": "nova",
    "created_at": "2015-09-16T09:28:52.000000",
    "name": "database",
    "description": "tables and logs",
    "volume_types": [base.TYPE_ID],
}


class ReadTest(base.APITestCase):
    def test_list_without_detail_has_ids_and_names(self) -> None:
        self.assertEqual(
            {"consistencygroups": [{"id": base.GROUP_ID, "name": "database"}]},
            self.call("GET", PATH).json,
        )

    def test_list_with_detail_has_all_fields(self) -> None:
        self.assertEqual({"consistencygroups": [DETAIL]}, self.call("GET", f"{PATH}/detail").json)

    def test_a_next_page_is_linked(self) -> None:
        self.service.list_group_names.return_value = records.Page((base.GROUP,), has_more=True)
        links = self.call("GET", f"{PATH}?limit=1").json["consistencygroup_links"]
        self.assertEqual(["next"], [link["rel"] for link in links])

    def test_filters_and_paging_reach_the_service(self) -> None:
        self.call("GET", f"{PATH}?availability_zone=z&limit=5&offset=2&sort=name:asc")
        query = records.ListQuery(
            limit=5, offset=2, sort=(("name", "asc"),), filters={"availability_zone": "z"}
        )
        self.service.list_group_names.assert_called_once_with(mock.ANY, query)

    def test_a_mistyped_filter_is_refused(self) -> None:
        self.assert_bad(self.call("GET", f"{PATH}?nmae=x"), '"nmae"', "availability_zone")

    def test_show_has_all_fields(self) -> None:
        self.assertEqual({"consistencygroup": DETAIL}, self.call("GET", MEMBER).json)

    def test_what_went_wrong_is_shown_to_administrators(self) -> None:
        group = dataclasses.replace(base.GROUP, status="error", status_reason="disk full")
        self.service.get_group.return_value = group
        self.assertNotIn("status_reason", self.call("GET", MEMBER).json["consistencygroup"])
        answer = self.call("GET", MEMBER, role="admin")
        self.assertEqual("disk full", answer.json["consistencygroup"]["status_reason"])

    def test_an_id_that_is_no_uuid_is_404(self) -> None:
        for method in ("GET", "DELETE"):
            answer = self.call(method, f"{PATH}/no-uuid")
            self.assert_fault(answer, 404, "itemNotFound", "no-uuid")
        self.service.get_group.assert_not_called()

    def test_what_the_service_does_not_find_is_404(self) -> None:
        self.service.get_group.side_effect = exceptions.GroupNotFound(id=base.GROUP_ID)
        self.assert_fault(self.call("GET", MEMBER), 404, "itemNotFound", base.GROUP_ID)

    def test_a_parameter_where_none_is_taken_is_refused(self) -> None:
        self.assert_bad(self.call("GET", f"{MEMBER}?all_tenants=1"), "all_tenants")


class CreateTest(base.APITestCase):
    def _create(self, **values: Any) -> Any:
        return self.call("POST", PATH, {"consistencygroup": values})

    def test_create_is_accepted_with_all_fields(self) -> None:
        answer = self._create(
            name="n", description="d", volume_types="gold, silver,,gold,", availability_zone="z"
        )
        self.assertEqual(202, answer.status_int)
        self.assertEqual({"consistencygroup": DETAIL}, answer.json)
        self.service.create_group.assert_called_once_with(
            mock.ANY,
            name="n",
            description="d",
            volume_types=["gold", "silver"],
            availability_zone="z",
        )

    def test_null_is_absent_and_identity_is_the_tokens(self) -> None:
        answer = self._create(
            name=None,
            description=None,
            volume_types="gold",
            availability_zone=None,
            user_id="someone",
            project_id="elsewhere",
            status="creating",
        )
        self.assertEqual(202, answer.status_int)
        self.service.create_group.assert_called_once_with(
            mock.ANY, name=None, description=None, volume_types=["gold"], availability_zone=None
        )

    def test_volume_types_are_needed(self) -> None:
        for values in ({}, {"volume_types": None}, {"volume_types": ""}, {"volume_types": " , "}):
            with self.subTest(values=values):
                self.assert_bad(self._create(**values), "volume_types")

    def test_volume_types_are_one_string(self) -> None:
        for value in (["gold"], 1, {"gold": 1}, True):
            self.assert_bad(self._create(volume_types=value), "volume_types", "a string")

    def test_a_quota_exceeded_may_be_tried_again(self) -> None:
        self.service.create_group.side_effect = exceptions.QuotaExceeded(
            resource="groups", requested=1, used=10, allowed=10
        )
        answer = self._create(volume_types="gold")
        self.assert_fault(answer, 413, "overLimit", "groups", "10")
        self.assertEqual("0", answer.headers["Retry-After"])


class CreateFromSourceTest(base.APITestCase):
    def _create(self, **values: Any) -> Any:
        body = {"consistencygroup-from-src": values}
        return self.call("POST", f"{PATH}/create_from_src", body)

    def test_each_source_alone_is_accepted(self) -> None:
        for source, other in (
            ("cgsnapshot_id", "source_cgid"),
            ("source_cgid", "cgsnapshot_id"),
        ):
            self.service.create_group_from_src.reset_mock()
            answer = self._create(name="n", **{source: base.GROUP_ID, other: None})
            self.assertEqual((202, DETAIL), (answer.status_int, answer.json["consistencygroup"]))
            self.service.create_group_from_src.assert_called_once_with(
                mock.ANY, name="n", description=None, **{source: base.GROUP_ID, other: None}
            )

    def test_exactly_one_source_is_needed(self) -> None:
        both = {"cgsnapshot_id": base.CGSNAPSHOT_ID, "source_cgid": base.GROUP_ID}
        for values in ({}, dict.fromkeys(both), both):
            self.assert_bad(self._create(**values), "exactly one", "cgsnapshot_id", "source_cgid")

    def test_a_malformed_id_is_refused(self) -> None:
        for key in ("cgsnapshot_id", "source_cgid"):
            for value in ("", "x", base.GROUP_ID[:-1], base.GROUP_ID.replace("-", "")):
                self.assert_bad(self._create(**{key: value}), key, "UUID")


class UpdateTest(base.APITestCase):
    def test_both_paths_reach_the_service(self) -> None:
        for path in (MEMBER, f"{MEMBER}/update"):
            self.service.update_group.reset_mock()
            values = {
                "name": "n",
                "description": None,
                "add_volumes": "a, b,a,",
                "remove_volumes": "",
            }
            answer = self.call("PUT", path, {"consistencygroup": values})
            self.assertEqual((202, b""), (answer.status_int, answer.body))
            self.service.update_group.assert_called_once_with(
                mock.ANY,
                base.GROUP_ID,
                name="n",
                description=None,
                add_volumes=["a", "b"],
                remove_volumes=[],
            )

    def test_what_is_given_and_empty_is_cleared_and_null_is_absent(self) -> None:
        for given, passed_on in (
            ({"name": "", "description": ""}, ("", "")),
            ({"name": "n", "description": ""}, ("n", "")),
            ({"description": ""}, (None, "")),
            ({"name": "", "description": None}, ("", None)),
            ({"name": " \u3000 "}, ("", None)),
        ):
            answer = self.call("PUT", MEMBER, {"consistencygroup": given})
            self.assertEqual(202, answer.status_int)
            arguments = self.service.update_group.call_args.kwargs
            self.assertEqual(passed_on, (arguments["name"], arguments["description"]), given)

    def test_a_names_outer_blanks_are_no_part_of_it(self) -> None:
        body = {"consistencygroup": {"name": "  two words \u00a0", "description": " d "}}
        self.call("PUT", MEMBER, body)
        arguments = self.service.update_group.call_args.kwargs
        self.assertEqual(("two words", " d "), (arguments["name"], arguments["description"]))

    def test_an_update_must_change_something(self) -> None:
        for values in (
            {},
            {"name": None, "description": None, "add_volumes": " ,", "remove_volumes": ""},
        ):
            answer = self.call("PUT", MEMBER, {"consistencygroup": values})
            self.assert_bad(answer, "at least one of name", "add_volumes")
        self.service.update_group.assert_not_called()

    def test_no_volume_joins_and_leaves(self) -> None:
        values = {"add_volumes": "a,b,c", "remove_volumes": "c, d, b"}
        answer = self.call("PUT", MEMBER, {"consistencygroup": values})
        self.assert_bad(answer, "add_volumes and remove_volumes", '"b", "c"')
        self.service.update_group.assert_not_called()

    def test_what_the_caller_may_not_see_is_404_before_the_rest_is_looked_at(self) -> None:
        self.service.get_group.side_effect = exceptions.GroupNotFound(id=base.GROUP_ID)
        answer = self.call("PUT", MEMBER, {"consistencygroup": {}})
        self.assert_fault(answer, 404, "itemNotFound")

    def test_lists_of_volumes_are_strings(self) -> None:
        body = {"consistencygroup": {"add_volumes": [base.GROUP_ID]}}
        self.assert_bad(self.call("PUT", MEMBER, body), "add_volumes", "a string")


class DeleteTest(base.APITestCase):
    def _assert_deleted(self, answer: Any, *, force: bool) -> None:
        self.assertEqual((202, b""), (answer.status_int, answer.body), answer.text)
        self.service.delete_group.assert_called_once_with(mock.ANY, base.GROUP_ID, force=force)
        self.service.delete_group.reset_mock()

    def test_force_is_a_boolean_or_one_of_oslos_words(self) -> None:
        for force, value in ((True, True), (True, "yes"), (False, False), (False, "False")):
            for key in ("consistencygroup", "consistency_group"):
                answer = self.call("POST", f"{MEMBER}/delete", {key: {"force": value}})
                self._assert_deleted(answer, force=force)

    def test_a_body_may_be_left_out(self) -> None:
        self._assert_deleted(self.call("POST", f"{MEMBER}/delete"), force=False)
        for body in ({}, {"consistencygroup": {}}, {"consistencygroup": {"force": None}}):
            self._assert_deleted(self.call("POST", f"{MEMBER}/delete", body), force=False)

    def test_anything_else_for_force_is_refused(self) -> None:
        for value in ("maybe", "", 1, [], {}):
            body = {"consistencygroup": {"force": value}}
            self.assert_bad(self.call("POST", f"{MEMBER}/delete", body), "force", "boolean")
        self.service.delete_group.assert_not_called()

    def test_wrong_keys_are_refused(self) -> None:
        for body in ({"group": {}}, {"consistencygroup": {"forse": True}}):
            self.assert_bad(self.call("POST", f"{MEMBER}/delete", body), "unknown keys")
        body = {key: {"force": True} for key in ("consistencygroup", "consistency_group")}
        self.assert_bad(self.call("POST", f"{MEMBER}/delete", body))

    def test_the_method_delete_never_forces(self) -> None:
        self._assert_deleted(self.call("DELETE", MEMBER), force=False)
        body = {"consistencygroup": {"force": True}}
        self._assert_deleted(self.call("DELETE", MEMBER, body), force=False)
        self._assert_deleted(self.call("DELETE", MEMBER, raw=b"{"), force=False)

    def test_a_state_that_forbids_it_is_400(self) -> None:
        self.service.delete_group.side_effect = exceptions.InvalidState(reason="it is creating")
        self.assert_bad(self.call("DELETE", MEMBER), "it is creating")


class ResetStatusTest(base.APITestCase):
    def _set(self, body: Any, role: str = "admin") -> Any:
        return self.call("POST", f"{MEMBER}/action", body, role=role)

    def test_each_status_without_work_under_way_may_be_set_by_either_name(self) -> None:
        for status in ("available", "error", "error_deleting"):
            for name in ("reset_status", "os-reset_status"):
                self.service.reset_group_status.reset_mock()
                answer = self._set({name: {"status": status}})
                self.assertEqual((202, b""), (answer.status_int, answer.body))
                self.service.reset_group_status.assert_called_once_with(
                    mock.ANY, base.GROUP_ID, status=status
                )

    def test_any_other_status_is_refused_with_those_that_would_do(self) -> None:
        for status in ("creating", "updating", "deleting", "in-use", "", 1, True, [], {}):
            answer = self._set({"reset_status": {"status": status}})
            self.assert_bad(answer, "status must be one of available, error, error_deleting")
        self.service.reset_group_status.assert_not_called()

    def test_a_body_of_another_form_is_refused(self) -> None:
        action = {"status": "error"}
        for body in (
            *({}, {"reset_status": None}, {"reset_status": {}}, {"reset_status": "error"}),
            {"reset_status": {"status": None}},
            {"reset_status": {**action, "attach_status": "detached"}},
            {"reset_status": action, "os-reset_status": action},
            *({"reset": action}, {"os-force_delete": {}}, action),
        ):
            self.assert_bad(self._set(body))
        self.service.reset_group_status.assert_not_called()

    def test_it_is_an_administrators_call(self) -> None:
        for role in ("reader", "member"):
            answer = self._set({"reset_status": {"status": "error"}}, role)
            self.assert_fault(answer, 403, "forbidden", "consistencygroup:reset_status")


class DescriptorTest(base.APITestCase):
    def test_it_registers_itself_with_what_the_extensions_list_shows(self) -> None:
        descriptor = consistencygroups.Consistencygroups(self.manager)
        self.assertIn(descriptor, self.manager.registered)
        self.assertEqual("consistencygroups", descriptor.alias)
        self.assertTrue(descriptor.name and descriptor.updated and descriptor.__doc__)
