# SPDX-License-Identifier: Apache-2.0
"""The HTTP server listens only where it may, and ends what it began."""

import functools
import http.client
import json
import socket
import threading
from typing import Any

import webob
from oslo_config import cfg
from oslotest import base

from cg_extension import conf as cg_conf
from cg_extension.conf import errors
from cg_extension.reference.wsgi import server
from cg_extension.tests.deployment import processes


class ServerTest(base.BaseTestCase):
    def setUp(self) -> None:
        super().setUp()
        self.conf = cfg.ConfigOpts()
        cg_conf.register_opts(self.conf)
        self.conf([], project="cg_extension", default_config_files=[])
        self.conf.set_override("osapi_volume_listen_port", 0)

    def test_noauth_listens_on_loopback_only(self) -> None:
        for address in ("127.0.0.1", "127.0.0.2", "::1", "localhost"):
            self.conf.set_override("osapi_volume_listen", address)
            server.check_listener(self.conf)
        for address in ("0.0.0.0", "::", "192.0.2.1"):
            self.conf.set_override("osapi_volume_listen", address)
            error = self.assertRaises(server.UnsafeListener, server.check_listener, self.conf)
            self.assertIn("allow_noauth_on_network", str(error))
            self.assertRaises(server.UnsafeListener, server.Server, self.conf, None)

    def test_a_name_that_is_no_address_is_refused(self) -> None:
        self.conf.set_override("osapi_volume_listen", "no-such-host.invalid")
        error = self.assertRaises(server.UnsafeListener, server.check_listener, self.conf)
        self.assertIn("no-such-host.invalid is no address", str(error))

    def test_other_strategies_and_a_deployer_who_insists_may_listen_anywhere(self) -> None:
        self.conf.set_override("osapi_volume_listen", "0.0.0.0")
        for option, value in (("auth_strategy", "keystone"), ("allow_noauth_on_network", True)):
            self.conf.set_override(option, value)
            server.check_listener(self.conf)
            self.conf.clear_override(option)

    def test_what_a_client_that_is_gone_did_not_take_is_dropped(self) -> None:
        """Not left to the collector, which from Python 3.13 on prints a traceback."""
        ours, theirs = socket.socketpair()
        connection = server._Connection(server._Server(("127.0.0.1", 0), None), ours)
        theirs.close()
        self.assertRaises(OSError, connection.wfile.write, b"an answer")
        connection.close()
        self.assertTrue(connection.wfile.closed)

    def test_nobody_is_let_in_before_the_start_and_the_address_is_taken(self) -> None:
        http_server = server.Server(self.conf, None)
        self.assertRaises(ConnectionRefusedError, socket.create_connection, http_server.address)
        http_server.stop()
        with socket.create_server(http_server.address) as other:
            self.conf.set_override("osapi_volume_listen_port", other.getsockname()[1])
            error = self.assertRaises(errors.StartError, server.Server, self.conf, None)
        self.assertIn(f"osapi_volume_listen_port = {http_server.address[1]}", str(error))

    def test_one_who_was_faster_at_the_start_is_told_of_and_no_thread_is_left(self) -> None:
        self.conf.set_override("osapi_volume_listen_port", processes.free_port())
        slow = server.Server(self.conf, None)
        fast = server.Server(self.conf, None)
        fast.start()
        self.addCleanup(fast.stop)
        before = threading.active_count()
        self.assertRaises(errors.StartError, slow.start)
        slow.stop()
        self.assertEqual(before, threading.active_count())

    def test_a_stop_lets_requests_end(self) -> None:
        began, may_end = threading.Event(), threading.Event()

        def application(environ: dict[str, Any], start_response: Any) -> list[bytes]:
            began.set()
            may_end.wait(60)
            start_response("200 OK", [("Content-Length", "4")])
            return [b"done"]

        http_server = server.Server(self.conf, application)
        http_server.start()
        answers = []

        def ask() -> None:
            connection = http.client.HTTPConnection(*http_server.address)
            connection.request("GET", "/")
            answers.append(connection.getresponse().read())

        client = threading.Thread(target=ask)
        client.start()
        began.wait(60)
        stopper = threading.Thread(target=http_server.stop)
        stopper.start()
        may_end.set()
        for thread in (client, stopper):
            thread.join(60)
            self.assertFalse(thread.is_alive())
        self.assertEqual([b"done"], answers)
        self.assertRaises(
            OSError, http.client.HTTPConnection(*http_server.address, timeout=1).request, "GET", "/"
        )

    def test_a_stop_does_not_wait_for_ever_for_a_request_that_hangs(self) -> None:
        began, may_end = threading.Event(), threading.Event()
        self.addCleanup(may_end.set)

        def application(environ: dict[str, Any], start_response: Any) -> list[bytes]:
            began.set()
            may_end.wait()
            start_response("200 OK", [("Content-Length", "0")])
            return []

        self.conf.set_override("shutdown_timeout", 0.1)
        http_server = server.Server(self.conf, application)
        http_server.start()
        with socket.create_connection(http_server.address) as client:
            client.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
            self.assertTrue(began.wait(60))
            ended: list[bool] = []
            stopper = threading.Thread(target=lambda: ended.append(http_server.stop()), daemon=True)
            stopper.start()
            stopper.join(30)
            self.assertEqual([False], ended)

    def _talk(self, raw: bytes, read: int = 0) -> str:
        """What the server sends on one connection, with an application that reads no body.

        :param read: bytes of the body that it reads nevertheless.
        """

        def application(environ: dict[str, Any], start_response: Any) -> list[bytes]:
            self.environ = environ
            self.read = environ["wsgi.input"].read(read)
            start_response("200 OK", [("Content-Length", "0")])
            return []

        http_server = server.Server(self.conf, application)
        http_server.start()
        self.addCleanup(http_server.stop)
        with socket.create_connection(http_server.address, timeout=30) as client:
            client.sendall(raw)
            client.shutdown(socket.SHUT_WR)
            return b"".join(iter(functools.partial(client.recv, 65536), b"")).decode()

    def test_what_is_no_request_of_ours_is_refused_in_the_apis_form(self) -> None:
        for raw, code, name in (
            (b"get / HTTP/1.1\r\n\r\n", 400, "badRequest"),
            (b"GET /\xff HTTP/1.1\r\n\r\n", 400, "badRequest"),
            (b"GET / HTTP/1.1\r\nX-Auth-Token : u:p\r\n\r\n", 400, "badRequest"),
            (b"CONNECT /v3 HTTP/1.1\r\n\r\n", 405, "badMethod"),
            (b"GET / HTTP/1.1\r\nX-Long: " + b"x" * 64 * 1024, 413, "overLimit"),
            (b"PUT / HTTP/1.1\r\nTransfer-Encoding: gzip\r\n\r\n", 501, "notImplemented"),
        ):
            with self.subTest(raw=raw[:20]):
                head, _, body = self._talk(raw).partition("\r\n\r\n")
                self.assertTrue(head.startswith(f"HTTP/1.1 {code} "), head)
                self.assertRegex(head, r"(?m)^x-openstack-request-id: req-\S+\r$")
                self.assertEqual(code == 405, "\r\nAllow: GET, " in head)
                fault = json.loads(body)
                self.assertEqual(([name], code), (list(fault), fault[name]["code"]))

    def test_of_headers_sent_several_times_none_is_dropped(self) -> None:
        wishes = b"OpenStack-API-Version: volume 9.9\r\nopenstack-api-version: compute 2.1\r\n"
        tokens = b"X-Auth-Token: u:p:member\r\nX-AUTH-TOKEN: u:p\r\n"
        types = b"Accept: a/b\r\nAccept: c/d\r\n"
        self._talk(b"GET / HTTP/1.1\r\nHost: x\r\n" + wishes + tokens + types + b"\r\n")
        self.assertEqual("volume 9.9, compute 2.1", self.environ["HTTP_OPENSTACK_API_VERSION"])
        self.assertEqual("u:p:member, u:p", self.environ["HTTP_X_AUTH_TOKEN"])
        self.assertEqual("a/b, c/d", self.environ["HTTP_ACCEPT"])

    def test_a_header_with_underscores_is_not_taken_for_one_with_hyphens(self) -> None:
        said = b"X-Forwarded-Host: proxy\r\nX_Forwarded_Host: client\r\nX_Auth_Token: u:p\r\n"
        self._talk(b"GET / HTTP/1.1\r\nHost: x\r\n" + said + b"\r\n")
        self.assertEqual("proxy", self.environ["HTTP_X_FORWARDED_HOST"])
        self.assertNotIn("HTTP_X_AUTH_TOKEN", self.environ)

    def test_a_slash_in_a_path_may_be_encoded_as_for_other_servers(self) -> None:
        for sent, path in (
            (b"/a%2Fb%2fc%20d?x=%2F", "/a/b/c d"),
            (b"/a%252Fb%2Fc", "/a%2Fb/c"),
            (b"/a%252Fb", "/a%2Fb"),
        ):
            self._talk(b"GET " + sent + b" HTTP/1.1\r\nHost: x\r\n\r\n")
            self.assertEqual(path, self.environ["PATH_INFO"])

    def test_who_names_no_host_gets_links_to_the_address_that_was_reached(self) -> None:
        for raw in (b"GET / HTTP/1.0\r\n\r\n", b"GET / HTTP/1.1\r\nHost:\r\n\r\n"):
            self._talk(raw)
            port = self.environ["SERVER_PORT"]
            self.assertEqual(f"http://127.0.0.1:{port}", webob.Request(self.environ).host_url)

    def test_two_lengths_of_a_body_are_none(self) -> None:
        lengths = b"Content-Length: 1\r\nContent-Length: 1\r\n"
        said = self._talk(b"PUT / HTTP/1.1\r\nHost: x\r\n" + lengths + b"\r\nx")
        self.assertTrue(said.startswith("HTTP/1.1 400 "), said)

    def test_a_length_that_is_no_number_of_bytes_is_refused(self) -> None:
        for length in (b"-1", b"+1", b"1_0", b""):
            with self.subTest(length=length):
                said = self._talk(b"PUT / HTTP/1.1\r\nContent-Length: %s\r\n\r\nx" % length)
                self.assertTrue(said.startswith("HTTP/1.1 400 "), said)
                self.assertIn("\r\nConnection: close\r\n", said)

    def test_a_header_that_goes_on_in_another_line_is_refused(self) -> None:
        for headers in (b" X-Auth-Token: u:p\r\n", b"X-Auth-Token: u:p:member\r\n\tadmin\r\n"):
            with self.subTest(headers=headers):
                said = self._talk(b"GET / HTTP/1.1\r\n" + headers + b"\r\n")
                self.assertTrue(said.startswith("HTTP/1.1 400 "), said)

    def test_what_is_left_of_a_long_body_is_not_read(self) -> None:
        for length, closed in ((131_073, True), (131_072, False)):
            # It breaks off, so that nothing unread resets the connection.
            said = self._talk(b"PUT / HTTP/1.1\r\nContent-Length: %d\r\n\r\nx" % length)
            self.assertTrue(said.startswith("HTTP/1.1 200 "), said)
            self.assertEqual(closed, "\r\nConnection: close\r\n" in said)

    def test_of_a_chunk_no_more_is_read_than_is_asked_for(self) -> None:
        start = b"PUT / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n"
        # Waiting for all of this chunk would be an error, since it breaks off.
        said = self._talk(start + b"40000000\r\n" + b"x" * 65_536, read=65_535)
        self.assertTrue(said.startswith("HTTP/1.1 200 "), said)
        self.assertEqual(b"x" * 65_535, self.read)

    def test_chunks_are_put_together_and_bad_ones_refused(self) -> None:
        start = b"PUT / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n"
        good = b"3;a=b\r\none\r\n2000\r\n" + b"x" * 0x2000 + b"\r\n00\r\n\r\n"
        self.assertIn("200 OK", self._talk(start + good, read=100_000))
        self.assertEqual(b"one" + b"x" * 0x2000, self.read)
        for bad in (
            b"-1\r\nx\r\n",
            b"0x1\r\nx\r\n",
            b"\r\n",
            b"2\r\nx\r\n",
            b"1\r\nxx\r\n",
            b"1;" + b"x" * 1024 + b"\r\nx\r\n",
            b"5\r\nx",
        ):
            with self.subTest(bad=bad[:10]):
                said = self._talk(start + bad + b"0\r\n\r\n", read=10)
                self.assertTrue(said.startswith("HTTP/1.1 500 "), said)

    def test_chunks_that_nobody_reads_are_not_the_next_request(self) -> None:
        inner = b"GET /inner HTTP/1.1\r\n\r\n"
        chunks = b"%x\r\n%s\r\n0\r\n\r\n" % (len(inner), inner)
        for start in (b"PUT / HTTP/1.1\r\n", b"PUT / HTTP/1.0\r\nConnection: Keep-Alive\r\n"):
            said = self._talk(start + b"Transfer-Encoding: chunked\r\n\r\n" + chunks)
            self.assertEqual(1, said.count("HTTP/1.1"), said)
            self.assertIn("200 OK", said)
