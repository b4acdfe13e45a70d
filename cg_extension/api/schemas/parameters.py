# SPDX-License-Identifier: Apache-2.0
"""Schemas of values that several calls take; the formats are those of ``api.validation``."""

from collections.abc import Mapping, Sequence
from typing import Any

NAME = {"type": "string", "maxLength": 255, "format": "line"}
DESCRIPTION = {"type": "string", "maxLength": 255, "format": "text"}
AVAILABILITY_ZONE = {"type": "string", "maxLength": 255, "format": "line"}
UUID = {"type": "string", "format": "uuid"}
# A boolean, or a string for oslo's bool_from_string; which, is for validation.boolean to say.
BOOLEAN = {"type": ["boolean", "string"]}
# Names or ids, separated by commas; ``split`` takes them apart.
COMMA_SEPARATED = {"type": "string"}
# Who asks is known from the token, and the status is the service's: python-cinderclient sends
# these nevertheless.
IGNORED: dict[str, Any] = {"user_id": {}, "project_id": {}, "status": {}}


def enveloped(
    key: str, properties: Mapping[str, Any], required: Sequence[str] = ()
) -> dict[str, Any]:
    """Schema of ``{key: {…}}`` whose inner object has these properties and no others."""
    return {
        "type": "object",
        "properties": {
            key: {
                "type": "object",
                "properties": dict(properties),
                "required": list(required),
                "additionalProperties": False,
            }
        },
        "required": [key],
        "additionalProperties": False,
    }


def split(text: str | None) -> list[str]:
    """The parts of a comma-separated string, once each; blanks and stray commas don't count."""
    parts = (part.strip() for part in (text or "").split(","))
    return list(dict.fromkeys(part for part in parts if part))
