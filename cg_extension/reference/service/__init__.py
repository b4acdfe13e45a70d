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
    """The group service, and what the reference host's own controllers need beside it.

    ===================  ======================================================================
    part                 calls
    ===================  ======================================================================
    ``groups``           list_groups, list_group_names, get_group, create_group, update_group,
                         delete_group, reset_group_status
    ``group_creation``   create_group_from_src
    ``cgsnapshots``      list_cgsnapshots, list_cgsnapshot_names, get_cgsnapshot, get_receipts,
                         create_cgsnapshot, delete_cgsnapshot, reset_cgsnapshot_status
    ``volumes``          list_volumes, get_volume, update_volume, delete_volume,
                         reset_volume_status
    ``volume_creation``  create_volume
    ``attachments``      attach_volume, detach_volume, initialize_connection,
                         terminate_connection
    ``snapshots``        list_snapshots, get_snapshot, create_snapshot, update_snapshot,
                         delete_snapshot, reset_snapshot_status
    ``metadata``         set_metadata, delete_metadata
    ``volume_types``     list_types, get_type, get_type_by_name, type_names, get_default_type,
                         create_type, update_type, delete_type, set_type_extra_specs,
                         delete_type_extra_spec
    ``quotas``           default_quotas, get_quotas, get_quota_usage, update_quotas,
                         delete_quotas
    ``services``         list_services, update_service, list_availability_zones, check_health
    ===================  ======================================================================
    """
