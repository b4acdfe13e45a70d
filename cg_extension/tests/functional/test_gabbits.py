# SPDX-License-Identifier: Apache-2.0
"""The HTTP contract, ``gabbits/*.yaml``, on a process of its own for each file, at /v3 and /v2.

The files hold for any host; what they must know of it stands in the environment.
"""

import pathlib
import types
import unittest

import fixtures
from gabbi import driver, fixture

from cg_extension.tests.deployment import processes
from cg_extension.tests.functional import base, handlers

GABBITS = pathlib.Path(__file__).parent / "gabbits"
PROJECT = "a" * 32
OTHER_PROJECT = "b" * 32
ADMIN_PROJECT = "c" * 32
OTHER_TYPE = "gold"


def _fixture(version: str, port: int) -> type[fixture.GabbiFixture]:
    class ServiceFixture(fixture.GabbiFixture):
        """The service, and the variables by which a file knows it."""

        def start_fixture(self) -> None:
            self._cleanup = fixtures.Fixture()
            self._cleanup.setUp()
            arguments = ("--port", str(port))
            service = self._cleanup.useFixture(base.Standalone(arguments=arguments))
            service.client().post("/types", {"volume_type": {"name": OTHER_TYPE}})
            [backend] = service.client().get("/os-services")["services"]
            for name, value in {
                "CG_TOKEN": f"user:{PROJECT}:member",
                "CG_READER_TOKEN": f"reader:{PROJECT}:reader",
                "CG_PROJECT": PROJECT,
                "CG_ADMIN_TOKEN": f"admin:{ADMIN_PROJECT}:admin",
                "CG_ADMIN_URL": f"{service.url}/{version}/{ADMIN_PROJECT}",
                "CG_OTHER_TOKEN": f"other:{OTHER_PROJECT}:member",
                "CG_OTHER_PROJECT": OTHER_PROJECT,
                "CG_VERSION_URL": f"{service.url}/{version}",
                "CG_OTHER_URL": f"{service.url}/{version}/{OTHER_PROJECT}",
                "CG_VOLUME_TYPE": "__DEFAULT__",
                "CG_OTHER_VOLUME_TYPE": OTHER_TYPE,
                "CG_ZONE": "nova",
                "CG_BACKEND": backend["host"],
            }.items():
                self._cleanup.useFixture(fixtures.EnvironmentVariable(name, value))

        def stop_fixture(self) -> None:
            self._cleanup.cleanUp()

    return ServiceFixture


def load_tests(
    loader: unittest.TestLoader, tests: unittest.TestSuite, pattern: str | None
) -> unittest.TestSuite:
    """Every file of the contract for each version of the API."""
    for version in ("v3", "v2"):
        # gabbi must know the port before the service is there.
        port = processes.free_port()
        tests.addTest(
            driver.build_tests(
                str(GABBITS),
                loader,
                host="127.0.0.1",
                port=port,
                # Nothing here is TLS, and each test would load the authorities' certificates.
                cert_validate=False,
                prefix=f"/{version}/{PROJECT}",
                test_loader_name=f"{__name__}.{version}",
                fixture_module=types.SimpleNamespace(ServiceFixture=_fixture(version, port)),
                response_handlers=[handlers.AbsentStrings],
            )
        )
    return tests
