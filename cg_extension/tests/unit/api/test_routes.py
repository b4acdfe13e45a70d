# SPDX-License-Identifier: Apache-2.0
import dataclasses

from cg_extension.api import cgsnapshots, consistencygroups, router, routes
from cg_extension.tests.unit.api import base


class RoutesTest(base.APITestCase):
    def test_the_extension_contract_leads_to_the_very_table(self) -> None:
        table = {}
        for descriptor in (consistencygroups.Consistencygroups, cgsnapshots.Cgsnapshots):
            for resource in descriptor(self.manager).get_resources():
                table |= router.table_of(resource)
        self.assertEqual(routes.ROUTES, table)

    def test_actions_are_named_as_in_cinder(self) -> None:
        resource = routes.resource("consistencygroups", object())
        self.assertEqual({"detail": "GET", "create_from_src": "POST"}, resource.collection_actions)
        actions = {"delete": "POST", "update": "PUT", "action": "POST"}
        self.assertEqual(actions, resource.member_actions)

    def test_any_other_method_is_405_and_says_which_are_allowed(self) -> None:
        for path, functions in routes.ROUTES.items():
            allowed = set(functions) | ({"HEAD"} if "GET" in functions else set())
            for method in {"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"} - allowed:
                with self.subTest(path=path, method=method):
                    answer = self.call(method, path.format(id=base.GROUP_ID))
                    self.assertEqual(405, answer.status_int)
                    self.assertEqual(", ".join(sorted(allowed)), answer.headers["Allow"])

    def test_head_answers_as_get_without_the_body(self) -> None:
        for path, functions in routes.ROUTES.items():
            if "GET" not in functions:
                continue
            with self.subTest(path=path):
                get, head = (
                    self.call(method, path.format(id=base.GROUP_ID)) for method in ("GET", "HEAD")
                )
                self.assertEqual(200, head.status_int)
                self.assertEqual(get.headers, head.headers)
                self.assertEqual(b"", head.body)

    def test_a_group_may_have_the_name_of_an_action_as_its_id(self) -> None:
        """Clients look a name up as if it were an id; they take 404 for: not an id."""
        self.assert_fault(self.call("GET", "/consistencygroups/update"), 404, "itemNotFound")


class TableTest(base.APITestCase):
    def test_functions_that_a_controller_lacks_have_no_route(self) -> None:
        class OnlyShow:
            def show(self) -> None: ...

        extension = routes.resource("things", OnlyShow())
        self.assertEqual({"/things/{id}": {"GET": "show"}}, router.table_of(extension))

    def test_the_extension_is_a_plain_value(self) -> None:
        self.assertTrue(dataclasses.is_dataclass(routes.resource("things", object())))
