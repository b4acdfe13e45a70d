# SPDX-License-Identifier: Apache-2.0
"""Finds what an option names among the entry points of the installed packages."""

from typing import Any

from stevedore import driver

DRIVERS = "cg_extension.drivers"
SERVICES = "cg_extension.services"


def load(group: str, name: str) -> Any:
    """Load the entry point ``name`` of ``group``.

    Raises whatever its package raises on import, and stevedore's errors if no package has it.
    """
    return driver.DriverManager(group, name, on_load_failure_callback=_raise).driver


def _raise(_manager: object, _entry_point: object, error: BaseException) -> None:
    raise error
