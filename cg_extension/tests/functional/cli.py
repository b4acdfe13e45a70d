# SPDX-License-Identifier: Apache-2.0
"""Runs the real commands of python-openstackclient and cinderclient, a process for each call."""

import dataclasses
import json
import os
from collections.abc import Mapping
from typing import Any

from cg_extension.tests.deployment import warm
from cg_extension.tests.functional import base


class Failed(Exception):
    """The command ended with an error; the text is what it printed."""


@dataclasses.dataclass(frozen=True)
class OpenStack:
    """The command as one user, who is known by ``environment``."""

    environment: Mapping[str, str]
    program = "openstackclient.shell:main"

    @classmethod
    def noauth(cls, service: base.Standalone, token: str, project: str) -> "OpenStack":
        """As the bearer of a ``noauth`` token."""
        return cls(
            {
                "OS_AUTH_TYPE": "admin_token",
                "OS_TOKEN": token,
                "OS_ENDPOINT": f"{service.url}/v3/{project}",
            }
        )

    def run(self, *words: str) -> str:
        """What the command prints.

        :raises Failed: its exit code is not 0.
        """
        others = {name: value for name, value in os.environ.items() if not name.startswith("OS_")}
        done = warm.run(
            *(self.program, words),
            modules=warm.CLIENT,
            environment={**others, **self.environment},
        )
        if done.returncode:
            raise Failed(f"{self.program} {' '.join(words)}: {done.stdout}{done.stderr}")
        return done.stdout

    def json(self, *words: str) -> Any:
        """The table that the command shows, as the client's own JSON."""
        return json.loads(self.run(*words, "-f", "json"))


@dataclasses.dataclass(frozen=True)
class Cinder(OpenStack):
    """The ``cinder`` command, likewise; what it shows is a table in text."""

    program = "cinderclient.shell:main"
