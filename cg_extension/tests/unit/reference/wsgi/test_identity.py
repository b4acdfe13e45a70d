# SPDX-License-Identifier: Apache-2.0
"""Whose fault it is when a token is not confirmed, and what stops the start instead."""

from typing import Any

import webob
from keystoneauth1 import loading

from cg_extension.conf import errors
from cg_extension.reference.wsgi import identity, library_defaults
from cg_extension.tests.functional import keystone
from cg_extension.tests.unit.reference.wsgi import base

CHECK = ("GET", "/v3/auth/tokens")
LOGIN = ("POST", "/v3/auth/tokens")


class IdentityTestCase(base.HostTestCase):
    def setUp(self) -> None:
        super().setUp()
        self.keystone = self.useFixture(keystone.Keystone())

    def load_keystone(self, **options: Any) -> None:
        """Load the pipeline of ``keystone``; an option that is None is not set."""
        library_defaults.set_defaults()
        identity.register_opts(self.conf)
        plugin = loading.get_auth_plugin_conf_options("password")
        self.conf.register_opts(plugin, group=identity.SECTION)
        self.conf.set_override("auth_strategy", "keystone")
        for name, value in {**self.keystone.middleware_options(), **options}.items():
            self.conf.set_override(name, value, group=identity.SECTION)
        self.application = self.load()

    def _call(self, token: str | None = "member:p", **options: Any) -> webob.Response:
        headers = {} if token is None else {"X-Auth-Token": token}
        return self.send("GET", "/v3/p/volumes", headers=headers, **options)


class FaultTest(IdentityTestCase):
    def _assert_away(self, answer: webob.Response) -> None:
        self.assert_fault(answer, 503, "serviceUnavailable", "identity service")

    def test_a_token_that_keystone_knows_lets_in(self) -> None:
        self.load_keystone()
        self.assertEqual(200, self._call().status_int)

    def test_a_token_that_is_wrong_or_missing_is_the_clients_fault(self) -> None:
        self.load_keystone()
        for token in ("forged", None, ""):
            answer = self._call(token)
            self.assert_fault(answer, 401, "unauthorized", "X-Auth-Token")
            self.assertIn(self.keystone.url, answer.headers["WWW-Authenticate"])

    def test_a_keystone_that_is_away_is_not(self) -> None:
        self.load_keystone(http_request_max_retries=0)
        self.keystone.stop()
        self._assert_away(self._call())
        self.assert_fault(self._call(None), 401, "unauthorized")

    def test_nor_is_one_that_fails_or_refuses_to_check(self) -> None:
        self.load_keystone(http_request_max_retries=0)
        for status in (400, 401, 403, 429, 500, 502, 503):
            with self.subTest(status=status):
                self.keystone.failures = {CHECK: (status, "no")}
                self._assert_away(self._call())

    def test_nor_is_one_that_does_not_let_this_service_in(self) -> None:
        self.load_keystone(http_request_max_retries=0)
        for status in (400, 401, 403, 404, 500, 503):
            with self.subTest(status=status):
                self.keystone.failures = {LOGIN: (status, "no")}
                self._assert_away(self._call())

    def test_nor_is_what_answers_in_the_place_of_one(self) -> None:
        self.load_keystone()
        for body in ("<html>Log in</html>", "{}", '{"token": {}}', "[]"):
            with self.subTest(body=body):
                self.keystone.failures = {CHECK: (200, body)}
                self._assert_away(self._call())

    def test_nor_is_a_certificate_that_is_none(self) -> None:
        self.load_keystone(auth_url=self.keystone.url.replace("http:", "https:"))
        self._assert_away(self._call())

    def test_when_keystone_is_back_so_is_the_service(self) -> None:
        self.load_keystone(http_request_max_retries=0)
        self.keystone.failures = {LOGIN: (503, "no"), CHECK: (503, "no")}
        self._assert_away(self._call())
        self.keystone.failures = {}
        self.assertEqual(200, self._call().status_int)

    def test_discovery_and_health_need_no_keystone(self) -> None:
        self.load_keystone()
        self.keystone.stop()
        for path in ("/", "/v3"):
            self.assertLess(self.send("GET", path).status_int, 400)

    def test_a_keystone_that_never_answers_is_not_waited_for_for_ever(self) -> None:
        self.load_keystone()
        self.assertEqual(10, self.conf[identity.SECTION].http_connect_timeout)

    def test_a_clients_own_identity_headers_are_not_believed(self) -> None:
        self.load_keystone()
        forged = {
            "X-Auth-Token": "member:p",
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


class ScopeTest(IdentityTestCase):
    """Tokens that name no project."""

    def test_one_without_any_scope_may_do_nothing(self) -> None:
        # As in Cinder's old files, which would let in whose project is None to None's own.
        owner = "is_admin:True or project_id:%(project_id)s"
        rules = ("volume:get_all", "consistencygroup:get_all")
        self.set_rules(dict.fromkeys(rules, owner))
        self.load_keystone()
        for path in ("/v3/volumes", "/v3/consistencygroups"):
            answer = self.send("GET", path, headers={"X-Auth-Token": "member:"})
            self.assert_fault(answer, 403, "forbidden")

    def test_an_administrator_of_the_system_sees_all_but_has_no_project_for_new_things(
        self,
    ) -> None:
        self.load_keystone()
        headers = {"X-Auth-Token": "system:"}
        for path in ("/v3/volumes?all_tenants=1", "/v3/os-services"):
            self.assertEqual(200, self.send("GET", path, headers=headers).status_int)
        for path, body in (
            ("/v3/volumes", {"volume": {"size": 1}}),
            ("/v3/consistencygroups", {"consistencygroup": {"volume_types": "__DEFAULT__"}}),
        ):
            answer = self.send("POST", path, body, headers=headers)
            self.assert_fault(answer, 403, "forbidden", "project")


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
