# SPDX-License-Identifier: Apache-2.0
"""The kinds of durable operations and what their arguments hold.

The value of a kind is also the event type of its notifications (``.start``, ``.end``,
``.error`` follow). What can be read from the rows is not repeated in the arguments.
"""

import enum


class OperationKind(enum.StrEnum):
    """What a manager can be asked to do."""

    GROUP_CREATE = "consistencygroup.create"
    # Source: the group's cgsnapshot_id or source_cgid; each volume's snapshot_id or source_volid.
    GROUP_CREATE_FROM_SRC = "consistencygroup.create_from_src"
    # {"add_volumes": [id, …], "remove_volumes": [id, …]}. Added volumes are members from the
    # moment of acceptance, removed ones until the end; a failure takes the added ones out again.
    GROUP_UPDATE = "consistencygroup.update"
    # Deletes the group and every volume that is still in it.
    GROUP_DELETE = "consistencygroup.delete"
    CGSNAPSHOT_CREATE = "cgsnapshot.create"
    CGSNAPSHOT_DELETE = "cgsnapshot.delete"
    VOLUME_CREATE = "volume.create"
    VOLUME_DELETE = "volume.delete"
    SNAPSHOT_CREATE = "snapshot.create"
    SNAPSHOT_DELETE = "snapshot.delete"
