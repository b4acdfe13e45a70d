# SPDX-License-Identifier: Apache-2.0
from typing import Any

import webob
import webob.exc

from cg_extension.api import wsgi
from cg_extension.contract import context as cg_context
from cg_extension.tests.unit.api import base


class Controller:
    """What an extension's author may write."""

    def index(self, req: webob.Request) -> dict[str, Any]:
        return {"things": []}

    def show(self, req: webob.Request, id: str) -> webob.Response:
        return webob.Response(json_body={"id": id}, status=203)

    def create(self, req: webob.Request) -> None:
        raise webob.exc.HTTPConflict(explanation="taken")

    def delete(self, req: webob.Request) -> None:
        raise KeyError("secret")


class ResourceTest(base.APITestCase):
    def _call(self, method: str, name: str, **arguments: str) -> webob.Response:
        req = webob.Request.blank("/", method=method)
        req.environ[cg_context.ENVIRON_KEY] = cg_context.RequestContext()
        req.environ["wsgiorg.routing_args"] = ((), arguments)
        return req.get_response(wsgi.Resource(Controller(), {method: name}))

    def test_a_document_is_answered_with_200_unless_marked(self) -> None:
        answer = self._call("GET", "index")
        self.assertEqual((200, {"things": []}), (answer.status_int, answer.json))

    def test_a_response_of_the_controllers_own_is_left_alone(self) -> None:
        answer = self._call("GET", "show", id="x")
        self.assertEqual((203, {"id": "x"}), (answer.status_int, answer.json))

    def test_only_a_call_that_changes_nothing_may_read_what_is_late(self) -> None:
        seen = []

        class Noting:
            def call(self, req: webob.Request) -> None:
                seen.append(wsgi.context_of(req).may_read_late)

        methods = ("GET", "HEAD", "POST", "PUT", "DELETE")
        resource = wsgi.Resource(Noting(), dict.fromkeys(methods, "call"))
        for method in methods:
            req = webob.Request.blank("/", method=method)
            req.environ[cg_context.ENVIRON_KEY] = cg_context.RequestContext()
            req.environ["wsgiorg.routing_args"] = ((), {})
            req.get_response(resource)
        self.assertEqual([True, True, False, False, False], seen)
        self.assertFalse(cg_context.RequestContext().may_read_late)

    def test_webobs_exceptions_become_faults(self) -> None:
        self.assert_fault(self._call("POST", "create"), 409, "conflictingRequest", "taken")

    def test_any_other_exception_becomes_500_without_its_text(self) -> None:
        answer = self._call("DELETE", "delete")
        self.assert_fault(answer, 500, "computeFault")
        self.assertNotIn("secret", answer.text)
