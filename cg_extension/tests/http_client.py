# SPDX-License-Identifier: Apache-2.0
"""The one HTTP client of the tests: JSON as one user of one project of a running service."""

from collections.abc import Callable, Mapping
from typing import Any

import requests

from cg_extension.contract import statuses
from cg_extension.tests import waiting

GONE = "gone"
"""What ``Client.status`` gives for a resource that is not there."""

UNDER_WAY = frozenset(statuses.GROUP.under_way)
"""Statuses of resources on which someone works; a group has all that there are."""


class Client:
    """Calls below ``/v3/{project_id}``. May be used by several threads."""

    def __init__(
        self,
        endpoint: Callable[[], str],
        project: str,
        token: str,
        *,
        timeout: float = 30.0,
        microversion: str = "",
    ) -> None:
        """Prepare.

        :param endpoint: asked for each request, gives such as ``http://127.0.0.1:8776``.
        :param timeout: seconds for each answer.
        :param microversion: that each request asks for, such as ``3.66``; the oldest if empty.
        """
        self.project = project
        self.token = token
        self._endpoint = endpoint
        self._timeout = timeout
        self._version = {"OpenStack-API-Version": f"volume {microversion}"} if microversion else {}

    def request(
        self, method: str, path: str, body: object | None = None, version: str = "v3"
    ) -> requests.Response:
        """One call, whatever the status of the answer.

        :raises requests.RequestException: there was none; whether the request was carried out is
            not known.
        """
        return requests.request(
            method,
            f"{self._endpoint()}/{version}/{self.project}{path}",
            json=body,
            headers={"X-Auth-Token": self.token, **self._version},
            timeout=self._timeout,
        )

    def get(self, path: str) -> Any:
        """The decoded answer of a GET that succeeds."""
        return self._checked(self.request("GET", path))

    def post(self, path: str, body: object | None = None) -> Any:
        """The decoded answer of a POST that succeeds."""
        return self._checked(self.request("POST", path, body))

    def put(self, path: str, body: object) -> Any:
        """The decoded answer of a PUT that succeeds."""
        return self._checked(self.request("PUT", path, body))

    def delete(self, path: str) -> None:
        """A DELETE that succeeds."""
        self._checked(self.request("DELETE", path))

    def begin(self, collection: str, **values: Any) -> str:
        """Ask for a new resource, of a collection such as ``volumes``; gives its id."""
        (resource,) = self.post(f"/{collection}", {collection.removesuffix("s"): values}).values()
        return str(resource["id"])

    def create(self, path: str, body: Mapping[str, Any], status: str = "available") -> str:
        """POST ``body`` to ``path`` and wait; gives the id of what came into being.

        :raises AssertionError: its status is not ``status`` at the end.
        """
        (resource,) = self.post(path, body).values()
        collection = "/" + path.split("/")[1]
        ended = self.wait(f"{collection}/{resource['id']}")
        if ended is None or ended["status"] != status:
            raise AssertionError(f"{path}: {ended}")
        return str(resource["id"])

    def wait(self, path: str, timeout: float = waiting.PATIENCE) -> dict[str, Any] | None:
        """The resource at ``path`` once nothing is under way on it; None when it is gone.

        :raises TimeoutError: something still is after ``timeout`` seconds.
        """

        def settled() -> tuple[dict[str, Any] | None] | None:
            found = self._look(path)
            return (found,) if found is None or found["status"] not in UNDER_WAY else None

        (found,) = waiting.eventually(settled, f"{path} settled", timeout)
        return found

    def wait_for(self, path: str, status: str, timeout: float = waiting.PATIENCE) -> None:
        """Wait until the resource at ``path`` is in ``status``, which may be ``GONE``.

        :raises TimeoutError: it is not after ``timeout`` seconds.
        """
        waiting.eventually(lambda: self.status(path) == status, f"{path} {status}", timeout, 0.05)

    def status(self, path: str) -> str:
        """The status of the resource at ``path``, or ``GONE``."""
        found = self._look(path)
        return GONE if found is None else str(found["status"])

    def _look(self, path: str) -> dict[str, Any] | None:
        answer = self.request("GET", path)
        if answer.status_code == 404:
            return None
        (resource,) = self._checked(answer).values()
        return dict(resource)

    @staticmethod
    def _checked(answer: requests.Response) -> Any:
        if not answer.ok:
            raise AssertionError(
                f"{answer.request.method} {answer.url}: {answer.status_code} {answer.text}"
            )
        return answer.json() if answer.content else None
