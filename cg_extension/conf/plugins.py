# SPDX-License-Identifier: Apache-2.0
"""Finds what an option names among the entry points of the installed packages."""

from importlib import metadata
from typing import Any

from stevedore import driver
from stevedore import exception as stevedore_exception

from cg_extension.conf import errors

DRIVERS = "cg_extension.drivers"
SERVICES = "cg_extension.services"


def load(group: str, name: str, option: str) -> Any:
    """Load the entry point ``name`` of ``group``.

    :param option: what named it, and is to blame if that can't work.
    :raises errors.StartError: no package has it, or its package raises an error when it is
        imported, whichever error that is.
    """
    blamed = f"{option} = {name}"
    try:
        return driver.DriverManager(
            group, name, on_load_failure_callback=_raise, warn_on_missing_entrypoint=False
        ).driver
    except stevedore_exception.NoMatches as error:
        there = ", ".join(sorted({each.name for each in metadata.entry_points(group=group)}))
        raise errors.StartError(f"{blamed}: There is no {name}; there are {there}") from error
    except Exception as error:  # Another package may raise anything.
        raise errors.StartError(
            f"{blamed}: It can't be imported: {errors.describe(error)}"
        ) from error


def _raise(_manager: object, _entry_point: object, error: BaseException) -> None:
    raise error
