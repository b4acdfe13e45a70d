# SPDX-License-Identifier: Apache-2.0
"""``[api] response_validation``."""

import logging
from typing import Any

import fixtures
import webob

from cg_extension.api import answer, responses, views, wsgi
from cg_extension.contract import context as cg_context
from cg_extension.tests.unit.api import base

_SCHEMA = views.closed(
    {"things": views.listed(views.closed({"id": views.UUID, "at": views.TIMESTAMP}))}
)
_AT = "2015-09-16T09:28:52.000000"
RIGHT = {"things": [{"id": base.GROUP_ID, "at": _AT}]}
# What is wrong → what the log says of it.
WRONG = {
    "$.things[1].id must have format": [*RIGHT["things"], {"id": "secret", "at": _AT}],
    "$.things[0] lacks at": [{"id": base.GROUP_ID}],
    "$.things[0] has unknown keys: also": [{**RIGHT["things"][0], "also": "secret"}],
    "$.things must have type": "secret",
    "$.things[0].at must have format": [{"id": base.GROUP_ID, "at": f"{_AT}\n"}],
}


class Controller:
    """Answers with whatever it is told to."""

    result: Any = None

    @wsgi.response(200, _SCHEMA)
    @wsgi.response(202)
    def index(self, req: webob.Request) -> Any:
        return self.result

    def unsaid(self, req: webob.Request) -> Any:
        return self.result


class ResponseValidationTest(base.APITestCase):
    def setUp(self) -> None:
        super().setUp()
        self.log = self.useFixture(fixtures.FakeLogger(level=logging.WARNING))

    def _call(self, validation: str, result: Any, name: str = "index") -> webob.Response:
        controller = Controller()
        controller.result = result
        req = webob.Request.blank("/things")
        req.environ[cg_context.ENVIRON_KEY] = cg_context.RequestContext()
        req.environ["wsgiorg.routing_args"] = ((), {})
        return req.get_response(wsgi.Resource(controller, {"GET": name}, validation))

    def test_what_is_as_declared_goes_out(self) -> None:
        for validation in responses.CHECKS:
            for result in (RIGHT, answer.Answer(200, RIGHT), answer.Answer(202)):
                self.assertIn(self._call(validation, result).status_int, (200, 202))
        self.assertEqual("", self.log.output)

    def test_warn_logs_call_and_place_but_no_value_and_changes_nothing(self) -> None:
        for place, things in WRONG.items():
            self.log.reset_output()
            got = self._call("warn", {"things": things})
            self.assertEqual((200, {"things": things}), (got.status_int, got.json))
            self.assertIn(f"Invalid response to GET /things: {place}", self.log.output)
            self.assertNotIn("secret", self.log.output)

    def test_error_answers_500_and_only_the_log_says_why(self) -> None:
        for place, things in WRONG.items():
            got = self._call("error", {"things": things})
            self.assert_fault(got, 500, "computeFault")
            self.assertNotIn("things", got.text)
            self.assertIn(f"Invalid response to GET /things: {place}", self.log.output)
            self.assertNotIn("secret", self.log.output)

    def test_ignore_looks_at_nothing(self) -> None:
        for things in WRONG.values():
            self.assertEqual(200, self._call("ignore", {"things": things}).status_int)
        self.assertEqual("", self.log.output)

    def test_a_status_or_a_body_that_was_not_declared_is_a_mismatch(self) -> None:
        for result, words in (
            (answer.Answer(201, RIGHT), "the status 201 is not declared"),
            (answer.Answer(202, {}), "there should be no body"),
        ):
            self.assert_fault(self._call("error", result), 500, "computeFault")
            self.assertIn(words, self.log.output)

    def test_a_function_that_declares_nothing_may_answer_with_anything(self) -> None:
        self.assertEqual(200, self._call("error", {"x": 1}, "unsaid").status_int)

    def test_it_is_off_unless_configured(self) -> None:
        self.assertEqual("ignore", self.manager.conf.api.response_validation)
