# SPDX-License-Identifier: Apache-2.0
"""The host's own records as JSON documents in Cinder's form, one module per resource."""

import datetime
from typing import Any

from cg_extension.api import views


def optional_timestamp(time: datetime.datetime | None) -> str | None:
    """A time as the API writes it; null for none."""
    return views.timestamp(time) if time is not None else None


def links(url: str) -> list[dict[str, str]]:
    """The links that a resource carries."""
    return [{"rel": "self", "href": url}, {"rel": "bookmark", "href": url}]


Document = dict[str, Any]

OPTIONAL_TIMESTAMP: views.Schema = {"type": ["string", "null"], "format": "timestamp"}
OPTIONAL_UUID: views.Schema = {"type": ["string", "null"], "format": "uuid"}
# Metadata, extra specs.
PAIRS: views.Schema = {"type": "object", "additionalProperties": views.TEXT}
ONE_PAIR: views.Schema = {**PAIRS, "minProperties": 1, "maxProperties": 1}
LINKS = views.listed(views.closed({"rel": {"enum": ["self", "bookmark"]}, "href": views.TEXT}))
