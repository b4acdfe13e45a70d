# SPDX-License-Identifier: Apache-2.0
"""The Cinder releases that this plugin was tried with, and the refusal of all others.

The plugin goes deeper into Cinder than its plugin interfaces do, so that another release may
look alike and lose data. This module imports nothing of Cinder: what it guards against may
already be an import that fails.
"""

from importlib import metadata

TRIED = (28, 29)
"""Major versions of the ``cinder`` package that were tested; docs/cinder.md says how."""


class UnsupportedRelease(RuntimeError):
    """The plugin was not tried with the installed Cinder."""


def check() -> None:
    """Make sure that the installed Cinder is one of those tried.

    :raises UnsupportedRelease: it is not; says which it is and which would do.
    """
    version = metadata.version("cinder")
    if int(version.split(".")[0]) not in TRIED:
        tried = ", ".join(map(str, TRIED))
        raise UnsupportedRelease(
            f"cg_extension was tried with Cinder {tried}, and Cinder {version} is installed."
            " Install a release of cg_extension that names this version of Cinder, or take"
            " cg_extension out of cinder.conf and api-paste.ini."
        )
