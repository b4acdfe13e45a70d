# SPDX-License-Identifier: Apache-2.0
"""The table of paths and the controllers agree."""

from cg_extension.host import routes
from cg_extension.tests.unit.host import base


class RoutesTest(base.HostTestCase):
    def test_other_methods_are_answered_with_those_that_there_are(self) -> None:
        for table in routes.ROUTES.values():
            for path, functions in table.items():
                answer = self.call("PATCH", path.format(id="x", key="k", alias="a"))
                self.assert_fault(answer, 405, "badMethod")
                allowed = set(functions) | ({"HEAD"} if "GET" in functions else set())
                self.assertEqual(allowed, set(answer.headers["Allow"].split(", ")), path)

    def test_every_list_answers_head_too(self) -> None:
        for path in ("/volumes", "/snapshots/detail", "/types", "/limits", "/os-services"):
            answer = self.call("HEAD", path)
            self.assertEqual((200, b""), (answer.status_int, answer.body))

    def test_another_project_in_the_path_is_a_malformed_url(self) -> None:
        answer = self.call("GET", "/volumes", roles="member", path_project="q")
        self.assert_fault(answer, 400, "badRequest", "Malformed request url")
        self.ok("GET", "/volumes", path_project="q")
