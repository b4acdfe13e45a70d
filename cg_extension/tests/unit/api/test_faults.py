# SPDX-License-Identifier: Apache-2.0
import logging

import fixtures
import webob
import webob.exc
from oslotest import base

from cg_extension.api import answer, faults
from cg_extension.contract import exceptions

NAMES = {
    exceptions.InvalidInput(reason="x"): "badRequest",
    exceptions.InvalidState(reason="x"): "badRequest",
    exceptions.Unauthorized(): "unauthorized",
    exceptions.Forbidden(action="x"): "forbidden",
    exceptions.GroupNotFound(id="x"): "itemNotFound",
    exceptions.Conflict(reason="x"): "conflictingRequest",
    exceptions.OverLimit(reason="x"): "overLimit",
    exceptions.ServiceUnavailable(reason="x"): "serviceUnavailable",
}


class FromExceptionTest(base.BaseTestCase):
    def setUp(self) -> None:
        super().setUp()
        self.log = self.useFixture(fixtures.FakeLogger(level=logging.ERROR))

    def _fault(self, error: Exception) -> answer.Answer:
        return faults.from_exception(error, {faults.REQUEST_ID_KEY: "req-1"})

    def test_each_of_the_services_errors_has_its_code_name_and_message(self) -> None:
        for error, name in NAMES.items():
            self.assertEqual(
                answer.Answer(error.code, {name: {"code": error.code, "message": error.msg}}),
                self._fault(error),
            )

    def test_an_exceeded_quota_may_be_tried_again(self) -> None:
        error = exceptions.QuotaExceeded(resource="groups", requested=1, used=10, allowed=10)
        result = self._fault(error)
        self.assertEqual((413, "0"), (result.status, result.headers["Retry-After"]))

    def test_of_an_unexpected_error_only_the_request_id_goes_out(self) -> None:
        result = self._fault(RuntimeError("SELECT secret FROM /var/lib"))
        self.assertEqual((500, ["computeFault"]), (result.status, list(result.document)))
        self.assertIn("req-1", result.document["computeFault"]["message"])
        self.assertNotIn("secret", str(result.document))
        self.assertIn("SELECT secret", self.log.output)

    def test_webobs_exceptions_keep_explanation_and_headers(self) -> None:
        error = webob.exc.HTTPMethodNotAllowed(explanation="no", headers={"Allow": "GET"})
        self.assertEqual(
            answer.Answer(405, {"badMethod": {"code": 405, "message": "no"}}, {"Allow": "GET"}),
            self._fault(error),
        )

    def test_a_code_without_a_name_goes_by_its_class(self) -> None:
        self.assertEqual(["badRequest"], list(faults.fault(418, "x").document))
        self.assertEqual(["computeFault"], list(faults.fault(507, "x").document))


class FromResponseTest(base.BaseTestCase):
    def test_plain_text_of_another_filter_becomes_the_message(self) -> None:
        response = webob.Response("Request is too large.", status=413, content_type="text/plain")
        self.assertEqual(
            {"overLimit": {"code": 413, "message": "Request is too large."}},
            faults.from_response(response, {}).document,
        )

    def test_html_does_not(self) -> None:
        response = webob.Response("<h1>x</h1>", status=404)
        self.assertEqual(
            {"itemNotFound": {"code": 404, "message": "404 Not Found"}},
            faults.from_response(response, {}).document,
        )

    def test_nothing_of_an_internal_error_goes_out(self) -> None:
        response = webob.Response("Traceback", status=500, content_type="text/plain")
        self.assertNotIn("Traceback", str(faults.from_response(response, {}).document))
