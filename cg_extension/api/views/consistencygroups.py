# SPDX-License-Identifier: Apache-2.0
"""Consistency groups as JSON."""

from typing import Any

from cg_extension.api import views
from cg_extension.contract import context as cg_context
from cg_extension.contract import records, statuses

SUMMARY = views.closed({"id": views.UUID, "name": views.OPTIONAL_TEXT})
DETAIL = views.closed(
    {
        "id": views.UUID,
        "status": views.one_of(statuses.GROUP.statuses),
        "availability_zone": views.TEXT,
        "created_at": views.TIMESTAMP,
        "name": views.OPTIONAL_TEXT,
        "description": views.OPTIONAL_TEXT,
        "volume_types": views.listed(views.UUID),
    },
    {"status_reason": views.TEXT},
)
DOCUMENT = views.closed({"consistencygroup": DETAIL})


def summary(group: records.Name, context: cg_context.RequestContext) -> dict[str, Any]:
    """A group in a list without detail."""
    return {"id": group.id, "name": group.name}


def detail(
    group: records.Group | records.ListedGroup, context: cg_context.RequestContext
) -> dict[str, Any]:
    """All that a client may know; what went wrong is for administrators."""
    document = {
        "id": group.id,
        "status": group.status,
        "availability_zone": group.availability_zone,
        "created_at": views.timestamp(group.created_at),
        "name": group.name,
        "description": group.description,
        "volume_types": list(group.volume_types),
    }
    if group.status_reason and context.is_admin:
        document["status_reason"] = group.status_reason
    return document
