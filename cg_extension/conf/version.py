# SPDX-License-Identifier: Apache-2.0
"""Which release this is, for ``--version`` and the log."""

import importlib.metadata


def of(prog: str) -> str:
    """A command's name and the version of what is installed, as pip shows it."""
    try:
        return f"{prog} {importlib.metadata.version('cg_extension')}"
    except importlib.metadata.PackageNotFoundError:
        return f"{prog}, run from its source, which is not installed"
