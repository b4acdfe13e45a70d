# SPDX-License-Identifier: Apache-2.0
"""Serves the API over HTTP by cheroot, in threads, with a clean stop.

TLS and more processes are a proxy's or another WSGI server's (``cmd.wsgi``).
"""

import contextlib
import ipaddress
import re
import socket
import threading
import urllib.parse
from typing import TYPE_CHECKING, Any

from cheroot import server as cheroot
from cheroot import wsgi
from oslo_config import cfg
from oslo_context import context
from oslo_log import log as logging
from oslo_middleware import request_id

from cg_extension.api import faults
from cg_extension.conf import errors

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIApplication

LOG = logging.getLogger(__name__)

# Bytes of a request's headers; what is longer is answered with 413. Bodies: [oslo_middleware].
_MAX_HEADER_SIZE = 64 * 1024

# Bytes of a body that are read although the application did not want them, so that the client gets
# its answer and can use the connection again. It is closed if more are left than any body may have
# by default.
_MAX_UNREAD = 128 * 1024
# Bytes of the line before each chunk of a body.
_MAX_CHUNK_LINE = 1024

# Seconds beyond ``shutdown_timeout`` for threads that it interrupts in reading a request.
_INTERRUPTION = 2.0

# An encoded slash, as cheroot writes it.
_SLASH = "%2F"

_CHUNK_SIZE = re.compile(rb"[0-9A-Fa-f]+")


class UnsafeListener(errors.StartError):
    """The API would be open to the network without asking anyone who they are."""


def check_listener(conf: cfg.ConfigOpts) -> None:
    """Refuse to serve ``noauth`` on an address that is not loopback.

    :raises UnsafeListener: unless ``allow_noauth_on_network`` is set.
    """
    if conf.auth_strategy != "noauth" or conf.allow_noauth_on_network:
        return
    host = conf.osapi_volume_listen
    try:
        addresses = {str(info[4][0]) for info in socket.getaddrinfo(host, None)}
    except OSError as error:
        raise UnsafeListener(f"osapi_volume_listen: {host} is no address: {error}.") from error
    if not all(ipaddress.ip_address(item.partition("%")[0]).is_loopback for item in addresses):
        raise UnsafeListener(
            f"auth_strategy noauth would let everyone who reaches {host} do everything. Listen on "
            "127.0.0.1, choose auth_strategy keystone or http_basic, or set "
            "allow_noauth_on_network."
        )


class _Headers(dict[bytes, bytes]):
    """Headers of a request: what is sent several times is one list (RFC 9110).

    cheroot knows so of some and takes the last of the others, as if there were no more.
    """

    def __setitem__(self, name: bytes, value: bytes) -> None:
        if name in self and name not in cheroot.comma_separated_headers:  # type: ignore[attr-defined]
            value = b", ".join((self[name], value))
        super().__setitem__(name, value)


class _HeaderLines:
    """Lines of headers, none of which goes on in another, as mail's do (RFC 9112, 5.2).

    cheroot would take such a line for the same header once more, or fail if it is the first.
    """

    def __init__(self, rfile: Any) -> None:
        self._rfile = rfile

    def readline(self) -> bytes:
        line: bytes = self._rfile.readline()
        if line.startswith((b" ", b"\t")):
            raise ValueError("Each header must be in one line.")
        return line


class _HeaderReader(cheroot.HeaderReader):
    """Takes for ``X-Auth-Token`` only what a proxy before us would have taken for it, too.

    ``X_Auth_Token``, which WSGI can't tell from it, is left out (cheroot's own class for that looks
    for text in bytes); blanks between name and colon are refused, as RFC 9112 demands.
    """

    def __call__(self, rfile: Any, hdict: Any = None) -> Any:
        headers = super().__call__(_HeaderLines(rfile), hdict)
        # int(), by which cheroot reads it, takes signs and underscores, too: of -1 the body would
        # be all that the client ever sends.
        if not headers.get(b"Content-Length", b"0").isdigit():
            raise ValueError("The Content-Length must be a whole number, 0 or more.")
        return headers

    def _transform_key(self, key_name: bytes) -> bytes:
        if key_name != key_name.strip():
            raise ValueError("A header's name must not end in blanks.")
        return key_name.title()

    def _allow_header(self, key_name: bytes) -> bool:
        return b"_" not in key_name


