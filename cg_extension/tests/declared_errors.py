# SPDX-License-Identifier: Apache-2.0
"""Holds controllers' functions to the errors that they are marked with."""

from typing import Any

import fixtures

from cg_extension.api import wsgi
from cg_extension.contract import exceptions


class DeclaredErrors(fixtures.Fixture):
    """While it is in use, whatever a function raises for clients must be declared by ``@raises``.

    :raises AssertionError: at the end, what was raised by which function.
    """

    def _setUp(self) -> None:
        undeclared: set[str] = set()
        call = wsgi.Call.__call__

        def watched(self: wsgi.Call, *arguments: Any) -> Any:
            try:
                return call(self, *arguments)
            except exceptions.CGExtensionError as error:
                if error.code != 500 and not isinstance(error, self.errors):
                    name = getattr(self.function, "__qualname__", self.function)
                    undeclared.add(f"{name}: {type(error).__name__}")
                raise

        self.useFixture(fixtures.MonkeyPatch("cg_extension.api.wsgi.Call.__call__", watched))
        self.addCleanup(self._check, undeclared)

    @staticmethod
    def _check(undeclared: set[str]) -> None:
        if undeclared:
            raise AssertionError(f"not declared by @wsgi.raises: {sorted(undeclared)}")
