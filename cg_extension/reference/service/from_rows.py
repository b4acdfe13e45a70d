# SPDX-License-Identifier: Apache-2.0
"""Records of rows, with what other tables hold of them; for the reference service and the manager.

The number of queries does not depend on the number of rows.
"""

from collections.abc import Collection

import sqlalchemy as sa

from cg_extension.contract import records
from cg_extension.reference.db import pairs, rows, snapshots, volumes


def volume_records(conn: sa.Connection, found: Collection[rows.Row]) -> tuple[records.Volume, ...]:
    """Records with metadata and attachments. Two queries."""
    ids = [row.id for row in found]
    metadata = pairs.get(conn, volumes.METADATA, ids)
    attachments = volumes.attachments(conn, ids)
    return tuple(
        records.Volume(
            **values,
            metadata=metadata[values["id"]],
            attachments=tuple(
                records.Attachment(**attachment._mapping)
                for attachment in attachments[values["id"]]
            ),
        )
        for values in rows.dicts(found)
    )


def snapshot_records(
    conn: sa.Connection, found: Collection[rows.Row]
) -> tuple[records.Snapshot, ...]:
    """Records with metadata. One query."""
    metadata = pairs.get(conn, snapshots.METADATA, [row.id for row in found])
    return tuple(
        records.Snapshot(**values, metadata=metadata[values["id"]]) for values in rows.dicts(found)
    )
