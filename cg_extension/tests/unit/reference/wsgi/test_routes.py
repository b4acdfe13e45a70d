# SPDX-License-Identifier: Apache-2.0
"""The table of paths and the controllers agree."""

from cg_extension.reference.wsgi import routes
from cg_extension.tests.unit.reference.wsgi import base


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
        for roles in ("member", "admin", ""):
            for path in ("/volumes", "/types", "/os-services", "/os-quota-sets/q", "/extensions"):
                answer = self.call("GET", path, roles=roles, path_project="q")
                self.assert_fault(answer, 400, "badRequest", "Malformed request url")

    def test_every_path_is_there_without_a_project_at_both_versions(self) -> None:
        for table in routes.ROUTES.values():
            for path in table:
                for version in ("v2", "v3"):
                    answer = self.send(
                        "PATCH",
                        f"/{version}{path.format(id='x', key='k', alias='a')}",
                        headers={"X-Auth-Token": "u:p"},
                    )
                    self.assert_fault(answer, 405, "badMethod")

    def test_links_have_the_project_if_the_path_has(self) -> None:
        for path in ("", "/p"):
            answer = self.send(
                "POST",
                f"/v3{path}/volumes",
                {"volume": {"size": 1}},
                headers={"X-Auth-Token": "u:p"},
            )
            volume = answer.json["volume"]
            self.assertEqual("p", volume["os-vol-tenant-attr:tenant_id"])
            links = {link["href"] for link in volume["links"]}
            self.assertIn(f"http://localhost/v3{path}/volumes/{volume['id']}", links)
