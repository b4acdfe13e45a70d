# SPDX-License-Identifier: Apache-2.0
"""Snapshots as JSON."""

from cg_extension.api import views as api_views
from cg_extension.contract import context as cg_context
from cg_extension.contract import records, statuses
from cg_extension.reference.wsgi import views

_SUMMARY: dict[str, api_views.Schema] = {
    "id": api_views.UUID,
    "name": api_views.OPTIONAL_TEXT,
    "description": api_views.OPTIONAL_TEXT,
    "status": api_views.one_of(statuses.SNAPSHOT.statuses),
    "size": {"type": "integer", "minimum": 1},
    "volume_id": api_views.UUID,
    "cgsnapshot_id": views.OPTIONAL_UUID,
    "created_at": api_views.TIMESTAMP,
    "updated_at": views.OPTIONAL_TIMESTAMP,
    "metadata": views.PAIRS,
}
SUMMARY = api_views.closed(_SUMMARY)
DETAIL = api_views.closed(
    {
        **_SUMMARY,
        "os-extended-snapshot-attributes:project_id": api_views.TEXT,
        "os-extended-snapshot-attributes:progress": {"enum": ["0%", "100%"]},
    },
    {"status_reason": api_views.TEXT},
)
DOCUMENT = api_views.closed({"snapshot": DETAIL})


def summary(snapshot: records.Snapshot, context: cg_context.RequestContext) -> views.Document:
    """A snapshot without the extended attributes: so Cinder shows it in lists without detail."""
    return {
        "id": snapshot.id,
        "name": snapshot.name,
        "description": snapshot.description,
        "status": snapshot.status,
        "size": snapshot.volume_size,
        "volume_id": snapshot.volume_id,
        "cgsnapshot_id": snapshot.cgsnapshot_id,
        "created_at": api_views.timestamp(snapshot.created_at),
        "updated_at": views.optional_timestamp(snapshot.updated_at),
        "metadata": dict(snapshot.metadata),
    }


def detail(snapshot: records.Snapshot, context: cg_context.RequestContext) -> views.Document:
    """All that a client may know; what went wrong is for admins."""
    done = snapshot.status == statuses.Status.AVAILABLE
    document = {
        **summary(snapshot, context),
        "os-extended-snapshot-attributes:project_id": snapshot.project_id,
        "os-extended-snapshot-attributes:progress": "100%" if done else "0%",
    }
    if snapshot.status_reason and context.is_admin:
        document["status_reason"] = snapshot.status_reason
    return document
