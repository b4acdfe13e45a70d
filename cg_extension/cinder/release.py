# SPDX-License-Identifier: Apache-2.0
"""The Cinder releases that this plugin was tried with, and what becomes of it in others.

The plugin goes deeper into Cinder than its plugin interfaces do, so that another release may
look alike and lose data. This module imports nothing of Cinder: what it guards against may
already be an import that fails.
"""

from importlib import metadata

from oslo_config import cfg

TRIED = (28, 29)
"""Major versions of the ``cinder`` package that were tested; docs/cinder.md says how."""

GROUP = "cg_extension"

OPTS = [
    cfg.BoolOpt(
        "allow_untried_release",
        default=False,
        help="Run with a major release of Cinder that this plugin was not tested with. It relies "
        "on Cinder's internals: calls may fail, and volumes be lost. Try it where nothing matters.",
    )
]


class UnsupportedRelease(RuntimeError):
    """The plugin was not tried with the installed Cinder."""


def is_tried() -> bool:
    """Whether the installed Cinder is one of those tried."""
    return int(metadata.version("cinder").split(".")[0]) in TRIED


def is_allowed() -> bool:
    """Whether the deployer wants an untried one all the same."""
    cfg.CONF.register_opts(OPTS, group=GROUP)
    return bool(cfg.CONF[GROUP].allow_untried_release)


def check() -> None:
    """Make sure that the installed Cinder is one of those tried, or allowed all the same.

    :raises UnsupportedRelease: it is not; says which it is and which would do.
    """
    if not is_tried() and not is_allowed():
        tried = ", ".join(map(str, TRIED))
        raise UnsupportedRelease(
            f"cg_extension was tried with Cinder {tried}, and Cinder {metadata.version('cinder')} "
            "is installed. Install a release of cg_extension that names this version of Cinder, or "
            "take cg_extension out of cinder.conf and api-paste.ini. "
            f"[{GROUP}] allow_untried_release = true runs it untested."
        )
