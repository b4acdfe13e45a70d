# SPDX-License-Identifier: Apache-2.0
"""What needs root: each module marks its own functions, and nothing else runs as root.

A service has them run in the helper of ``privsep``, which is loaded for the first of them: alone to
import it takes a command like ``cg-lvm`` as long as to take a group snapshot.
"""

import functools
from collections.abc import Callable
from typing import Any, ParamSpec, TypeVar

P = ParamSpec("P")
R = TypeVar("R")

_marked: set[Callable[..., Any]] = set()
_in_process = False


def entrypoint(function: Callable[P, R]) -> Callable[P, R]:
    """Mark a function of a module as one that runs as root."""

    @functools.wraps(function)
    def call(*args: P.args, **kwargs: P.kwargs) -> R:
        if _in_process:
            return function(*args, **kwargs)
        from cg_extension.drivers.lvm import privsep

        result: R = privsep.context.call(function, args, kwargs)
        return result

    _marked.add(call)
    return call


def is_marked(function: Callable[..., Any]) -> bool:
    """Whether a function is one that ``entrypoint`` has given back."""
    return function in _marked


def configure(helper_command: str | None = None) -> None:
    """Say how the helper process is started; call before the first privileged function.

    :param helper_command: a command that starts ``privsep-helper`` as root (through rootwrap,
        say). Default: the ``privsep-helper`` of this Python, with ``sudo`` unless we are root.
    """
    from cg_extension.drivers.lvm import privsep

    privsep.configure(helper_command)


def run_in_process() -> None:
    """Run privileged functions in this process, which must be root's own short-lived command.

    For ``cg-lvm``: root called it, it serves no one else, so a helper would protect nothing. The
    freeze and its watchdog are processes of their own here, too.
    """
    global _in_process
    _in_process = True


def __getattr__(name: str) -> Any:
    """``context``, by which the helper is started."""
    if name == "context":
        from cg_extension.drivers.lvm import privsep

        return privsep.context
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
