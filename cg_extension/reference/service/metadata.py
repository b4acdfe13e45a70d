# SPDX-License-Identifier: Apache-2.0
"""Metadata of volumes and of snapshots, which is the same for both: pairs of a key and a value."""

import dataclasses
from collections.abc import Mapping

import sqlalchemy as sa

from cg_extension.contract import exceptions
from cg_extension.reference.db import pairs, snapshots, volumes
from cg_extension.reference.service import base


@dataclasses.dataclass(frozen=True, slots=True)
class Kind:
    """A kind of resource that has metadata; ``name`` is for messages."""

    name: str
    table: sa.Table
    metadata: sa.Table
    not_found: type[exceptions.NotFound]


VOLUME = Kind("Volume", volumes.TABLE, volumes.METADATA, exceptions.VolumeNotFound)
SNAPSHOT = Kind("Snapshot", snapshots.TABLE, snapshots.METADATA, exceptions.SnapshotNotFound)


class Metadata(base.Part):
    """Metadata calls of the host's API."""

    def set_metadata(
        self,
        context: base.Context,
        kind: Kind,
        resource_id: str,
        metadata: Mapping[str, str],
        *,
        replace: bool,
    ) -> dict[str, str]:
        """Set pairs, with ``replace`` in the place of all others; gives what is there then.

        :raises NotFound: no such resource.
        """

        def work(transaction: base.Transaction) -> dict[str, str]:
            conn = transaction.conn
            base.get_locked(transaction, context, kind.table, resource_id, kind.not_found)
            if replace:
                pairs.replace(conn, kind.metadata, resource_id, metadata)
            else:
                pairs.update(conn, kind.metadata, resource_id, metadata)
            return pairs.get(conn, kind.metadata, [resource_id])[resource_id]

        return self.write(work)

    def delete_metadata(
        self, context: base.Context, kind: Kind, resource_id: str, key: str
    ) -> None:
        """:raises NotFound: no such resource, or it has no such key."""

        def work(transaction: base.Transaction) -> None:
            base.get_locked(transaction, context, kind.table, resource_id, kind.not_found)
            if not pairs.delete(transaction.conn, kind.metadata, resource_id, [key]):
                raise exceptions.NotFound(f"{kind.name} {resource_id} has no metadata {key}.")

        self.write(work)
