# SPDX-License-Identifier: Apache-2.0
"""What every request goes through, whichever call it is for."""

import io
import os
import pathlib
import re
from typing import Any
from unittest import mock

import fixtures
import webob.exc
from oslo_config import cfg
from oslo_context import context as oslo_context
from oslo_db import exception as db_exception

from cg_extension.conf import errors
from cg_extension.reference.wsgi import middleware, pipeline
from cg_extension.tests.unit.reference.wsgi import base

REQUEST_ID = re.compile("req-[0-9a-f]{8}-([0-9a-f]{4}-){3}[0-9a-f]{12}")


class PipelineTest(base.HostTestCase):
    def test_every_answer_carries_the_id_of_its_request(self) -> None:
        for path in ("/", "/v3", "/nothing", "/healthcheck", "/v3/p/volumes", "/v3/p/nothing"):
            answer = self.send("GET", path, headers={"X-Auth-Token": "u:p"})
            self.assertRegex(answer.headers["x-openstack-request-id"], REQUEST_ID)

    def test_an_unexpected_error_tells_nothing_but_the_requests_id(self) -> None:
        error = db_exception.DBError(RuntimeError("SELECT secret FROM /a/path"))
        with mock.patch.object(self.service, "list_volumes", side_effect=error):
            answer = self.call("GET", "/volumes")
        request_id = answer.headers["x-openstack-request-id"]
        self.assert_fault(answer, 500, "computeFault", request_id)
        for leak in ("SELECT", "path", "Traceback"):
            self.assertNotIn(leak, answer.text)

    def test_an_error_in_a_filter_is_a_fault_too(self) -> None:
        with mock.patch.object(pipeline.host_policy.Enforcer, "allows", side_effect=OSError):
            self.assert_fault(self.call("GET", "/volumes"), 500, "computeFault")

    def test_an_error_in_another_form_becomes_a_fault(self) -> None:
        for error in (
            webob.Response("gone", status=503, content_type="text/plain"),
            webob.Response("<p>gone</p>", status=503),
            webob.Response(json={"error": {"code": 503, "message": "gone"}}, status=503),
            webob.Response(json=[{"message": "gone"}], status=503),
            webob.Response(json="serviceUnavailable", status=503),
            webob.Response(b"gone", status=503, content_type="application/json"),
            webob.exc.HTTPServiceUnavailable("gone"),
        ):
            application = middleware.Faults(error)
            req = webob.Request.blank("/", accept="application/json")
            self.assert_fault(req.get_response(application), 503, "serviceUnavailable")

    def test_a_large_body_is_refused(self) -> None:
        self.conf.set_override("max_request_body_size", 1000, group="oslo_middleware")
        answer = self.call("POST", "/volumes", b" " * 1001)
        self.assert_fault(answer, 413, "overLimit", "at most 1000 bytes")

    def test_a_length_that_is_no_number_of_bytes_is_the_clients_fault(self) -> None:
        for length in ("\u00b2", "9" * 5000):
            answer = self.send(
                *("POST", "/v3/p/volumes"),
                headers={"X-Auth-Token": "u:p"},
                environ={"CONTENT_LENGTH": length},
            )
            self.assertIn(answer.status_int, (400, 413), length[:10])

    def test_a_large_body_without_a_length_is_refused(self) -> None:
        self.conf.set_override("max_request_body_size", 1000, group="oslo_middleware")
        req = webob.Request.blank("/v3/p/volumes", method="POST")
        req.headers.update({"X-Auth-Token": "u:p", "Transfer-Encoding": "chunked"})
        req.body_file = io.BytesIO(b" " * 2000)
        req.environ["wsgi.input_terminated"] = True
        self.assertIsNone(req.content_length)
        self.assert_fault(req.get_response(self.application), 413, "overLimit", "1000")

    def test_a_browser_of_an_allowed_origin_gets_in_without_a_token_for_its_preflight(self) -> None:
        self.conf.set_override("allowed_origin", ["https://ui.example.org"], group="cors")
        self.application = self.load()
        headers = {
            "Origin": "https://ui.example.org",
            "Access-Control-Request-Method": "PUT",
        }
        # Of both ways to say who asks.
        for header in ("X-Auth-Token", "authorization"):
            headers["Access-Control-Request-Headers"] = f"content-type, {header}"
            answer = self.send("OPTIONS", "/v3/p/volumes", headers=headers)
            self.assertEqual(200, answer.status_int)
            allowed = answer.headers.get("Access-Control-Allow-Origin")
            self.assertEqual("https://ui.example.org", allowed)
        headers["Origin"] = "https://elsewhere.example.org"
        answer = self.send("OPTIONS", "/v3/p/volumes", headers=headers)
        self.assertNotIn("Access-Control-Allow-Origin", answer.headers)

    def test_options_that_are_no_preflight_are_a_method_like_any_other(self) -> None:
        token = {"X-Auth-Token": "u:p"}
        for headers in (token, {**token, "Origin": "https://ui.example.org"}):
            answer = self.send("OPTIONS", "/v3/p/volumes", headers=headers)
            self.assert_fault(answer, 405, "badMethod")
            self.assertEqual("GET, HEAD, POST", answer.headers["Allow"])
            answer = self.send("OPTIONS", "/v3/p/nothing", headers=headers)
            self.assert_fault(answer, 404, "itemNotFound")
        self.assert_fault(self.send("OPTIONS", "/v3/p/volumes"), 401, "unauthorized")

    def test_changes_are_logged_and_reads_are_not(self) -> None:
        log = self.useFixture(fixtures.FakeLogger(level=20))
        self.call("GET", "/volumes")
        self.assertNotIn("/v3/p/volumes", log.output)
        self.call("POST", "/volumes", {"volume": {"size": 1}})
        self.assertIn("POST /v3/p/volumes status: 202", log.output)

    def test_a_path_can_not_begin_a_line_of_the_log(self) -> None:
        log = self.useFixture(fixtures.FakeLogger(level=20))
        self.call("DELETE", "/x%0D%0A2026-11-27 a forged line%1B[2K")
        self.assertIn("DELETE /v3/p/x%0D%0A2026-11-27%20a%20forged%20line%1B%5B2K st", log.output)

    def test_a_method_can_not_begin_a_line_of_the_log(self) -> None:
        log = self.useFixture(fixtures.FakeLogger(level=20))
        self.send("X\r\x85\x1b[2KFORGED", "/v3/p/volumes")
        self.assertIn(" X%0D%85%1B%5B2KFORGED /v3/p/volumes status: 401", log.output)

    def test_an_address_can_not_begin_a_line_of_the_log(self) -> None:
        self.conf.set_override("allow_noauth_on_network", True)
        name = "enable_proxy_headers_parsing"
        self.conf.set_override(name, True, group="oslo_middleware")
        self.application = self.load()
        log = self.useFixture(fixtures.FakeLogger(level=20))
        for sent, logged in (
            ("a\r\x85\x1b[2KFORGED", "a%0D%85%1B[2KFORGED"),
            ("2001:db8::1%eth0", "2001:db8::1%eth0"),
        ):
            self.send("DELETE", "/v3/p/x", headers={"X-Forwarded-For": sent})
            self.assertIn(f"{logged} DELETE /v3/p/x status: ", log.output)
        self.assertNotIn("\x1b", log.output)

    def test_what_is_refused_before_auth_is_logged_under_its_own_request(self) -> None:
        seen = []

        def log(*_: Any) -> None:
            current = oslo_context.get_current()
            seen.append((current.request_id, current.user_id))

        with mock.patch.object(middleware.LOG, "log", log):
            self.call("POST", "/volumes", {"volume": {"size": 1}})
            refused = self.send("POST", "/v3/p/volumes", {"volume": {"size": 1}})
        self.assert_fault(refused, 401, "unauthorized")
        self.assertEqual((refused.headers["x-openstack-request-id"], None), seen[1])


