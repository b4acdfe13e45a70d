# SPDX-License-Identifier: Apache-2.0
"""The tables of the reference service and the indexes that its queries need.

Deletes are hard; operations of work under way are rows of their own. Every list order of the API
has an index that starts with the project and ends with the id, which makes the order total. Of an
administrator's lists over all projects those by time and by name have one, and the one of a status.
The migrations create the tables, with MariaDB's engine and collation.
"""

from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import mysql, postgresql

metadata = sa.MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "fk": "fk_%(table_name)s_%(column_0_name)s",
        "pk": "pk_%(table_name)s",
    }
)

# Microseconds on MySQL and MariaDB, too, where DATETIME alone keeps whole seconds.
Timestamp = sa.DateTime().with_variant(mysql.DATETIME(fsp=6), "mysql", "mariadb")
# 16 MiB on MySQL and MariaDB, where TEXT ends at 64 KiB: ids of thousands of volumes.
LongText = sa.Text().with_variant(mysql.MEDIUMTEXT(), "mysql", "mariadb")


def _string(length: int) -> sa.types.TypeEngine[str]:
    """Text that every database compares and sorts by code point, blanks at the end included.

    SQLite does so by itself; for MariaDB the migrations choose the tables' collation.
    """
    return sa.String(length).with_variant(postgresql.VARCHAR(length, collation="C"), "postgresql")


Uuid = _string(36)
Text255 = _string(255)
Host = Text255


def _table(name: str, *items: sa.schema.SchemaItem) -> sa.Table:
    return sa.Table(name, metadata, *items)


def _resource_columns() -> list[sa.Column[Any]]:
    """Columns of ``contract.records.Resource``."""
    return [
        sa.Column("id", Uuid, primary_key=True),
        sa.Column("project_id", Text255, nullable=False),
        sa.Column("user_id", Text255),
        sa.Column("name", Text255),
        sa.Column("description", Text255),
        sa.Column("status", _string(32), nullable=False),
        sa.Column("status_reason", sa.Text()),
        sa.Column("created_at", Timestamp, nullable=False),
        sa.Column("updated_at", Timestamp),
        # What lists sort by instead of the name: without NULL, which databases place differently
        # and which no index range can step over.
        sa.Column("name_key", Text255, sa.Computed("coalesce(name, '')", persisted=True)),
    ]


def _list_indexes(table: str, *keys: str, filters: tuple[str, ...] = ("status",)) -> list[sa.Index]:
    """Indexes for one project's lists, and for an administrator's over all of them.

    :param keys: what one project's list is sorted by, besides the id.
    :param filters: columns by which one project's list in the default order is filtered.
    """
    indexes = [
        sa.Index(f"ix_{table}_project", "project_id", "id"),
        sa.Index(f"ix_{table}_created_at", "created_at", "id"),
        sa.Index(f"ix_{table}_name_key", "name_key", "id"),
        sa.Index(f"ix_{table}_status_created_at", "status", "created_at", "id"),
    ]
    for key in keys:
        indexes.append(sa.Index(f"ix_{table}_project_{key}", "project_id", key, "id"))
    for key in filters:
        name = f"ix_{table}_project_{key}_created_at"
        indexes.append(sa.Index(name, "project_id", key, "created_at", "id"))
    return indexes


consistencygroups = _table(
    "consistencygroups",
    *_resource_columns(),
    sa.Column("host", Host),
    sa.Column("availability_zone", Text255, nullable=False),
    sa.Column("cgsnapshot_id", Uuid, index=True),
    sa.Column("source_cgid", Uuid, index=True),
    *_list_indexes(
        "consistencygroups",
        "created_at",
        "name_key",
        "status",
        "availability_zone",
        filters=("status", "availability_zone"),
    ),
)

consistencygroup_volume_types = _table(
    "consistencygroup_volume_types",
    sa.Column(
        "consistencygroup_id",
        Uuid,
        sa.ForeignKey("consistencygroups.id", ondelete="CASCADE"),
        primary_key=True,
    ),
    sa.Column(
        "volume_type_id", Uuid, sa.ForeignKey("volume_types.id"), primary_key=True, index=True
    ),
)

cgsnapshots = _table(
    "cgsnapshots",
    *_resource_columns(),
    sa.Column("consistencygroup_id", Uuid, sa.ForeignKey("consistencygroups.id"), nullable=False),
    sa.Index("ix_cgsnapshots_group_created_at", "consistencygroup_id", "created_at", "id"),
    *_list_indexes("cgsnapshots", "created_at", "name_key", "status"),
)

# What ``contract.records.Receipt`` has. Where the driver tells none, or an earlier release took the
# group snapshot, there is no row.
cgsnapshot_receipts = _table(
    "cgsnapshot_receipts",
    sa.Column(
        "cgsnapshot_id", Uuid, sa.ForeignKey("cgsnapshots.id", ondelete="CASCADE"), primary_key=True
    ),
    sa.Column("instant", Timestamp, nullable=False),
    sa.Column("held_seconds", sa.Double(), nullable=False),
    sa.Column("consistency", Text255, nullable=False),
)

volume_types = _table(
    "volume_types",
    sa.Column("id", Uuid, primary_key=True),
    sa.Column("name", Text255, nullable=False, unique=True),
    sa.Column("description", Text255),
    sa.Column("is_public", sa.Boolean(), nullable=False, default=True),
    sa.Column("created_at", Timestamp, nullable=False),
    sa.Column("updated_at", Timestamp),
)

