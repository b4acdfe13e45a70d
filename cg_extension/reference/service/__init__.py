# SPDX-License-Identifier: Apache-2.0
"""Seam 1 over a database of our own: checks, quotas and durable acceptance.

One module per subject; work on backends is a manager's, who finds it in the operations table.
"""

from cg_extension.contract import interface
from cg_extension.reference.service import (
    attachments,
    cgsnapshots,
    group_creation,
    groups,
    metadata,
    quotas,
    services,
    snapshots,
    volume_creation,
    volume_types,
    volumes,
)


class ReferenceService(
    groups.Groups,
    group_creation.GroupCreation,
    cgsnapshots.CGSnapshots,
    volumes.Volumes,
    volume_creation.VolumeCreation,
    attachments.Attachments,
    snapshots.Snapshots,
    metadata.Metadata,
    volume_types.VolumeTypes,
    quotas.Quotas,
    services.Services,
    interface.GroupService,
):
    """The group service, and what the reference host's own controllers need beside it."""
