# SPDX-License-Identifier: Apache-2.0
import webob
from oslotest import base

from cg_extension.api import answer


class AnswerTest(base.BaseTestCase):
    def _send(self, result: answer.Answer, **headers: str) -> webob.Response:
        return webob.Request.blank("/", headers=headers).get_response(result)

    def test_a_document_goes_out_as_json(self) -> None:
        response = self._send(answer.Answer(200, {"name": "\N{PILE OF POO}"}))
        self.assertEqual("200 OK", response.status)
        self.assertEqual("application/json", response.content_type)
        self.assertEqual({"name": "\N{PILE OF POO}"}, response.json)

    def test_without_a_document_the_body_is_empty(self) -> None:
        response = self._send(answer.Answer(202))
        self.assertEqual(("202 Accepted", b"", 0), (response.status, response.body, 0))
        self.assertEqual("0", response.headers["Content-Length"])
