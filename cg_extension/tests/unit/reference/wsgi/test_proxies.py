# SPDX-License-Identifier: Apache-2.0
"""What a proxy may say of a request, what a client may not, and what comes of it in links."""

from collections.abc import Mapping
from typing import Any

import webob

from cg_extension.tests.unit.reference.wsgi import base

TOKEN = {"X-Auth-Token": "u:p"}
FORWARDED = {"Forwarded": "for=127.0.0.1;host=evil.example.org;proto=https"}


class ProxyTestCase(base.HostTestCase):
    trusted = True

    def setUp(self) -> None:
        super().setUp()
        self.conf.set_override("allow_noauth_on_network", True)
        name = "enable_proxy_headers_parsing"
        self.conf.set_override(name, self.trusted, group="oslo_middleware")
        self.application = self.load()

    def links(self, headers: Mapping[str, str], **options: Any) -> set[str]:
        """Where the links of discovery, of a resource and to a next page lead, without paths."""
        answers = [self.send("GET", "/v3", headers=headers, **options)]
        body = {"volume": {"size": 1}}
        headers = {**headers, **TOKEN}
        for _ in range(2):
            answers.append(self.send("POST", "/v3/p/volumes", body, headers=headers, **options))
        answers.append(self.send("GET", "/v3/p/volumes?limit=1", headers=headers, **options))
        hrefs = [item["href"] for answer in answers for item in _links(answer.json)]
        self.assertGreater(len(hrefs), len(answers))
        return {href.partition("/v3/")[0] for href in hrefs}


def _links(document: Any) -> list[dict[str, str]]:
    """Every link in a document."""
    if isinstance(document, list):
        return [link for item in document for link in _links(item)]
    if not isinstance(document, dict):
        return []
    if "href" in document:
        return [document]
    return [link for value in document.values() for link in _links(value)]


class TrustedTest(ProxyTestCase):
    def test_scheme_host_and_prefix_are_the_proxys(self) -> None:
        headers = {
            "X-Forwarded-Proto": "https",
            "X-Forwarded-Host": "cloud.example.org:8443",
            "X-Forwarded-Prefix": "/volume/",
        }
        self.assertEqual({"https://cloud.example.org:8443/volume"}, self.links(headers))

    def test_forwarded_counts_for_nothing(self) -> None:
        self.assertEqual({"http://localhost"}, self.links(FORWARDED))
        headers = {**FORWARDED, "X-Forwarded-Host": "cloud.example.org"}
        self.assertEqual({"http://cloud.example.org"}, self.links(headers))

    def test_of_a_list_the_nearest_proxys_word_counts(self) -> None:
        headers = {
            "X-Forwarded-Proto": "http,https",
            "X-Forwarded-Host": "evil.example.org, cloud.example.org",
        }
        self.assertEqual({"https://cloud.example.org"}, self.links(headers))

    def test_the_public_endpoint_wins(self) -> None:
        self.conf.set_override("public_endpoint", "https://volume.example.org")
        headers = {"X-Forwarded-Host": "cloud.example.org", "Host": "evil.example.org"}
        self.assertEqual({"https://volume.example.org"}, self.links(headers))

    def test_what_no_link_can_be_made_of_is_refused(self) -> None:
        for headers in (
            {"X-Forwarded-Proto": "javascript"},
            {"X-Forwarded-Host": "a/b"},
            {"X-Forwarded-Host": "user@evil.example.org"},
            {"X-Forwarded-Host": 'a"b'},
            {"X-Forwarded-Host": "a b"},
            {"X-Forwarded-Prefix": "//evil.example.org"},
            {"X-Forwarded-Prefix": "volume"},
            {"X-Forwarded-Prefix": "/a?b"},
        ):
            with self.subTest(headers=headers):
                for path in ("/v3", "/v3/p/volumes"):
                    answer = self.send("GET", path, headers={**TOKEN, **headers})
                    self.assert_fault(answer, 400, "badRequest")


class UntrustedTest(ProxyTestCase):
    trusted = False

    def test_no_header_of_a_proxy_counts(self) -> None:
        headers = {
            **FORWARDED,
            "X-Forwarded-Proto": "https",
            "X-Forwarded-Host": "evil.example.org",
            "X-Forwarded-Prefix": "/volume",
        }
        self.assertEqual({"http://localhost"}, self.links(headers))

    def test_nobody_becomes_this_machine_by_a_header(self) -> None:
        self.conf.clear_override("allow_noauth_on_network")
        self.application = self.load()
        for headers in (FORWARDED, {"X-Forwarded-For": "127.0.0.1"}, {"X-Real-IP": "127.0.0.1"}):
            answer = self.send(
                "GET",
                "/v3/p/volumes",
                headers={**TOKEN, **headers},
                environ={"REMOTE_ADDR": "192.0.2.1"},
            )
            self.assert_fault(answer, 401, "unauthorized", "own machine only")

    def test_links_lead_to_the_host_that_was_asked(self) -> None:
        for host in ("cloud.example.org", "192.0.2.1:8776", "[2001:db8::1]:8776"):
            self.assertEqual({f"http://{host}"}, self.links({"Host": host}))

    def test_a_host_that_is_none_is_refused(self) -> None:
        for host in ("a/b", "a b", "user@a", 'a"', "a:b", "[a", "a\\b"):
            answer = self.send("GET", "/v3", headers={"Host": host})
            self.assert_fault(answer, 400, "badRequest", "host")

    def test_without_a_host_there_are_still_links(self) -> None:
        req = webob.Request.blank("/v3")
        del req.environ["HTTP_HOST"]
        answer = req.get_response(self.application)
        self.assertEqual(200, answer.status_int)
