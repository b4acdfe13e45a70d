# SPDX-License-Identifier: Apache-2.0
"""A Keystone in the small: gives and checks tokens, and has a catalog and projects to look up.

Any password is right. The role of a user is the user's name. A token is ``user:project``, or
``user:`` without a project: then it is of the whole system if the user is ``system``, of no scope
if it is anyone else's.
"""

import json
import threading
import urllib.parse

# Not ``http.server``, an attribute of ``http`` that eventlet, where it is, replaces by its own.
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import fixtures

_EXPIRES = "2999-01-01T00:00:00.000000Z"
_DOMAIN = {"id": "default", "name": "Default"}


class Keystone(fixtures.Fixture):
    """``url`` is where it is; ``block_storage`` is to be set to the endpoint in its catalog.

    ``failures`` is to be set to what it answers instead: (method, path) to (status, body).
    """

    def __init__(self) -> None:
        super().__init__()
        self.block_storage = ""
        self.failures: dict[tuple[str, str], tuple[int, str]] = {}

    def _setUp(self) -> None:
        keystone = self

        class Handler(_Handler):
            fixture = keystone

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)
        self._thread.start()
        self.addCleanup(self.stop)

    def stop(self) -> None:
        """Be away from now on."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def middleware_options(self) -> dict[str, str]:
        """What ``[keystone_authtoken]`` needs to check tokens here."""
        return {
            "auth_type": "password",
            "auth_url": self.url,
            "www_authenticate_uri": self.url,
            "username": "service",
            "password": "secret",
            "project_name": "service",
            "user_domain_id": "default",
            "project_domain_id": "default",
            "service_token_roles_required": "true",
        }

    def client_environment(self, user: str, project: str) -> dict[str, str]:
        """The variables by which clients log in."""
        return {
            "OS_AUTH_URL": f"{self.url}/v3",
            "OS_USERNAME": user,
            "OS_PASSWORD": "secret",
            "OS_PROJECT_NAME": project,
            "OS_USER_DOMAIN_ID": "default",
            "OS_PROJECT_DOMAIN_ID": "default",
            "OS_IDENTITY_API_VERSION": "3",
        }


class _Handler(BaseHTTPRequestHandler):
    fixture: Keystone
    protocol_version = "HTTP/1.1"

    def _fails(self) -> bool:
        path = urllib.parse.urlsplit(self.path).path
        failure = self.fixture.failures.get((self.command, path))
        if failure is not None:
            self._send(failure[0], failure[1].encode(), {})
        return failure is not None

    def do_POST(self) -> None:
        length = int(self.headers.get("Content-Length", 0))
        asked = json.loads(self.rfile.read(length))["auth"]
        if self._fails():
            return
        user = asked["identity"]["password"]["user"]["name"]
        scope = asked["scope"]["project"]
        project = scope.get("name") or scope["id"]
        token = f"{user}:{project}"
        self._answer(201, {"token": self._token(token)}, {"X-Subject-Token": token})

    def do_GET(self) -> None:
        path = urllib.parse.urlsplit(self.path)
        if self._fails():
            return
        if path.path == "/v3/auth/tokens":
            token = self.headers["X-Subject-Token"]
            if ":" not in token:
                self._answer(404, {"error": {"code": 404, "message": "No such token"}})
            else:
                self._answer(200, {"token": self._token(token)})
        elif path.path == "/v3/projects":
            names = urllib.parse.parse_qs(path.query).get("name", ["demo"])
            self._answer(200, {"projects": [self._named(name) for name in names], "links": {}})
        elif path.path.startswith("/v3/projects/"):
            self._answer(200, {"project": self._named(path.path.rsplit("/", 1)[1])})
        else:
            version = {
                "id": "v3.14",
                "status": "stable",
                "links": [{"rel": "self", "href": f"{self.fixture.url}/v3/"}],
            }
            root = {"versions": {"values": [version]}}
            self._answer(200, {"version": version} if path.path.startswith("/v3") else root)

    def _token(self, token: str) -> dict[str, Any]:
        user, _, project = token.partition(":")
        document: dict[str, Any] = {
            "methods": ["password"],
            "expires_at": _EXPIRES,
            "issued_at": "2026-01-01T00:00:00.000000Z",
            "user": self._named(user),
        }
        if not project and user != "system":
            return document
        scope: dict[str, Any] = {"project": self._named(project)}
        roles = [user]
        if not project:
            scope = {"system": {"all": True}}
            roles = ["admin", "member", "reader"]
        return {
            **document,
            **scope,
            "roles": [{"id": role, "name": role} for role in roles],
            "catalog": [
                _service("identity", f"{self.fixture.url}/v3"),
                _service("block-storage", f"{self.fixture.block_storage}/v3/{project}"),
            ],
        }

    @staticmethod
    def _named(name: str) -> dict[str, Any]:
        return {"id": name, "name": name, "domain": _DOMAIN, "domain_id": "default"}

    def _answer(self, status: int, document: Any, headers: dict[str, str] | None = None) -> None:
        self._send(
            status,
            json.dumps(document).encode(),
            {"Content-Type": "application/json", **(headers or {})},
        )

    def _send(self, status: int, body: bytes, headers: dict[str, str]) -> None:
        self.send_response(status)
        for name, value in {"Content-Length": str(len(body)), **headers}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:
        """Keep quiet."""


def _service(kind: str, url: str) -> dict[str, Any]:
    endpoints = [
        {"id": kind, "interface": interface, "region": "one", "region_id": "one", "url": url}
        for interface in ("public", "internal")
    ]
    return {"id": kind, "type": kind, "name": kind, "endpoints": endpoints}
