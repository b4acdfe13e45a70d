# SPDX-License-Identifier: Apache-2.0
"""The one Cinder with the plugin that most tests of a process share; each takes a new project."""

import atexit
import functools
import uuid
from typing import Any

import requests

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
        admin_call(running, "POST", "/types", {"volume_type": {"name": name}})
    return running


def admin_call(
    running: deployment.CinderDeployment, method: str, path: str, body: Any = None
) -> Any:
    """Make one call as administrator; gives back the answer's document.

    :raises requests.HTTPError: Cinder refused.
    """
    answer = requests.request(
        method,
        f"{running.endpoint}/v3/{deployment.ADMIN_PROJECT}{path}",
        headers={"X-Auth-Token": deployment.ADMIN_TOKEN},
        json=body,
        timeout=60,
    )
    answer.raise_for_status()
    return answer.json() if answer.content else None


def new_project() -> str:
    """An id that no test has used."""
    return uuid.uuid4().hex


def token(project: str, *roles: str) -> str:
    """A token of a user of the project; see ``auth``."""
    return f"user-{project[:8]}:{project}:{','.join(roles)}"
