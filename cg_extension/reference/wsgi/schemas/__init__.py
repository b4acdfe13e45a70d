# SPDX-License-Identifier: Apache-2.0
"""JSON schemas of the bodies that the host's own calls take, one module per resource.

As in ``api.schemas``, a key whose value is null is gone before a schema is applied.
"""

from typing import Any

# Integers as every database holds them.
MAX_INTEGER = 2**31 - 1

# Names and values of metadata and of extra specs.
PAIRS: dict[str, Any] = {
    "type": "object",
    "propertyNames": {"minLength": 1, "maxLength": 255, "format": "line"},
    "additionalProperties": {"type": "string", "maxLength": 255, "format": "text"},
}


def envelope(key: str, schema: dict[str, Any]) -> dict[str, Any]:
    """Schema of ``{key: …}`` and nothing else."""
    return {
        "type": "object",
        "properties": {key: schema},
        "required": [key],
        "additionalProperties": False,
    }


def actions(schemas: dict[str, dict[str, Any]]) -> dict[str, Any]:
    """Schema of ``{action: arguments}`` for one of several actions."""
    return {
        "type": "object",
        "properties": schemas,
        "maxProperties": 1,
        "additionalProperties": False,
    }


def arguments(properties: dict[str, Any], required: tuple[str, ...] = ()) -> dict[str, Any]:
    """Schema of an action's arguments."""
    return {
        "type": "object",
        "properties": properties,
        "required": list(required),
        "additionalProperties": False,
    }


METADATA = envelope("metadata", PAIRS)
NO_ARGUMENTS = arguments({})
