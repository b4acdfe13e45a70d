# SPDX-License-Identifier: Apache-2.0
"""The HTTP contract of the reference host, against real Cinder, at /v3 and at /v2.

With eventlet, and with threads; at /v2 with threads, where only the path differs, in a long run.
"""

import os
import pathlib
import unittest
from collections.abc import Sequence
from typing import Any

import yaml
from gabbi import fixture as gabbi_fixture
from gabbi import handlers as gabbi_handlers
from gabbi import suitemaker

from cg_extension.tests import functional, long
from cg_extension.tests.cinder import deployment, deviations, shared
from cg_extension.tests.functional import handlers

GABBITS = pathlib.Path(functional.__file__).parent / "gabbits"
# Versions, and whether with threads.
PLACES = [("v3", False), ("v2", False)]
if deployment.CAN_USE_THREADS:
    PLACES += [("v3", True), *([("v2", True)] if long.WANTED else [])]
HANDLERS = (*gabbi_handlers.RESPONSE_HANDLERS, handlers.AbsentStrings)


def _fixtures_for(version: str, threads: bool, members: Sequence[Any]) -> type:
    """The module-like holder of fixtures that gabbi asks for, for one file's tests.

    :param members: those tests, which are there before the project whose paths they ask for.
    """

    class ServiceFixture(gabbi_fixture.GabbiFixture):
        """Cinder runs, and the environment tells the tests who they are in it."""

        def start_fixture(self) -> None:
            running = shared.cinder(threads)
            project, other = shared.new_project(), shared.new_project()
            for test in members:
                test.prefix = f"/{version}/{project}"
            # Other tests of this process do not read these, and each file sets them anew.
            os.environ.update(
                CG_TOKEN=shared.token(project, "member", "reader"),
                CG_READER_TOKEN=shared.token(project, "reader"),
                CG_PROJECT=project,
                CG_ADMIN_TOKEN=running.admin_token,
                CG_ADMIN_URL=f"{running.endpoint}/{version}/{running.admin_project}",
                CG_OTHER_TOKEN=shared.token(other, "member", "reader"),
                CG_OTHER_PROJECT=other,
                CG_VERSION_URL=f"{running.endpoint}/{version}",
                CG_OTHER_URL=f"{running.endpoint}/{version}/{other}",
                CG_VOLUME_TYPE=shared.TYPES[0],
                CG_OTHER_VOLUME_TYPE=shared.TYPES[1],
                CG_ZONE=shared.ZONE,
                CG_BACKEND=f"{deployment.HOST}@{deployment.BACKEND}",
            )

    return type("Fixtures", (), {"ServiceFixture": ServiceFixture})


def load_tests(
    loader: unittest.TestLoader, tests: unittest.TestSuite, pattern: str | None
) -> unittest.TestSuite:
    """Every file of the contract for each version of the API, in a project of its own."""
    for version, threads in PLACES:
        for path in sorted(GABBITS.glob("*.yaml")):
            suite = deviations.apply(path.stem, yaml.safe_load(path.read_text()))
            # Nothing here is TLS, and each test would load the authorities' certificates.
            suite["defaults"]["cert_validate"] = False
            members: list[Any] = []
            made = suitemaker.test_suite_from_dict(
                loader,
                f"contract_{version}_{'threads_' if threads else ''}{path.stem}",
                suite,
                str(GABBITS),
                "127.0.0.1",
                shared.PORTS[threads],
                _fixtures_for(version, threads, members),
                None,
                handlers=[handler() for handler in HANDLERS],
            )
            members += made
            tests.addTest(made)
    return tests
