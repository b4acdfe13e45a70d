# SPDX-License-Identifier: Apache-2.0
"""A client of several API processes, which goes to another one when one does not answer."""

import dataclasses
import itertools
from collections.abc import Sequence
from typing import Any

import requests

from cg_extension.tests import waiting


@dataclasses.dataclass(frozen=True)
class Answer:
    """What came back: the HTTP status, and the JSON body, empty if there is none."""

    status: int
    body: dict[str, Any]


class NoAnswer(Exception):
    """The connection broke or was refused; whether the request was carried out is not known."""


class Client:
    """Speaks for one project. Not for use by several threads."""

    def __init__(
        self, endpoints: Sequence[str], project: str, roles: str = "admin", timeout: float = 30.0
    ) -> None:
        """:param endpoints: of API processes, such as ``http://127.0.0.1:8776``."""
        self.project = project
        self._endpoints = itertools.cycle(endpoints)
        self._timeout = timeout
        self._session = requests.Session()
        self._session.headers["X-Auth-Token"] = f"user:{project}:{roles}"

    def close(self) -> None:
        self._session.close()

    def call(self, method: str, path: str, body: Any = None) -> Answer:
        """Send a request to the next endpoint, once.

        :param path: below ``/v3/{project_id}``.
        :raises NoAnswer: see there.
        """
        url = f"{next(self._endpoints)}/v3/{self.project}{path}"
        try:
            response = self._session.request(method, url, json=body, timeout=self._timeout)
        except requests.RequestException as error:
            raise NoAnswer(str(error)) from error
        return Answer(response.status_code, response.json() if response.content else {})

    def accepted(self, method: str, path: str, body: Any = None) -> dict[str, Any]:
        """The answer's body.

        :raises AssertionError: the answer is an error.
        """
        answer = self.call(method, path, body)
        assert answer.status < 300, answer
        return answer.body

    def create(self, collection: str, **values: Any) -> str:
        """Create a resource; gives its id. ``collection`` is a path such as ``volumes``."""
        name = collection.removesuffix("s")
        created = self.accepted("POST", f"/{collection}", {name: values})
        identity: str = created[name]["id"]
        return identity

    def status(self, collection: str, identity: str) -> str:
        """The resource's status; ``gone`` if there is none."""
        answer = self.call("GET", f"/{collection}/{identity}")
        if answer.status == 404:
            return "gone"
        status: str = answer.body[collection.removesuffix("s")]["status"]
        return status

    def wait(self, collection: str, identity: str, status: str, timeout: float = 60.0) -> None:
        """Wait until the resource is in ``status``, ``gone`` for one.

        :raises TimeoutError: it was not within ``timeout`` seconds.
        """
        waiting.eventually(
            lambda: self.status(collection, identity) == status,
            f"{collection} {identity} {status}",
            timeout,
        )