volume_type_extra_specs = _table(
    "volume_type_extra_specs",
    sa.Column(
        "volume_type_id",
        Uuid,
        sa.ForeignKey("volume_types.id", ondelete="CASCADE"),
        primary_key=True,
    ),
    sa.Column("key", Text255, primary_key=True),
    sa.Column("value", Text255, nullable=False),
)

volumes = _table(
    "volumes",
    *_resource_columns(),
    sa.Column("size", sa.Integer(), nullable=False),
    sa.Column("host", Host),
    sa.Column("availability_zone", Text255, nullable=False),
    sa.Column("volume_type_id", Uuid, sa.ForeignKey("volume_types.id"), index=True),
    sa.Column("consistencygroup_id", Uuid, sa.ForeignKey("consistencygroups.id"), index=True),
    # Where the content came from: kept as a fact after the source is gone, so no foreign key.
    sa.Column("snapshot_id", Uuid, index=True),
    sa.Column("source_volid", Uuid, index=True),
    sa.Column("provider_location", Text255),
    *_list_indexes("volumes", "created_at", "name_key", "status"),
)

volume_metadata = _table(
    "volume_metadata",
    sa.Column("volume_id", Uuid, sa.ForeignKey("volumes.id", ondelete="CASCADE"), primary_key=True),
    sa.Column("key", Text255, primary_key=True),
    sa.Column("value", Text255, nullable=False),
)

volume_attachments = _table(
    "volume_attachments",
    sa.Column("id", Uuid, primary_key=True),
    sa.Column(
        "volume_id",
        Uuid,
        sa.ForeignKey("volumes.id", ondelete="CASCADE"),
        nullable=False,
        index=True,
    ),
    sa.Column("instance_uuid", Uuid),
    sa.Column("attached_host", Host),
    sa.Column("mountpoint", Text255),
    sa.Column("mode", _string(2), nullable=False),
    sa.Column("attached_at", Timestamp, nullable=False),
)

snapshots = _table(
    "snapshots",
    *_resource_columns(),
    sa.Column("volume_id", Uuid, sa.ForeignKey("volumes.id"), nullable=False, index=True),
    sa.Column("volume_size", sa.Integer(), nullable=False),
    sa.Column("cgsnapshot_id", Uuid, sa.ForeignKey("cgsnapshots.id"), index=True),
    sa.Column("provider_location", Text255),
    *_list_indexes("snapshots", "created_at", "name_key", "status"),
)

snapshot_metadata = _table(
    "snapshot_metadata",
    sa.Column(
        "snapshot_id",
        Uuid,
        sa.ForeignKey("snapshots.id", ondelete="CASCADE"),
        primary_key=True,
    ),
    sa.Column("key", Text255, primary_key=True),
    sa.Column("value", Text255, nullable=False),
)

# One row a project, written first by every transaction that accepts work for it (db.quotas): what
# it has, in rows and in GiB, and its own limits: NULL is the configured default, -1 unlimited.
project_quotas = _table(
    "project_quotas",
    sa.Column("project_id", Text255, primary_key=True),
    sa.Column("groups", sa.BigInteger(), nullable=False, default=0),
    sa.Column("volumes", sa.BigInteger(), nullable=False, default=0),
    sa.Column("volume_gigabytes", sa.BigInteger(), nullable=False, default=0),
    sa.Column("snapshots", sa.BigInteger(), nullable=False, default=0),
    sa.Column("snapshot_gigabytes", sa.BigInteger(), nullable=False, default=0),
    sa.Column("groups_limit", sa.Integer()),
    sa.Column("volumes_limit", sa.Integer()),
    sa.Column("snapshots_limit", sa.Integer()),
    sa.Column("gigabytes_limit", sa.Integer()),
    sa.Column("serial", sa.BigInteger(), nullable=False, default=0),
)

# One row for each manager's backend; ``host`` is ``host@backend``. ``stats`` is the JSON of
# ``drivers.base.VolumeStats`` at the last heartbeat.
services = _table(
    "services",
    sa.Column("id", sa.Integer(), primary_key=True),
    sa.Column("host", Host, nullable=False),
    sa.Column("binary", _string(64), nullable=False),
    sa.Column("availability_zone", Text255, nullable=False),
    sa.Column("disabled", sa.Boolean(), nullable=False, default=False),
    sa.Column("disabled_reason", Text255),
    sa.Column("frozen", sa.Boolean(), nullable=False, default=False),
    sa.Column("state_ok", sa.Boolean(), nullable=False, default=False),
    sa.Column("stats", sa.Text()),
    sa.Column("heartbeat_at", Timestamp),
    sa.Column("created_at", Timestamp, nullable=False),
    sa.UniqueConstraint("host", "binary"),
)

# Work that was accepted and has not ended. ``resource_id`` is unique: never two operations on one
# resource. ``lease_expires_at`` and ``run_after`` are by the database's clock. ``arguments`` and
# ``context`` are JSON.
operations = _table(
    "operations",
    sa.Column("id", Uuid, primary_key=True),
    sa.Column("kind", _string(64), nullable=False),
    sa.Column("resource_id", Uuid, nullable=False, unique=True),
    sa.Column("project_id", Text255, nullable=False),
    sa.Column("host", Host, nullable=False),
    sa.Column("arguments", LongText, nullable=False),
    sa.Column("context", sa.Text(), nullable=False),
    sa.Column("attempts", sa.Integer(), nullable=False, default=0),
    sa.Column("owner", Text255),
    sa.Column("lease_expires_at", Timestamp),
    sa.Column("run_after", Timestamp, nullable=False),
    sa.Column("created_at", Timestamp, nullable=False),
    sa.Index("ix_operations_host_run_after", "host", "run_after"),
)