class _Chunks(cheroot.ChunkedRFile):
    """cheroot's, which reads each chunk whole, and its line to the end, however long they are."""

    _left = 0  # Bytes of the chunk that is being read.

    def _fetch(self) -> None:
        if self.closed:
            return
        if not self._left:
            line = self.rfile.readline(_MAX_CHUNK_LINE)
            digits = line.partition(b";")[0].strip()
            if not line.endswith(b"\r\n") or not _CHUNK_SIZE.fullmatch(digits):
                raise ValueError("A chunk must begin with its size.")
            self._left = int(digits, 16)
        if not self._left:
            self.closed = True
            return
        piece = self.rfile.read(min(self._left, self.bufsize))
        self._left -= len(piece)
        if not piece or (not self._left and self.rfile.read(2) != b"\r\n"):
            raise ValueError("A chunk must be as long as it says.")
        self.buffer += piece


class _Gateway(wsgi.Gateway_10):
    # cheroot's type hints take its environ for None.
    def get_environ(self) -> Any:
        environ: Any = super().get_environ()  # type: ignore[no-untyped-call]
        if not environ.get("HTTP_HOST"):
            # Links then lead to where the client has reached us; cheroot would give its own name.
            host, port = self.req.conn.socket.getsockname()[:2]
            environ["HTTP_HOST"] = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
        if _SLASH in environ["PATH_INFO"]:
            # cheroot leaves it as it is, which can't be told from an encoded percent sign; other
            # servers decode it.
            path, _, _ = environ["REQUEST_URI"].partition("?")
            environ["PATH_INFO"] = urllib.parse.unquote(path, "latin-1")
        if self.req.chunked_read:
            environ["wsgi.input"] = _Chunks(self.req.conn.rfile, 0)
        return environ


class _Request(cheroot.HTTPRequest):
    """cheroot's, whose answers to what never reaches the application have the API's form, too."""

    header_reader = _HeaderReader()

    def read_request_headers(self) -> bool:
        self.inheaders = _Headers()
        return bool(super().read_request_headers())  # type: ignore[no-untyped-call]

    def respond(self) -> None:
        # Chunks that the application leaves unread must not be taken for the next request, nor
        # those of HTTP/1.0, which has none.
        self.close_connection = self.close_connection or b"Transfer-Encoding" in self.inheaders
        super().respond()

    def send_headers(self) -> None:
        # cheroot would read what is left of the body into memory, for callers of no name, too.
        if getattr(self.rfile, "remaining", 0) > _MAX_UNREAD:
            self.close_connection = True
        super().send_headers()

    def simple_response(self, status: str, msg: str = "") -> None:
        # The context is for the log, which would show the last request's of this thread.
        req_id = context.RequestContext().request_id
        LOG.info("HTTP server: refused a request: %s %s", status, msg)
        code, _, phrase = status.partition(" ")
        headers = {request_id.HTTP_RESP_HEADER_REQUEST_ID: req_id}
        if code == "405":
            # To CONNECT, which no path has.
            headers["Allow"] = "GET, HEAD, POST, PUT, DELETE"
        answer = faults.fault(int(code), msg or phrase, headers)
        method = getattr(self, "method", b"").decode()
        body = answer({"REQUEST_METHOD": method}, self._set_headers)
        self.close_connection = True
        with contextlib.suppress(OSError):  # the client is gone
            self.ensure_headers_sent()
            for part in body:
                self.write(part)

    def _set_headers(self, status: str, headers: list[tuple[str, str]]) -> None:
        # cheroot sends bytes, whatever its type hints say.
        self.status = status.encode()  # type: ignore[assignment]
        self.outheaders = [(name.encode(), value.encode()) for name, value in headers]


