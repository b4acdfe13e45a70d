# SPDX-License-Identifier: Apache-2.0
"""Fixtures that last as long as their process, for tests that share them."""

import atexit
from typing import TypeVar

import fixtures

_Fixture = TypeVar("_Fixture", bound=fixtures.Fixture)


def start(fixture: _Fixture) -> _Fixture:
    """Set up a fixture, which is cleaned up when this process ends."""
    fixture.setUp()
    atexit.register(fixture.cleanUp)
    return fixture
