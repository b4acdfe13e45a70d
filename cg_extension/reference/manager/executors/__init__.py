# SPDX-License-Identifier: Apache-2.0
"""What each kind of operation does: one table from kinds to executors."""

from collections.abc import Mapping

from cg_extension.contract.operations import OperationKind
from cg_extension.reference.manager.executors import base, cgsnapshots, groups, snapshots, volumes

EXECUTORS: Mapping[str, type[base.Executor]] = {
    OperationKind.GROUP_CREATE: groups.Create,
    OperationKind.GROUP_CREATE_FROM_SRC: groups.CreateFromSource,
    OperationKind.GROUP_UPDATE: groups.Update,
    OperationKind.GROUP_DELETE: groups.Delete,
    OperationKind.CGSNAPSHOT_CREATE: cgsnapshots.Create,
    OperationKind.CGSNAPSHOT_DELETE: cgsnapshots.Delete,
    OperationKind.VOLUME_CREATE: volumes.Create,
    OperationKind.VOLUME_DELETE: volumes.Delete,
    OperationKind.SNAPSHOT_CREATE: snapshots.Create,
    OperationKind.SNAPSHOT_DELETE: snapshots.Delete,
}