class _Connection(cheroot.HTTPConnection):
    RequestHandlerClass = _Request

    def close(self) -> None:
        """Close it, and drop what a client that is gone did not take.

        Else Python's collector tries to send that; from 3.13 on it prints a traceback.
        """
        super().close()
        with contextlib.suppress(OSError):
            self.wfile.close()


class _Server(wsgi.Server):
    """cheroot's server, with its complaints in our log."""

    ConnectionClass = _Connection

    def take_address(self) -> None:
        """Bind the socket, and begin nothing yet: whoever connects is refused meanwhile.

        :raises OSError: none of the addresses that the host stands for can be had.
        """
        host, port = self.bind_addr[:2]
        kind = socket.SOCK_STREAM
        *others, last = socket.getaddrinfo(host, port, 0, kind, 0, socket.AI_PASSIVE)
        for family, _kind, protocol, _name, _address in others:
            with contextlib.suppress(OSError):
                self._taken: socket.socket = super().bind(family, kind, protocol)
                return
        self._taken = super().bind(last[0], kind, last[2])

    def bind(self, family: int, type: int, proto: int = 0) -> socket.socket:
        """cheroot's ``prepare`` calls it, before it listens."""
        self.socket = self._taken
        return self._taken

    def release_address(self) -> None:
        """Undo ``take_address``."""
        self._taken.close()

    def error_log(self, msg: str = "", level: int = logging.INFO, traceback: bool = False) -> None:
        LOG.log(level, "HTTP server: %s", msg, exc_info=traceback)


class Server:
    """One HTTP server in threads of its own, from ``start`` to ``stop``.

    :raises UnsafeListener: see :func:`check_listener`.
    :raises errors.StartError: the address can't be had.
    """

    def __init__(self, conf: cfg.ConfigOpts, application: "WSGIApplication") -> None:
        check_listener(conf)
        self._server = _Server(
            (conf.osapi_volume_listen, conf.osapi_volume_listen_port),
            application,
            numthreads=conf.osapi_volume_threads,
            server_name="cg-api",
            request_queue_size=128,
            shutdown_timeout=conf.shutdown_timeout,
        )
        self._server.gateway = _Gateway
        self._server.max_request_header_size = _MAX_HEADER_SIZE
        self._thread = threading.Thread(target=self._server.serve, name="http")
        with self._blaming():
            self._server.take_address()

    @property
    def address(self) -> tuple[str, int]:
        """Host and port that it listens on, the port also where 0 was configured."""
        host, port = self._server.bind_addr[:2]
        return str(host), int(port)

    def start(self) -> None:
        """Begin to accept requests.

        :raises errors.StartError: the address is taken, by one who was faster.
        """
        with self._blaming():
            self._server.prepare()
        self._thread.start()
        LOG.info("Serving the API on %s:%s", *self.address)

    def stop(self) -> bool:
        """Accept no more requests, and wait up to ``shutdown_timeout`` for those under way.

        False: one still is, which waits for something that does not answer.
        """
        if self._thread.ident is None:  # It did not start.
            self._server.release_address()
            return True
        # cheroot waits without end for a thread that does not come back.
        stopper = threading.Thread(target=self._server.stop, name="http-stop", daemon=True)
        stopper.start()
        stopper.join(self._server.shutdown_timeout + _INTERRUPTION)
        if stopper.is_alive():
            LOG.warning("The API stops although requests are still being answered")
            return False
        self._thread.join()
        LOG.info("The API has stopped")
        return True

    def _blaming(self) -> contextlib.AbstractContextManager[None]:
        host, port = self._server.bind_addr[:2]
        return errors.blaming(f"osapi_volume_listen = {host}, osapi_volume_listen_port = {port}")
