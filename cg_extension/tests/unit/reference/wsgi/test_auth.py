# SPDX-License-Identifier: Apache-2.0
"""Each auth strategy lets in whom it should, and believes nothing else that a client sends."""

import base64
import pathlib
from typing import Any

import bcrypt
import fixtures
import webob

from cg_extension.conf import errors
from cg_extension.contract import context as cg_context
from cg_extension.reference.wsgi import auth
from cg_extension.tests.unit.reference.wsgi import base

CONFIRMED = {
    "HTTP_X_IDENTITY_STATUS": "Confirmed",
    "HTTP_X_USER_ID": "u1",
    "HTTP_X_PROJECT_ID": "p1",
}


class Recorder:
    """The application at the end: keeps the context that it was called with."""

    context: cg_context.RequestContext

    def __call__(self, environ: dict[str, Any], start_response: Any) -> list[bytes]:
        self.context = environ[cg_context.ENVIRON_KEY]
        start_response("204 No Content", [])
        return []


class NoAuthTest(base.HostTestCase):
    def _refused(self, token: str | None) -> None:
        headers = {} if token is None else {"X-Auth-Token": token}
        self.assert_fault(
            self.send("GET", "/v3/p/volumes", headers=headers),
            401,
            "unauthorized",
            "USER:PROJECT",
        )

    def _unprintable(self, token: str) -> None:
        with self.subTest(token=token):
            answer = self.send("GET", "/v3/p/volumes", headers={"X-Auth-Token": token})
            self.assert_fault(answer, 401, "unauthorized", "printable")

    def test_a_token_without_user_or_project_is_refused(self) -> None:
        for token in (None, "", " ", "user", "user:", ":project", ":", "::", "::admin", ":p:admin"):
            with self.subTest(token=token):
                self._refused(token)

    def test_a_token_of_user_and_project_alone_is_an_administrators(self) -> None:
        answer = self.send("GET", "/v3/p/os-services", headers={"X-Auth-Token": "u:p"})
        self.assertEqual(200, answer.status_int)

    def test_a_token_with_an_empty_part_for_roles_is_nobodys(self) -> None:
        for roles in ("", " ", "\t", ",", " ,", ",,", "admin,", ",admin", "member, ,reader"):
            with self.subTest(roles=roles):
                self._refused(f"u:p:{roles}")

    def test_of_roles_nothing_but_spaces_and_tabs_is_trimmed_away(self) -> None:
        for blank in ("\xa0", "\u2003", "\u3000", "\u200b", "\u2028", "\x1f", "\x0b"):
            for roles in (blank, f"admin{blank}", f"{blank}admin", f"member,{blank}"):
                self._unprintable(f"u:p:{roles}".encode().decode("latin-1"))
        for not_utf8 in ("admin\xa0", "\xa0admin", "\xff", "admin\x85"):
            self._unprintable(f"u:p:{not_utf8}")

    def test_two_tokens_in_one_are_none(self) -> None:
        for token in ("u:p, u:p", "u:p:member,u:p", "u:p:member, u:p:admin", "u:admin, u:admin"):
            with self.subTest(token=token):
                self._refused(token)

    def test_blanks_are_no_name(self) -> None:
        for token in (" :p", "u: ", "u: :member", "\t:p:admin"):
            answer = self.send("GET", "/v3/p/volumes", headers={"X-Auth-Token": token})
            self.assert_fault(answer, 401, "unauthorized")

    def test_more_colons_are_refused(self) -> None:
        for token in ("u:p:member:admin", "u:p::admin", "u:p:admin:", "u:p::", "u::p:admin"):
            with self.subTest(token=token):
                self._refused(token)

    def test_a_token_with_roles_has_those(self) -> None:
        answer = self.call("GET", "/os-services", roles="member, reader")
        self.assert_fault(answer, 403, "forbidden", "volume_extension:services:index")
        self.ok("GET", "/os-services", roles="reader,admin")

    def test_names_that_cant_be_stored_are_refused(self) -> None:
        for name in ("x" * 256, "a\x7fb", "\xff", "\xc2\x85"):
            for token in (f"{name}:p", f"u:{name}", f"u:p:{name}"):
                self._unprintable(token)

    def test_names_may_have_letters_of_any_language(self) -> None:
        token = "ü:žluť".encode().decode("latin-1")
        path = "/v3/%C5%BElu%C5%A5/volumes"
        answer = self.send(
            "POST", path, {"volume": {"size": 1}}, headers={"X-Auth-Token": f"{token}:member"}
        )
        self.assertEqual(202, answer.status_int, answer.text)
        volume = answer.json["volume"]
        self.assertEqual(("ü", "žluť"), (volume["user_id"], volume["os-vol-tenant-attr:tenant_id"]))

    def test_other_identity_headers_are_not_believed(self) -> None:
        headers = {
            "X-Roles": "admin",
            "X-Role": "admin",
            "X-Service-Roles": "admin",
            "X-Is-Admin": "True",
            "X-Is-Admin-Project": "True",
            "OpenStack-System-Scope": "all",
            "X-Project-Id": "q",
            "X-Tenant-Id": "q",
            "X-User-Id": "x",
            "X-Domain-Id": "d",
        }
        self.assertEqual(
            403, self.call("GET", "/os-services", roles="member", headers=headers).status_int
        )
        volume = self.ok("POST", "/volumes", {"volume": {"size": 1}}, status=202, headers=headers)[
            "volume"
        ]
        self.assertEqual(("u", "p"), (volume["user_id"], volume["os-vol-tenant-attr:tenant_id"]))

    def test_only_this_machine_is_served(self) -> None:
        for address in ("127.0.0.1", "127.8.8.8", "::1", "::ffff:127.0.0.1", ""):
            self.ok("GET", "/volumes", environ={"REMOTE_ADDR": address})
        for address in ("192.0.2.1", "::ffff:192.0.2.1", "2001:db8::1", "elsewhere"):
            answer = self.call("GET", "/volumes", environ={"REMOTE_ADDR": address})
            self.assert_fault(answer, 401, "unauthorized", "own machine only")

    def test_others_are_served_if_the_deployer_says_so(self) -> None:
        self.conf.set_override("allow_noauth_on_network", True)
        self.ok("GET", "/volumes", environ={"REMOTE_ADDR": "192.0.2.1"})

    def test_with_a_proxys_headers_it_does_not_start(self) -> None:
        name = "enable_proxy_headers_parsing"
        self.conf.set_override(name, True, group="oslo_middleware")
        error = self.assertRaises(errors.StartError, self.load)
        self.assertIn(name, str(error))
        self.conf.set_override("allow_noauth_on_network", True)
        self.load()
        self.conf.clear_override("allow_noauth_on_network")
        self.conf.clear_override(name, group="oslo_middleware")
        self.load()


