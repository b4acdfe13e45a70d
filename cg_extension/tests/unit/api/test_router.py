# SPDX-License-Identifier: Apache-2.0
import types
from typing import Any

import webob

from cg_extension.api import answer, router, routes
from cg_extension.contract import context as cg_context
from cg_extension.contract import records
from cg_extension.tests.unit.api import base

SNAPSHOT = {"consistencygroup_id": base.GROUP_ID}


class RouterTest(base.APITestCase):
    def test_an_unknown_path_is_404_as_json(self) -> None:
        for path in ("", "/", "/consistencygroup", "/consistencygroups/a/b/c", "//cgsnapshots"):
            with self.subTest(path=path):
                self.assert_fault(self.call("GET", path), 404, "itemNotFound")

    def test_a_path_that_is_no_utf8_is_404(self) -> None:
        self.assert_fault(self.call("GET", "/consistencygroups/%FF%FE"), 404, "itemNotFound")

    def test_a_path_with_a_nul_names_nothing(self) -> None:
        def controller(req: webob.Request, key: str) -> None:
            self.fail("called")

        application = router.Router()
        application.add(types.SimpleNamespace(show=controller), {"/things/{key}": {"GET": "show"}})
        context = cg_context.RequestContext(project_id=base.PROJECT)
        environ = {cg_context.ENVIRON_KEY: context}
        req = webob.Request.blank(f"/{base.PROJECT}/things/a%00b", environ)
        self.assert_fault(req.get_response(application), 404, "itemNotFound")

    def test_paths_of_others_go_on_to_the_application_behind(self) -> None:
        def behind(environ: dict[str, Any], start_response: Any) -> Any:
            return answer.Answer(204)(environ, start_response)

        response = webob.Request.blank("/p/volumes").get_response(router.Router(behind))
        self.assertEqual(204, response.status_int)

    def test_the_project_in_the_path_must_be_the_tokens(self) -> None:
        for role in ("reader", "member", "admin"):
            for method in ("GET", "POST"):
                answer = self.call(method, "/consistencygroups", path_project="other", role=role)
                self.assert_bad(answer, "Malformed request url")

    def test_without_a_project_in_the_path_it_is_the_tokens(self) -> None:
        for path in ("/consistencygroups", "/consistencygroups/detail", "/cgsnapshots"):
            expected = self.call("GET", path).json
            self.assertEqual(expected, self.call("GET", path, path_project=None).json)
        self.call("POST", "/cgsnapshots", {"cgsnapshot": SNAPSHOT}, path_project=None)
        [context] = self.service.create_cgsnapshot.call_args.args
        self.assertEqual(base.PROJECT, context.project_id)

    def test_every_path_is_there_without_a_project(self) -> None:
        for path in routes.ROUTES:
            answer = self.call("PATCH", path.format(id="x"), path_project=None)
            self.assert_fault(answer, 405, "badMethod")

    def test_a_collections_name_is_no_project(self) -> None:
        answer = self.call("GET", "/cgsnapshots", path_project="consistencygroups")
        self.assert_fault(answer, 404, "itemNotFound", "cgsnapshots")

    def test_links_lead_on_without_a_project(self) -> None:
        page = records.Page((base.GROUP,), has_more=True)
        self.service.list_group_names.return_value = self.service.list_groups.return_value = page
        for project, expected in ((None, ""), (base.PROJECT, f"/{base.PROJECT}")):
            answer = self.call("GET", "/consistencygroups?limit=1", path_project=project)
            href = answer.json["consistencygroup_links"][0]["href"]
            self.assertEqual(
                f"http://localhost{expected}/consistencygroups", href.partition("?")[0]
            )

    def test_without_a_context_it_is_401(self) -> None:
        req = webob.Request.blank(f"/{base.PROJECT}/consistencygroups")
        self.assert_fault(req.get_response(self.application), 401, "unauthorized")
