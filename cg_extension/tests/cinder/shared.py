# SPDX-License-Identifier: Apache-2.0
"""The Cinder with the plugin that most tests of a process share; each takes a new project.

There is one with eventlet, and one with threads.
"""

import functools

from cg_extension.tests import http_client, lasting
from cg_extension.tests.cinder import deployment, pipelines
from cg_extension.tests.deployment import keystone, processes

PORTS = {threads: processes.free_port() for threads in (False, True)}
"""With eventlet and with threads; known before Cinder runs: gabbi builds its tests with it."""

TYPES = ("gold", "silver")
"""Names of the volume types that there are."""

ZONE = "nova"


def cinder(threads: bool = False) -> deployment.CinderDeployment:
    """Cinder with the plugin, started when first asked for, stopped with this process."""
    return _started(threads)


@functools.cache
def _started(threads: bool) -> deployment.CinderDeployment:
    running = lasting.start(
        deployment.CinderDeployment(paste=pipelines.PLUGIN, port=PORTS[threads], threads=threads)
    )
    for name in TYPES:
        running.admin().post("/types", {"volume_type": {"name": name}})
    return running


def client(running: deployment.CinderDeployment, *roles: str) -> http_client.Client:
    """Calls of one user of a new project."""
    project = new_project()
    user = token(project, *(roles or ("member", "reader")))
    return http_client.Client(lambda: running.endpoint, project, user, timeout=60)


def new_project() -> str:
    """An id that no test has used."""
    return keystone.shared().new_project()


def token(project: str, *roles: str) -> str:
    """A token of a user of the project, whose first role brings the others with it."""
    return keystone.shared().token(roles[0], project)