class HTTPBasicTest(base.HostTestCase):
    def setUp(self) -> None:
        super().setUp()
        self.path = path = pathlib.Path(self.useFixture(fixtures.TempDir()).path, "htpasswd")
        path.write_bytes(b"ann:" + bcrypt.hashpw(b"secret", bcrypt.gensalt(4)) + b"\n")
        self.conf.set_override("auth_strategy", "http_basic")
        self.conf.set_override("http_basic_auth_user_file", str(path))
        self.application = self.load()

    def _call(self, credentials: str | None, **headers: str) -> Any:
        if credentials is not None:
            headers["Authorization"] = "Basic " + base64.b64encode(credentials.encode()).decode()
        return self.send("POST", "/v3/any/volumes", {"volume": {"size": 1}}, headers=headers)

    def test_a_user_of_the_file_is_an_administrator_of_the_project_in_the_path(self) -> None:
        answer = self._call("ann:secret")
        self.assertEqual(202, answer.status_int, answer.text)
        self.assertEqual("any", answer.json["volume"]["os-vol-tenant-attr:tenant_id"])
        self.assertEqual("host@one", answer.json["volume"]["os-vol-host-attr:host"])

    def test_another_user_than_who_has_the_password_cant_be_claimed(self) -> None:
        answer = self._call("ann:secret", **{"X-User-Id": "bob", "X-User": "bob"})
        self.assertEqual("ann", answer.json["volume"]["user_id"])

    def test_who_has_no_password_is_asked_for_one(self) -> None:
        for credentials in (None, "ann:wrong", "bob:secret", "ann"):
            answer = self._call(credentials)
            self.assert_fault(answer, 401, "unauthorized", "password")
            self.assertTrue(answer.headers["WWW-Authenticate"].startswith("Basic"))

    def test_a_path_that_names_no_project_is_refused(self) -> None:
        token = base64.b64encode(b"ann:secret").decode()
        for project in ("%00", "x" * 256):
            answer = self.send(
                "GET", f"/v3/{project}/volumes", headers={"Authorization": f"Basic {token}"}
            )
            self.assert_fault(answer, 401, "unauthorized", "printable")

    def test_a_path_without_a_project_says_so(self) -> None:
        token = base64.b64encode(b"ann:secret").decode()
        for path in (
            "/v3/volumes",
            "/v3/consistencygroups/detail",
            "/v2/types/x",
            "/v3/cgsnapshots",
        ):
            answer = self.send("GET", path, headers={"Authorization": f"Basic {token}"})
            self.assert_fault(answer, 400, "badRequest", "/v3/PROJECT/")

    def test_the_scheme_is_named_in_any_case(self) -> None:
        token = base64.b64encode(b"ann:secret").decode()
        for scheme in ("basic", "BASIC"):
            headers = {"Authorization": f"{scheme} {token}"}
            self.assertEqual(200, self.send("GET", "/v3/any/volumes", headers=headers).status_int)

    def test_errors_of_the_application_stay_what_they_are(self) -> None:
        token = base64.b64encode(b"ann:secret").decode()
        headers = {"Authorization": f"Basic {token}"}
        answer = self.send("GET", "/v3/any/volumes/none", headers=headers)
        self.assert_fault(answer, 404, "itemNotFound")

    def test_the_first_line_of_a_user_counts_and_comments_do_not(self) -> None:
        other = bcrypt.hashpw(b"other", bcrypt.gensalt(4))
        self.path.write_bytes(b"# people\n\n" + self.path.read_bytes() + b"ann:" + other + b"\n")
        self.application = self.load()
        self.assertEqual(202, self._call("ann:secret").status_int)
        self.assertEqual(401, self._call("ann:other").status_int)

    def test_a_byte_order_mark_is_no_part_of_a_name(self) -> None:
        self.path.write_bytes(b"\xef\xbb\xbf" + self.path.read_bytes())
        self.application = self.load()
        self.assertEqual(202, self._call("ann:secret").status_int)

    def test_a_changed_file_counts_and_a_broken_one_changes_nothing(self) -> None:
        self.useFixture(
            fixtures.MonkeyPatch("cg_extension.reference.wsgi.watched._LOOK_INTERVAL", 0)
        )
        self.application = self.load()
        hashed = bcrypt.hashpw(b"new", bcrypt.gensalt(4))
        self.path.write_bytes(b"bob:" + hashed + b"\n")
        self.assertEqual(401, self._call("ann:secret").status_int)
        self.assertEqual(202, self._call("bob:new").status_int)
        log = self.useFixture(fixtures.FakeLogger(level=40))
        for broken in (b"bob:new\n", b"bob\n", b":" + hashed, b"bob:" + hashed[:-1], b"\xff\xfe"):
            told = log.output.count(str(self.path))
            self.path.write_bytes(broken)
            for credentials, status in (("bob:new", 202), ("ann:secret", 401)):
                self.assertEqual(status, self._call(credentials).status_int)
            self.assertEqual(told + 1, log.output.count(str(self.path)), log.output)
            health = self.send("GET", "/healthcheck")
            self.assertEqual(200, health.status_int)
            self.assertIn(str(self.path), health.text)
            self.assertNotIn(hashed.decode()[:-1], health.text)
        self.path.unlink()
        self.assertEqual(202, self._call("bob:new").status_int)
        self.path.write_bytes(b"ann:" + hashed + b"\n")
        self.assertEqual(401, self._call("bob:new").status_int)
        self.assertEqual("OK", self.send("GET", "/healthcheck").text)

    def test_a_file_that_names_no_users_as_it_should_stops_the_start(self) -> None:
        for broken in (b"ann\n", b"ann:secret\n", b"ann:$apr1$x$y\n", b"\xff"):
            self.path.write_bytes(broken)
            error = self.assertRaises(errors.StartError, self.load)
            self.assertIn("http_basic_auth_user_file", str(error))
            self.assertNotIn("secret", str(error))

    def test_a_missing_file_stops_the_start(self) -> None:
        self.conf.set_override("http_basic_auth_user_file", "/nowhere/htpasswd")
        self.assertRaises(errors.StartError, self.load)


