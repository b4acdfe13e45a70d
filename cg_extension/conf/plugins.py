# SPDX-License-Identifier: Apache-2.0
"""Finds what an option names among the entry points of the packages that are installed."""

from typing import Any

from stevedore import driver

DRIVERS = "cg_extension.drivers"
SERVICES = "cg_extension.services"


def load(group: str, name: str) -> Any:
    """What the entry point ``name`` of ``group`` stands for.

    Raises whatever the package that brings it raises, and stevedore's errors if none does.
    """
    return driver.DriverManager(group, name, on_load_failure_callback=_raise).driver


def _raise(_manager: object, _entry_point: object, error: BaseException) -> None:
    raise error