class PasteFileTest(base.HostTestCase):
    def test_without_a_word_the_packages_own_file_counts(self) -> None:
        self.assertEqual(
            pathlib.Path(pipeline.__file__).parent / "api-paste.ini",
            pipeline.paste_file(self.conf),
        )

    def test_one_beside_the_configuration_takes_its_place(self) -> None:
        directory = pathlib.Path(self.useFixture(fixtures.TempDir()).path)
        for name in ("cg.conf", "api-paste.ini"):
            (directory / name).touch()
        conf = cfg.ConfigOpts()
        conf.register_opt(cfg.StrOpt("api_paste_config"))
        conf(["--config-file", str(directory / "cg.conf")], project="cg_extension")
        self.assertEqual(
            os.path.realpath(directory / "api-paste.ini"), str(pipeline.paste_file(conf))
        )

    def test_a_configured_one_must_exist(self) -> None:
        self.conf.set_override("api_paste_config", "/nowhere/paste.ini")
        self.assertRaises(errors.StartError, pipeline.paste_file, self.conf)

    def test_the_copy_in_etc_is_the_packages_file(self) -> None:
        package = pathlib.Path(pipeline.__file__).parent
        shown = package.parents[2] / "etc" / "cg_extension" / "api-paste.ini"
        self.assertTrue(shown.samefile(package / "api-paste.ini"))
