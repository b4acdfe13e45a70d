# SPDX-License-Identifier: Apache-2.0
"""Schemas of values that several calls take; the formats are those of ``api.validation``."""

from collections.abc import Collection, Mapping, Sequence
from typing import Any

# Blanks at both ends are removed before the rest is checked (``validation.Body``).
NAME = {"type": "string", "maxLength": 255, "format": "line", "strip": True}
DESCRIPTION = {"type": "string", "maxLength": 255, "format": "text"}
AVAILABILITY_ZONE = {"type": "string", "maxLength": 255, "format": "line", "strip": True}
UUID = {"type": "string", "format": "uuid"}
# A boolean or a string; ``validation.boolean`` decides which strings.
BOOLEAN = {"type": ["boolean", "string"]}
# Names or ids, separated by commas; ``split`` takes them apart.
COMMA_SEPARATED = {"type": "string"}
# python-cinderclient sends these, but the token says whose request it is, and the service sets
# the status.
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


def reset_status(statuses: Collection[str]) -> dict[str, Any]:
    """Schema of the only action, under the name that Cinder has for it on groups or on volumes.

    :param statuses: the statuses that may be set.
    """
    action = {
        "type": "object",
        "properties": {"status": {"enum": sorted(statuses)}},
        "required": ["status"],
        "additionalProperties": False,
    }
    return {
        "type": "object",
        "properties": dict.fromkeys(("reset_status", "os-reset_status"), action),
        "minProperties": 1,
        "maxProperties": 1,
        "additionalProperties": False,
    }


def split(text: str | None) -> list[str]:
    """The parts of a comma-separated string, once each; blanks and stray commas don't count."""
    parts = (part.strip() for part in (text or "").split(","))
    return list(dict.fromkeys(part for part in parts if part))
