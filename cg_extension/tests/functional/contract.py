# SPDX-License-Identifier: Apache-2.0
"""The HTTP contract, ``gabbits/*.yaml``, as tests of any host.

A host's test module says where it listens and which fixture runs it; what the files know of it
comes through the environment.
"""

import dataclasses
import pathlib
import types
import unittest
from typing import Any

from gabbi import driver, fixture, handlers

DIRECTORY = pathlib.Path(__file__).parent / "gabbits"
PROJECT = "a" * 32
OTHER_PROJECT = "b" * 32
ADMIN_PROJECT = "c" * 32


class AbsentStrings(handlers.base.ResponseHandler):  # type: ignore[misc]
    """``response_strings_not``: strings that the body must not have."""

    test_key_suffix = "strings_not"
    test_key_value: list[str] = []

    def action(self, test: Any, item: str, value: None = None) -> None:
        test.assertNotIn(test.replace_template(item), test.output)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Host:
    """A host as its clients see it. Tokens are ``user:project:role``.

    :param fixture: the gabbi fixture that runs it for the time of one file.
    :param version: ``v2`` or ``v3``.
    :param volume_type: the name of a type; groups of it have volumes of it.
    :param other_volume_type: another one on the same backend.
    """

    fixture: type[fixture.GabbiFixture]
    port: int
    version: str
    volume_type: str
    other_volume_type: str
    availability_zone: str = "nova"

    def environment(self) -> dict[str, str]:
        """What the files call by name."""
        return {
            "CG_TOKEN": f"user:{PROJECT}:member",
            "CG_READER_TOKEN": f"reader:{PROJECT}:reader",
            "CG_OTHER_TOKEN": f"other:{OTHER_PROJECT}:member",
            "CG_ADMIN_TOKEN": f"admin:{ADMIN_PROJECT}:admin",
            "CG_OTHER_PROJECT": OTHER_PROJECT,
            "CG_OTHER_URL": f"http://127.0.0.1:{self.port}/{self.version}/{OTHER_PROJECT}",
            "CG_VOLUME_TYPE": self.volume_type,
            "CG_OTHER_VOLUME_TYPE": self.other_volume_type,
            "CG_ZONE": self.availability_zone,
        }

    def tests(self, loader: unittest.TestLoader) -> unittest.TestSuite:
        """The tests of all files against this host."""
        suite: unittest.TestSuite = driver.build_tests(
            str(DIRECTORY),
            loader,
            host="127.0.0.1",
            port=self.port,
            prefix=f"/{self.version}/{PROJECT}",
            test_loader_name=f"contract_{self.version}",
            fixture_module=types.SimpleNamespace(ServiceFixture=self.fixture),
            response_handlers=[AbsentStrings],
        )
        return suite
