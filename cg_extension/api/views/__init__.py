# SPDX-License-Identifier: Apache-2.0
"""Records to JSON documents, one module per collection; each form beside its schema."""

import datetime
from collections.abc import Iterable, Mapping
from typing import Any

Schema = Mapping[str, Any]

TEXT: Schema = {"type": "string"}
OPTIONAL_TEXT: Schema = {"type": ["string", "null"]}
UUID: Schema = {"type": "string", "format": "uuid"}
# As ``timestamp`` writes it.
TIMESTAMP: Schema = {"type": "string", "format": "timestamp"}


def closed(required: Mapping[str, Schema], optional: Mapping[str, Schema] | None = None) -> Schema:
    """Schema of an object with these keys and no others."""
    return {
        "type": "object",
        "properties": {**required, **(optional or {})},
        "required": list(required),
        "additionalProperties": False,
    }


def one_of(texts: Iterable[str]) -> Schema:
    """Schema of any of these texts, which may be members of an enumeration."""
    return {"enum": sorted(map(str, texts))}


def listed(item: Schema) -> Schema:
    """Schema of a list."""
    return {"type": "array", "items": item}


def timestamp(time: datetime.datetime) -> str:
    """A naive UTC time as the API writes it: ISO 8601 with microseconds, without a zone."""
    return time.isoformat(timespec="microseconds")