class KeystoneContextTest(base.HostTestCase):
    """What follows auth_token; the whole strategy is tested with clients and a Keystone."""

    def setUp(self) -> None:
        super().setUp()
        self.recorder = Recorder()
        deployment = auth.pipeline.Deployment(
            self.conf, self.service, auth.pipeline.host_policy.make_enforcer(self.conf)
        )
        self.filter = auth.KeystoneContext(self.recorder, deployment)

    def test_the_context_is_what_the_token_says(self) -> None:
        environ = {**CONFIRMED, "HTTP_X_ROLES": "member"}
        self.filter(environ, lambda *_: None)
        context = self.recorder.context
        self.assertEqual(
            ("u1", "p1", ["member"]), (context.user_id, context.project_id, context.roles)
        )
        self.assertIs(False, context.is_admin)

    def test_policy_says_who_is_an_administrator(self) -> None:
        environ = {**CONFIRMED, "HTTP_X_ROLES": "admin"}
        self.filter(environ, lambda *_: None)
        self.assertIs(True, self.recorder.context.is_admin)

    def test_what_auth_token_did_not_confirm_is_refused(self) -> None:
        for status in ("Invalid", ""):
            req = webob.Request.blank("/")
            req.environ.update({**CONFIRMED, "HTTP_X_IDENTITY_STATUS": status})
            self.assert_fault(req.get_response(self.filter), 401, "unauthorized")
        self.assertFalse(hasattr(self.recorder, "context"))
