# SPDX-License-Identifier: Apache-2.0
from oslotest import base as oslotest_base

from cg_extension.api import extensions, router, routes
from cg_extension.tests.unit.api import base


class RoutesTest(base.APITestCase):
    def test_every_path_has_a_collection_that_is_mounted(self) -> None:
        collections = {path.split("/")[1] for path in routes.ROUTES}
        self.assertEqual(collections, self.application.collections)

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


class _Things:
    def index(self) -> None: ...
    def show(self) -> None: ...
    def count(self) -> None: ...
    def action(self) -> None: ...


class TableTest(oslotest_base.BaseTestCase):
    def test_paths_are_those_of_the_controllers_functions_and_of_the_actions(self) -> None:
        extension = extensions.ResourceExtension(
            "things", _Things(), {"count": "GET"}, {"action": "POST"}
        )
        expected = {
            "/things": {"GET": "index"},
            "/things/count": {"GET": "count"},
            "/things/{id}": {"GET": "show"},
            "/things/{id}/action": {"POST": "action"},
        }
        self.assertEqual(expected, router.table_of(extension))

    def test_paths_that_are_written_down_are_all_there_is(self) -> None:
        table = {"/things/{id}/parts/{part}": {"GET": "show"}}
        extension = extensions.ResourceExtension("things", _Things(), table=table)
        self.assertEqual(table, router.table_of(extension))

    def test_no_path_of_another_collection_may_be_written_down(self) -> None:
        for path in ("/volumes", "/thing", "/", "", "things", "//things"):
            table = {"/things": {"GET": "index"}, path: {"GET": "show"}}
            with self.assertRaisesRegex(ValueError, "not a path of the collection things"):
                extensions.ResourceExtension("things", _Things(), table=table)
