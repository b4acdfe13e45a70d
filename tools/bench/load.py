# SPDX-License-Identifier: Apache-2.0
"""A closed loop of HTTP clients that costs next to nothing, so that the server is what is timed.

One thread, non-blocking sockets, requests built beforehand; understands just enough of HTTP/1.1
for the answers of an API: a status line and Content-Length.
"""

import dataclasses
import json
import selectors
import socket
import time
from collections.abc import Callable, Iterable
from typing import Any
from urllib import parse

Target = tuple[str, int]


def request(method: str, url: str, token: str, body: Any = None) -> bytes:
    """The bytes of a request that keeps the connection open."""
    parts = parse.urlsplit(url)
    path = parts.path + (f"?{parts.query}" if parts.query else "")
    content = json.dumps(body).encode() if body is not None else b""
    head = (
        f"{method} {path} HTTP/1.1\r\nHost: {parts.netloc}\r\nX-Auth-Token: {token}\r\n"
        f"Accept: application/json\r\nContent-Type: application/json\r\n"
        f"Content-Length: {len(content)}\r\n\r\n"
    )
    return head.encode() + content


def target(url: str) -> Target:
    """Host and port of a URL."""
    parts = parse.urlsplit(url)
    return parts.hostname or "127.0.0.1", parts.port or 80


@dataclasses.dataclass
class Result:
    """What one run gave. Times in seconds."""

    statuses: dict[int, int]
    seconds: float
    latencies: list[float]

    @property
    def rate(self) -> float:
        """Answers a second."""
        return len(self.latencies) / self.seconds


CLOSED = -1
"""In place of a status: the server has closed the connection."""


class Client:
    """One connection with at most one request under way."""

    def __init__(self, address: Target) -> None:
        self._address = address
        self._received = b""
        self.connect()

    def connect(self) -> None:
        self.socket = socket.create_connection(self._address)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def send(self, payload: bytes) -> None:
        self._payload, self._received = payload, b""
        self.started = time.perf_counter()
        self.socket.sendall(payload)

    def send_again(self) -> None:
        """Over a new connection: the server had closed the last one while it was idle."""
        self.connect()
        self.send(self._payload)

    def receive(self) -> int | None:
        """The status when ``head`` and ``body`` are the whole answer, or ``CLOSED``."""
        chunk = self.socket.recv(1 << 20)
        if not chunk:
            return CLOSED
        self._received += chunk
        head, separator, body = self._received.partition(b"\r\n\r\n")
        if not separator:
            return None
        length = 0
        for line in head.split(b"\r\n")[1:]:
            name, _, value = line.partition(b":")
            if name.lower() == b"content-length":
                length = int(value)
        self.head, self.body = head, body
        return int(head[9:12]) if len(body) >= length else None


def run(
    addresses: list[Target],
    payloads: Iterable[bytes],
    *,
    clients: int,
    seconds: float = float("inf"),
    requests: int = 1 << 60,
    each: Callable[[], None] | None = None,
) -> Result:
    """Send one request after the other, until the time or the number is used up.

    :param addresses: of the server's processes; the clients are spread over them.
    :param each: called after each answer.
    """
    selector = selectors.DefaultSelector()
    following = iter(payloads)
    for number in range(min(clients, requests)):
        client = Client(addresses[number % len(addresses)])
        selector.register(client.socket, selectors.EVENT_READ, client)
        client.send(next(following))
    statuses: dict[int, int] = {}
    latencies: list[float] = []
    begun, sent = time.perf_counter(), min(clients, requests)
    deadline = begun + seconds
    while selector.get_map():
        for key, _events in selector.select(timeout=60):
            client = key.data
            status = client.receive()
            if status is None:
                continue
            now = time.perf_counter()
            if status == CLOSED:
                selector.unregister(key.fileobj)
                client.send_again()
                selector.register(client.socket, selectors.EVENT_READ, client)
                continue
            latencies.append(now - client.started)
            statuses[status] = statuses.get(status, 0) + 1
            if each is not None:
                each()
            if now < deadline and sent < requests:
                sent += 1
                client.send(next(following))
            else:
                selector.unregister(key.fileobj)
                client.socket.close()
    return Result(statuses, time.perf_counter() - begun, latencies)
