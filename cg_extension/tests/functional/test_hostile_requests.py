# SPDX-License-Identifier: Apache-2.0
"""Whatever comes in over the network, through to the database: an answer, and never a 500."""

import contextlib
import http.client
import json
import socket
import urllib.parse

import requests
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cg_extension.tests import strategies
from cg_extension.tests.functional import base

TYPE = "__DEFAULT__"
SETTINGS = settings(
    max_examples=100, deadline=None, suppress_health_check=[HealthCheck.differing_executors]
)


class HostileRequestsTest(base.FunctionalTest):
    def setUp(self) -> None:
        super().setUp()
        self.service = self.useFixture(base.Standalone())
        client = self.service.client()
        values = {"volume_types": TYPE}
        self.group = client.create("/consistencygroups", {"consistencygroup": values})
        self.url = f"{self.service.url}/v3/{client.project}"
        self.session = requests.Session()
        self.session.headers["X-Auth-Token"] = f"tester:{client.project}"
        self.addCleanup(self.session.close)

    def _send(self, method: str, path: str, raw: bytes = b"") -> requests.Response:
        answer = self.session.request(
            method,
            self.url + path.format(id=self.group),
            data=raw,
            headers={"Content-Type": "application/json"},
            timeout=30,
        )
        self.assertLess(answer.status_code, 500, answer.text)
        self.assertTrue(answer.headers["x-openstack-request-id"].startswith("req-"))
        if answer.status_code >= 400 and method != "HEAD":
            [fault] = answer.json().values()
            self.assertEqual(answer.status_code, fault["code"])
        return answer

    @SETTINGS
    @given(st.data())
    def test_no_body_gives_a_500(self, data: st.DataObject) -> None:
        value = data.draw(st.sampled_from([TYPE, self.group]))
        self._send(*data.draw(strategies.requests_with_body(value)))

    @SETTINGS
    @given(st.sampled_from(strategies.CALLS), strategies.queries())
    def test_no_query_gives_a_500(self, call: tuple[str, str], query: str) -> None:
        method, path = call
        self._send(method, f"{path}?{query}".replace("{id}", self.group))

    @SETTINGS
    @given(st.sampled_from(strategies.CALLS), st.binary(min_size=1, max_size=60))
    def test_no_path_gives_a_500(self, call: tuple[str, str], part: bytes) -> None:
        method, path = call
        self._send(method, path.replace("{id}", urllib.parse.quote(part, safe="")))

    @SETTINGS
    @given(st.text(st.characters(exclude_categories=["Cs", "Cc"]), max_size=255).filter(str.strip))
    def test_any_name_is_stored_found_and_shown_without_blanks_at_its_ends(self, name: str) -> None:
        body = {"consistencygroup": {"name": name}}
        client = self.service.client()
        client.put(f"/consistencygroups/{self.group}", body)
        name = name.strip()
        query = urllib.parse.urlencode({"name": name})
        [found] = client.get(f"/consistencygroups?{query}")["consistencygroups"]
        self.assertEqual({"id": self.group, "name": name}, found)

    def test_a_body_beyond_the_limit_is_413(self) -> None:
        body = b'{"consistencygroup": {"description": "%s"}}' % (b"x" * 200_000)
        answer = self._send("POST", "/consistencygroups", body)
        self.assertEqual((413, ["overLimit"]), (answer.status_code, list(answer.json())))

    def test_a_body_in_chunks_is_read_and_limited_alike(self) -> None:
        address = urllib.parse.urlsplit(self.url)
        for chunk, status in ((b'{"consistencygroup": {}}', 400), (b" " * 200_000, 413)):
            connection = http.client.HTTPConnection(address.netloc, timeout=30)
            self.addCleanup(connection.close)
            # The answer may come before all is sent.
            with contextlib.suppress(BrokenPipeError, ConnectionResetError):
                connection.request(
                    "POST",
                    f"{address.path}/consistencygroups",
                    iter([chunk]),
                    {
                        "X-Auth-Token": self.session.headers["X-Auth-Token"],
                        "Content-Type": "application/json",
                    },
                    encode_chunked=True,
                )
            answer = connection.getresponse()
            self.assertEqual(status, answer.status, answer.read())

    def test_a_body_that_breaks_off_or_is_badly_chunked_is_refused(self) -> None:
        address = urllib.parse.urlsplit(self.url)
        for length, body in (
            ("Content-Length: 100", b"{"),
            ("Transfer-Encoding: chunked", b"5\r\n{"),
            ("Transfer-Encoding: chunked", b"x\r\n{}\r\n0\r\n\r\n"),
        ):
            head = (
                f"POST {address.path}/consistencygroups HTTP/1.1\r\n{length}\r\n"
                f"X-Auth-Token: {self.session.headers['X-Auth-Token']}\r\n"
                "Content-Type: application/json\r\n\r\n"
            )
            with socket.create_connection((address.hostname, address.port), 30) as client:
                client.sendall(head.encode() + body)
                client.shutdown(socket.SHUT_WR)
                answer = http.client.HTTPResponse(client)
                answer.begin()
                [(name, fault)] = json.load(answer).items()
            self.assertEqual((400, "badRequest"), (answer.status, name))
            self.assertIn("must come whole", fault["message"])
