# SPDX-License-Identifier: Apache-2.0
"""Whose fault it is when a token is not confirmed, and what stops the start instead."""

from typing import Any

import requests
import requests_mock
import webob
from keystoneauth1 import fixture, loading
from requests_mock.contrib import fixture as mock_fixture

from cg_extension.conf import errors
from cg_extension.reference.wsgi import identity, library_defaults
from cg_extension.tests.unit.reference.wsgi import base

URL = "http://identity.example.org"
CHECK = ("GET", "/v3/auth/tokens")
LOGIN = ("POST", "/v3/auth/tokens")


class IdentityTestCase(base.HostTestCase):
    """With a Keystone that fails in ways in which a real one can't be made to."""

    def setUp(self) -> None:
        super().setUp()
        self.answers = self.useFixture(mock_fixture.Fixture())
        self.answers.get(URL, json=fixture.DiscoveryList(URL, v2=False))
        self.works()

    def works(self) -> None:
        """From now on each login is right, and each token is a member's."""
        token = fixture.V3Token(project_id="p")
        token.add_role("member")
        token.add_service("identity").add_standard_endpoints(internal=URL)
        for method, path in (CHECK, LOGIN):
            self.answers.request(
                *(method, f"{URL}{path}"), json=token, headers={"X-Subject-Token": "service"}
            )

    def fails(self, call: tuple[str, str], status: int, text: str = "no") -> None:
        """From now on a call has that answer."""
        self.answers.request(call[0], f"{URL}{call[1]}", status_code=status, text=text)

    def load_keystone(self, **options: Any) -> None:
        """Load the pipeline of ``keystone``; an option that is None is not set."""
        library_defaults.set_defaults()
        identity.register_opts(self.conf)
        plugin = loading.get_auth_plugin_conf_options("password")
        self.conf.register_opts(plugin, group=identity.SECTION)
        self.conf.set_override("auth_strategy", "keystone")
        login = {
            "auth_type": "password",
            "auth_url": URL,
            "www_authenticate_uri": URL,
            "username": "service",
            "password": "secret",
            "project_name": "service",
            "user_domain_id": "default",
            "project_domain_id": "default",
        }
        for name, value in {**login, **options}.items():
            self.conf.set_override(name, value, group=identity.SECTION)
        self.application = self.load()

    def _call(self, token: str = "member") -> webob.Response:
        return self.send("GET", "/v3/p/volumes", headers={"X-Auth-Token": token})


class FaultTest(IdentityTestCase):
    def _assert_away(self, answer: webob.Response) -> None:
        self.assert_fault(answer, 503, "serviceUnavailable", "identity service")

    def test_one_that_fails_or_refuses_to_check_is_not_the_clients_fault(self) -> None:
        self.load_keystone(http_request_max_retries=0)
        for status in (400, 401, 403, 429, 500, 502, 503):
            with self.subTest(status=status):
                self.fails(CHECK, status)
                self._assert_away(self._call())

    def test_nor_is_one_that_does_not_let_this_service_in(self) -> None:
        self.load_keystone(http_request_max_retries=0)
        for status in (400, 401, 403, 404, 500, 503):
            with self.subTest(status=status):
                self.fails(LOGIN, status)
                self._assert_away(self._call())

    def test_nor_is_what_answers_in_the_place_of_one(self) -> None:
        self.load_keystone()
        for body in ("<html>Log in</html>", "{}", '{"token": {}}', "[]"):
            with self.subTest(body=body):
                self.fails(CHECK, 200, body)
                self._assert_away(self._call())

    def test_nor_is_a_certificate_that_is_none(self) -> None:
        self.answers.request(requests_mock.ANY, requests_mock.ANY, exc=requests.exceptions.SSLError)
        self.load_keystone(http_request_max_retries=0)
        self._assert_away(self._call())

    def test_when_keystone_works_again_so_does_the_service(self) -> None:
        self.load_keystone(http_request_max_retries=0)
        for call in (LOGIN, CHECK):
            self.fails(call, 503)
        self._assert_away(self._call())
        self.works()
        self.assertEqual(200, self._call().status_int)

    def test_a_keystone_that_never_answers_is_not_waited_for_for_ever(self) -> None:
        self.load_keystone()
        self.assertEqual(10, self.conf[identity.SECTION].http_connect_timeout)

    def test_a_clients_own_identity_headers_are_not_believed(self) -> None:
        self.load_keystone()
        forged = {
            "X-Auth-Token": "member",
            "X-Roles": "admin",
            "X-Identity-Status": "Confirmed",
            "X-Project-Id": "q",
            "OpenStack-System-Scope": "all",
            "X-Service-Roles": "admin",
        }
        answer = self.send("GET", "/v3/p/os-services", headers=forged)
        self.assertEqual(403, answer.status_int)
        del forged["X-Auth-Token"]
        self.assertEqual(401, self.send("GET", "/v3/p/volumes", headers=forged).status_int)


class StartTest(IdentityTestCase):
    def _assert_refused(self, *words: str, **options: Any) -> None:
        error = self.assertRaises(errors.StartError, self.load_keystone, **options)
        self.assertNotIn("\n", str(error))
        for word in (identity.SECTION, *words):
            self.assertIn(word, str(error))

    def test_without_the_section_there_is_no_start(self) -> None:
        self.conf.set_override("auth_strategy", "keystone")
        error = self.assertRaises(errors.StartError, self.load)
        self.assertIn("[keystone_authtoken]", str(error))

    def test_what_no_token_can_be_checked_without_must_be_there(self) -> None:
        for option in ("auth_type", "auth_url", "username", "password"):
            with self.subTest(option=option):
                self._assert_refused(option, **{option: None})

    def test_what_can_never_work_is_refused(self) -> None:
        for option, value in (
            ("auth_type", "nothing"),
            ("auth_url", "identity.example.org"),
            ("auth_url", "ftp://identity.example.org"),
            ("auth_url", "http://identity.example.org:port/v3"),
            ("cafile", "/nowhere/ca.pem"),
            ("cafile", __file__),
        ):
            with self.subTest(option=option, value=value):
                self._assert_refused(option, **{option: value})
                self.conf.clear_override(option, group=identity.SECTION)
        self._assert_refused("memcache_secret_key", memcache_security_strategy="ENCRYPT")
