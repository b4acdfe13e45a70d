# SPDX-License-Identifier: Apache-2.0
"""The one Cinder with the plugin that most tests of a process share; each takes a new project."""

import atexit
import functools
import uuid
from typing import Any

import requests

from cg_extension.tests import waiting
from cg_extension.tests.cinder import deployment, pipelines, servers

PORT = servers.free_port()
"""Known before Cinder runs, since gabbi builds its tests with it."""

TYPES = ("gold", "silver")
"""Names of the volume types that there are."""

ZONE = "nova"


@functools.cache
def cinder() -> deployment.CinderDeployment:
    """Cinder with the plugin, started when first asked for, stopped with this process."""
    running = deployment.CinderDeployment(paste=pipelines.PLUGIN, port=PORT)
    running.setUp()
    atexit.register(running.cleanUp)
    for name in TYPES:
        running.admin_call("POST", "/types", {"volume_type": {"name": name}})
    return running


class Client:
    """Calls of one user of a new project, at /v3 unless said otherwise."""

    def __init__(self, running: deployment.CinderDeployment, *roles: str) -> None:
        self.endpoint = running.endpoint
        self.project = new_project()
        self.token = token(self.project, *(roles or ("member", "reader")))

    def call(
        self, method: str, path: str, body: Any = None, version: str = "v3"
    ) -> requests.Response:
        """One call, whatever the answer; ``path`` is below the project."""
        return requests.request(
            method,
            f"{self.endpoint}/{version}/{self.project}{path}",
            headers={"X-Auth-Token": self.token},
            json=body,
            timeout=60,
        )

    def create(self, path: str, key: str, body: dict[str, Any]) -> str:
        """Make a resource and wait until it is available; gives back its id."""
        answer = self.call("POST", path, {key: body})
        answer.raise_for_status()
        [made] = answer.json().values()
        collection = path.removesuffix("/create_from_src")
        self.wait(f"{collection}/{made['id']}")
        return made["id"]

    def wait(self, path: str, status: str = "available") -> None:
        """Wait until a resource is in a status, or until it is ``gone``.

        :raises TimeoutError: it is not after half a minute.
        """
        waiting.eventually(lambda: self._status(path) == status, f"{path} {status}", pause=0.2)

    def _status(self, path: str) -> str:
        answer = self.call("GET", path)
        return "gone" if answer.status_code == 404 else status_of(answer)


def status_of(answer: requests.Response) -> str:
    """The status of the one resource in an answer."""
    [resource] = answer.json().values()
    return resource["status"]


def new_project() -> str:
    """An id that no test has used."""
    return uuid.uuid4().hex


def token(project: str, *roles: str) -> str:
    """A token of a user of the project; see ``auth``."""
    return f"user-{project[:8]}:{project}:{','.join(roles)}"
