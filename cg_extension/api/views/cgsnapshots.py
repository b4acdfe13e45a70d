# SPDX-License-Identifier: Apache-2.0
"""Group snapshots as JSON."""

from typing import Any

from cg_extension.api import views
from cg_extension.contract import context as cg_context
from cg_extension.contract import records, statuses

SUMMARY = views.closed({"id": views.UUID, "name": views.OPTIONAL_TEXT})
DETAIL = views.closed(
    {
        "id": views.UUID,
        "consistencygroup_id": views.UUID,
        "status": views.one_of(statuses.CGSNAPSHOT.statuses),
        "created_at": views.TIMESTAMP,
        "name": views.OPTIONAL_TEXT,
        "description": views.OPTIONAL_TEXT,
    },
    {"status_reason": views.TEXT},
)
DOCUMENT = views.closed({"cgsnapshot": DETAIL})


def summary(cgsnapshot: records.Name, context: cg_context.RequestContext) -> dict[str, Any]:
    """A group snapshot in a list without detail."""
    return {"id": cgsnapshot.id, "name": cgsnapshot.name}


def detail(cgsnapshot: records.CGSnapshot, context: cg_context.RequestContext) -> dict[str, Any]:
    """All that a client may know; what went wrong is for administrators."""
    document = {
        "id": cgsnapshot.id,
        "consistencygroup_id": cgsnapshot.consistencygroup_id,
        "status": cgsnapshot.status,
        "created_at": views.timestamp(cgsnapshot.created_at),
        "name": cgsnapshot.name,
        "description": cgsnapshot.description,
    }
    if cgsnapshot.status_reason and context.is_admin:
        document["status_reason"] = cgsnapshot.status_reason
    return document
