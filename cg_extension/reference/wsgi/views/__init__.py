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
