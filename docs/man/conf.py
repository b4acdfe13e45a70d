# SPDX-License-Identifier: Apache-2.0
"""Sphinx makes the manual pages: ``sphinx-build -b man docs/man DIRECTORY``."""

import pathlib
import sys

HERE = pathlib.Path(__file__).parent
sys.path.insert(0, str(HERE))

project = "cg_extension"
extensions = ["sphinxarg.ext"]
root_doc = "index"


def _page(path: pathlib.Path) -> tuple[str, str, str, list[str], int]:
    """A page, whose first line is ``NAME: what it is``."""
    name, _, description = path.read_text().splitlines()[0].partition(": ")
    return (path.stem, name, description, [], 8)


man_pages = [_page(path) for path in sorted(HERE.glob("cg-*.rst"))]
