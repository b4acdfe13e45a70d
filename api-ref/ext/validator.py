# SPDX-License-Identifier: Apache-2.0
"""A Sphinx extension: a warning for each difference between the API reference and the code.

With ``sphinx-build -W`` the build fails then.
"""

import pathlib
from typing import Any

from sphinx.application import Sphinx
from sphinx.util import logging

from cg_extension.tests.api_reference import comparison, reference

LOG = logging.getLogger(__name__)


def validate(app: Sphinx) -> None:
    """Compare before anything is built."""
    known = reference.Reference(pathlib.Path(app.srcdir))
    for each in comparison.differences(known):
        place = f"{pathlib.Path(app.srcdir, each.document)}:{each.line or ''}"
        LOG.warning("%s", each.message, location=place)


def setup(app: Sphinx) -> dict[str, Any]:
    """What Sphinx calls."""
    app.connect("builder-inited", validate)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
