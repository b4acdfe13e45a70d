# SPDX-License-Identifier: Apache-2.0
"""Volumes as JSON."""

from collections.abc import Mapping

from cg_extension.api import views as api_views
from cg_extension.contract import context as cg_context
from cg_extension.contract import records, statuses
from cg_extension.reference.wsgi import views

SUMMARY = api_views.closed(
    {"id": api_views.UUID, "name": api_views.OPTIONAL_TEXT, "links": views.LINKS}
)
_ATTACHMENT = api_views.closed(
    {
        "id": api_views.UUID,
        "attachment_id": api_views.UUID,
        "volume_id": api_views.UUID,
        "server_id": views.OPTIONAL_UUID,
        "host_name": api_views.OPTIONAL_TEXT,
        "device": api_views.OPTIONAL_TEXT,
        "attached_at": api_views.TIMESTAMP,
    }
)
DETAIL = api_views.closed(
    {
        "id": api_views.UUID,
        "name": api_views.OPTIONAL_TEXT,
        "description": api_views.OPTIONAL_TEXT,
        "status": api_views.one_of(statuses.VOLUME.statuses),
        "size": {"type": "integer", "minimum": 1},
        "user_id": api_views.OPTIONAL_TEXT,
        "availability_zone": api_views.TEXT,
        "created_at": api_views.TIMESTAMP,
        "updated_at": views.OPTIONAL_TIMESTAMP,
        "volume_type": api_views.OPTIONAL_TEXT,
        "consistencygroup_id": views.OPTIONAL_UUID,
        "snapshot_id": views.OPTIONAL_UUID,
        "source_volid": views.OPTIONAL_UUID,
        "metadata": views.PAIRS,
        "attachments": api_views.listed(_ATTACHMENT),
        "links": views.LINKS,
        "os-vol-tenant-attr:tenant_id": api_views.TEXT,
        "bootable": {"enum": ["false"]},
        "encrypted": {"enum": [False]},
        "multiattach": {"enum": [False]},
        "replication_status": {"type": "null"},
    },
    {"os-vol-host-attr:host": api_views.TEXT, "status_reason": api_views.TEXT},
)
DOCUMENT = api_views.closed({"volume": DETAIL})
# What ``data`` holds depends on the driver.
CONNECTION = api_views.closed(
    {
        "connection_info": api_views.closed(
            {"driver_volume_type": api_views.TEXT, "data": {"type": "object"}}
        )
    }
)


def summary(volume: records.Volume, url: str) -> views.Document:
    """A volume in a list without detail."""
    return {"id": volume.id, "name": volume.name, "links": views.links(url)}


def detail(
    volume: records.Volume,
    url: str,
    context: cg_context.RequestContext,
    type_names: Mapping[str, str],
) -> views.Document:
    """All that a client may know; where the volume is, and what went wrong, is for admins."""
    document: views.Document = {
        "id": volume.id,
        "name": volume.name,
        "description": volume.description,
        "status": volume.status,
        "size": volume.size,
        "user_id": volume.user_id,
        "availability_zone": volume.availability_zone,
        "created_at": api_views.timestamp(volume.created_at),
        "updated_at": views.optional_timestamp(volume.updated_at),
        "volume_type": type_names.get(volume.volume_type_id) if volume.volume_type_id else None,
        "consistencygroup_id": volume.consistencygroup_id,
        "snapshot_id": volume.snapshot_id,
        "source_volid": volume.source_volid,
        "metadata": dict(volume.metadata),
        "attachments": [_attachment(item) for item in volume.attachments],
        "links": views.links(url),
        "os-vol-tenant-attr:tenant_id": volume.project_id,
        "bootable": "false",
        "encrypted": False,
        "multiattach": False,
        "replication_status": None,
    }
    if context.is_admin:
        document["os-vol-host-attr:host"] = volume.host
        if volume.status_reason:
            document["status_reason"] = volume.status_reason
    return document


def _attachment(attachment: records.Attachment) -> views.Document:
    return {
        "id": attachment.volume_id,
        "attachment_id": attachment.id,
        "volume_id": attachment.volume_id,
        "server_id": attachment.instance_uuid,
        "host_name": attachment.attached_host,
        "device": attachment.mountpoint,
        "attached_at": api_views.timestamp(attachment.attached_at),
    }
