# SPDX-License-Identifier: Apache-2.0
"""Bodies of the requests about managers' backends."""

from typing import Any

from cg_extension.reference.wsgi import schemas

_NAME = {"type": "string", "minLength": 1, "maxLength": 255, "format": "line"}
_REASON = {"type": "string", "minLength": 1, "maxLength": 255, "format": "text"}

# ``service`` is the older name of ``binary``.
_SERVICE: dict[str, Any] = {"host": _NAME, "binary": _NAME, "service": _NAME}

ONE = schemas.arguments(_SERVICE, ("host",))
ONE_WITH_REASON = schemas.arguments(
    {**_SERVICE, "disabled_reason": _REASON}, ("host", "disabled_reason")
)
HOST = schemas.arguments({"host": _NAME}, ("host",))
