# SPDX-License-Identifier: Apache-2.0
"""The first schema."""

import sqlalchemy as sa
from sqlalchemy.dialects import mysql

from cg_extension.reference.db.migrations.schema import create_index, create_table, string

revision = "0001"
down_revision = None

TIMESTAMP = sa.DateTime().with_variant(mysql.DATETIME(fsp=6), "mysql", "mariadb")
LONG_TEXT = sa.Text().with_variant(mysql.MEDIUMTEXT(), "mysql", "mariadb")


def upgrade() -> None:
    create_table(
        "consistencygroups",
        sa.Column("id", string(36), nullable=False),
        sa.Column("project_id", string(255), nullable=False),
        sa.Column("user_id", string(255)),
        sa.Column("name", string(255)),
        sa.Column("description", string(255)),
        sa.Column("status", string(32), nullable=False),
        sa.Column("status_reason", sa.Text()),
        sa.Column("created_at", TIMESTAMP, nullable=False),
        sa.Column("updated_at", TIMESTAMP),
        sa.Column("name_key", string(255), sa.Computed("coalesce(name, '')", persisted=True)),
        sa.Column("host", string(255)),
        sa.Column("availability_zone", string(255), nullable=False),
        sa.Column("cgsnapshot_id", string(36)),
        sa.Column("source_cgid", string(36)),
        sa.PrimaryKeyConstraint("id", name="pk_consistencygroups"),
    )
    create_index(
        "ix_consistencygroups_availability_zone", "consistencygroups", ["availability_zone", "id"]
    )
    create_index("ix_consistencygroups_cgsnapshot_id", "consistencygroups", ["cgsnapshot_id"])
    create_index("ix_consistencygroups_created_at", "consistencygroups", ["created_at", "id"])
    create_index("ix_consistencygroups_name_key", "consistencygroups", ["name_key", "id"])
    create_index("ix_consistencygroups_project", "consistencygroups", ["project_id", "id"])
    create_index(
        "ix_consistencygroups_project_availability_zone",
        "consistencygroups",
        ["project_id", "availability_zone", "id"],
    )
    create_index(
        "ix_consistencygroups_project_created_at",
        "consistencygroups",
        ["project_id", "created_at", "id"],
    )
    create_index(
        "ix_consistencygroups_project_name_key",
        "consistencygroups",
        ["project_id", "name_key", "id"],
    )
    create_index(
        "ix_consistencygroups_project_status", "consistencygroups", ["project_id", "status", "id"]
    )
    create_index("ix_consistencygroups_source_cgid", "consistencygroups", ["source_cgid"])
    create_index("ix_consistencygroups_status", "consistencygroups", ["status", "id"])
    create_table(
        "operations",
        sa.Column("id", string(36), nullable=False),
        sa.Column("kind", string(64), nullable=False),
        sa.Column("resource_id", string(36), nullable=False),
        sa.Column("project_id", string(255), nullable=False),
        sa.Column("host", string(255), nullable=False),
        sa.Column("arguments", LONG_TEXT, nullable=False),
        sa.Column("context", sa.Text(), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("owner", string(255)),
        sa.Column("lease_expires_at", TIMESTAMP),
        sa.Column("run_after", TIMESTAMP, nullable=False),
        sa.Column("created_at", TIMESTAMP, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_operations"),
        sa.UniqueConstraint("resource_id", name="uq_operations_resource_id"),
    )
    create_index("ix_operations_host_run_after", "operations", ["host", "run_after"])
    create_table(
        "quota_locks",
        sa.Column("project_id", string(255), nullable=False),
        sa.PrimaryKeyConstraint("project_id", name="pk_quota_locks"),
    )
    create_table(
        "quotas",
        sa.Column("project_id", string(255), nullable=False),
        sa.Column("resource", string(64), nullable=False),
        sa.Column("hard_limit", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("project_id", "resource", name="pk_quotas"),
    )
    create_table(
        "services",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("host", string(255), nullable=False),
        sa.Column("binary", string(64), nullable=False),
        sa.Column("availability_zone", string(255), nullable=False),
        sa.Column("disabled", sa.Boolean(), nullable=False),
        sa.Column("disabled_reason", string(255)),
        sa.Column("frozen", sa.Boolean(), nullable=False),
        sa.Column("state_ok", sa.Boolean(), nullable=False),
        sa.Column("stats", sa.Text()),
        sa.Column("heartbeat_at", TIMESTAMP),
        sa.Column("created_at", TIMESTAMP, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_services"),
        sa.UniqueConstraint("host", "binary", name="uq_services_host_binary"),
    )
    create_table(
        "volume_types",
        sa.Column("id", string(36), nullable=False),
        sa.Column("name", string(255), nullable=False),
        sa.Column("description", string(255)),
        sa.Column("is_public", sa.Boolean(), nullable=False),
        sa.Column("created_at", TIMESTAMP, nullable=False),
        sa.Column("updated_at", TIMESTAMP),
        sa.PrimaryKeyConstraint("id", name="pk_volume_types"),
        sa.UniqueConstraint("name", name="uq_volume_types_name"),
    )
    create_table(
        "cgsnapshots",
        sa.Column("id", string(36), nullable=False),
        sa.Column("project_id", string(255), nullable=False),
        sa.Column("user_id", string(255)),
        sa.Column("name", string(255)),
        sa.Column("description", string(255)),
        sa.Column("status", string(32), nullable=False),
        sa.Column("status_reason", sa.Text()),
        sa.Column("created_at", TIMESTAMP, nullable=False),
        sa.Column("updated_at", TIMESTAMP),
        sa.Column("name_key", string(255), sa.Computed("coalesce(name, '')", persisted=True)),
        sa.Column("consistencygroup_id", string(36), nullable=False),
        sa.ForeignKeyConstraint(
            ["consistencygroup_id"],
            ["consistencygroups.id"],
            name="fk_cgsnapshots_consistencygroup_id",
        ),
        sa.PrimaryKeyConstraint("id", name="pk_cgsnapshots"),
    )
    create_index("ix_cgsnapshots_created_at", "cgsnapshots", ["created_at", "id"])
    create_index(
        "ix_cgsnapshots_group_created_at",
        "cgsnapshots",
        ["consistencygroup_id", "created_at", "id"],
    )
    create_index("ix_cgsnapshots_name_key", "cgsnapshots", ["name_key", "id"])
    create_index("ix_cgsnapshots_project", "cgsnapshots", ["project_id", "id"])
    create_index(
        "ix_cgsnapshots_project_created_at", "cgsnapshots", ["project_id", "created_at", "id"]
    )
    create_index("ix_cgsnapshots_project_name_key", "cgsnapshots", ["project_id", "name_key", "id"])
    create_index("ix_cgsnapshots_project_status", "cgsnapshots", ["project_id", "status", "id"])
    create_index("ix_cgsnapshots_status", "cgsnapshots", ["status", "id"])
    create_table(
        "consistencygroup_volume_types",
        sa.Column("consistencygroup_id", string(36), nullable=False),
        sa.Column("volume_type_id", string(36), nullable=False),
        sa.ForeignKeyConstraint(
            ["consistencygroup_id"],
            ["consistencygroups.id"],
            name="fk_consistencygroup_volume_types_consistencygroup_id",
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["volume_type_id"],
            ["volume_types.id"],
            name="fk_consistencygroup_volume_types_volume_type_id",
        ),
        sa.PrimaryKeyConstraint(
            "consistencygroup_id", "volume_type_id", name="pk_consistencygroup_volume_types"
        ),
    )
    create_index(
        "ix_consistencygroup_volume_types_volume_type_id",
        "consistencygroup_volume_types",
        ["volume_type_id"],
    )
    create_table(
        "volume_type_extra_specs",
        sa.Column("volume_type_id", string(36), nullable=False),
        sa.Column("key", string(255), nullable=False),
        sa.Column("value", string(255), nullable=False),
        sa.ForeignKeyConstraint(
            ["volume_type_id"],
            ["volume_types.id"],
            name="fk_volume_type_extra_specs_volume_type_id",
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("volume_type_id", "key", name="pk_volume_type_extra_specs"),
    )
    create_table(
        "volumes",
        sa.Column("id", string(36), nullable=False),
        sa.Column("project_id", string(255), nullable=False),
        sa.Column("user_id", string(255)),
        sa.Column("name", string(255)),
        sa.Column("description", string(255)),
        sa.Column("status", string(32), nullable=False),
        sa.Column("status_reason", sa.Text()),
        sa.Column("created_at", TIMESTAMP, nullable=False),
        sa.Column("updated_at", TIMESTAMP),
        sa.Column("name_key", string(255), sa.Computed("coalesce(name, '')", persisted=True)),
        sa.Column("size", sa.Integer(), nullable=False),
        sa.Column("host", string(255)),
        sa.Column("availability_zone", string(255), nullable=False),
        sa.Column("volume_type_id", string(36)),
        sa.Column("consistencygroup_id", string(36)),
        sa.Column("snapshot_id", string(36)),
        sa.Column("source_volid", string(36)),
        sa.Column("provider_location", string(255)),
        sa.ForeignKeyConstraint(
            ["consistencygroup_id"], ["consistencygroups.id"], name="fk_volumes_consistencygroup_id"
        ),
        sa.ForeignKeyConstraint(
            ["volume_type_id"], ["volume_types.id"], name="fk_volumes_volume_type_id"
        ),
        sa.PrimaryKeyConstraint("id", name="pk_volumes"),
    )
    create_index("ix_volumes_consistencygroup_id", "volumes", ["consistencygroup_id"])
    create_index("ix_volumes_created_at", "volumes", ["created_at", "id"])
    create_index("ix_volumes_name_key", "volumes", ["name_key", "id"])
    create_index("ix_volumes_project", "volumes", ["project_id", "id"])
    create_index("ix_volumes_project_created_at", "volumes", ["project_id", "created_at", "id"])
    create_index("ix_volumes_project_name_key", "volumes", ["project_id", "name_key", "id"])
    create_index("ix_volumes_project_status", "volumes", ["project_id", "status", "id"])
    create_index("ix_volumes_snapshot_id", "volumes", ["snapshot_id"])
    create_index("ix_volumes_source_volid", "volumes", ["source_volid"])
    create_index("ix_volumes_status", "volumes", ["status", "id"])
    create_index("ix_volumes_volume_type_id", "volumes", ["volume_type_id"])
    create_table(
        "snapshots",
        sa.Column("id", string(36), nullable=False),
        sa.Column("project_id", string(255), nullable=False),
        sa.Column("user_id", string(255)),
        sa.Column("name", string(255)),
        sa.Column("description", string(255)),
        sa.Column("status", string(32), nullable=False),
        sa.Column("status_reason", sa.Text()),
        sa.Column("created_at", TIMESTAMP, nullable=False),
        sa.Column("updated_at", TIMESTAMP),
        sa.Column("name_key", string(255), sa.Computed("coalesce(name, '')", persisted=True)),
        sa.Column("volume_id", string(36), nullable=False),
        sa.Column("volume_size", sa.Integer(), nullable=False),
        sa.Column("cgsnapshot_id", string(36)),
        sa.Column("provider_location", string(255)),
        sa.ForeignKeyConstraint(
            ["cgsnapshot_id"], ["cgsnapshots.id"], name="fk_snapshots_cgsnapshot_id"
        ),
        sa.ForeignKeyConstraint(["volume_id"], ["volumes.id"], name="fk_snapshots_volume_id"),
        sa.PrimaryKeyConstraint("id", name="pk_snapshots"),
    )
    create_index("ix_snapshots_cgsnapshot_id", "snapshots", ["cgsnapshot_id"])
    create_index("ix_snapshots_created_at", "snapshots", ["created_at", "id"])
    create_index("ix_snapshots_name_key", "snapshots", ["name_key", "id"])
    create_index("ix_snapshots_project", "snapshots", ["project_id", "id"])
    create_index("ix_snapshots_project_created_at", "snapshots", ["project_id", "created_at", "id"])
    create_index("ix_snapshots_project_name_key", "snapshots", ["project_id", "name_key", "id"])
    create_index("ix_snapshots_project_status", "snapshots", ["project_id", "status", "id"])
    create_index("ix_snapshots_status", "snapshots", ["status", "id"])
    create_index("ix_snapshots_volume_id", "snapshots", ["volume_id"])
    create_table(
        "volume_attachments",
        sa.Column("id", string(36), nullable=False),
        sa.Column("volume_id", string(36), nullable=False),
        sa.Column("instance_uuid", string(36)),
        sa.Column("attached_host", string(255)),
        sa.Column("mountpoint", string(255)),
        sa.Column("mode", string(2), nullable=False),
        sa.Column("attached_at", TIMESTAMP, nullable=False),
        sa.ForeignKeyConstraint(
            ["volume_id"],
            ["volumes.id"],
            name="fk_volume_attachments_volume_id",
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name="pk_volume_attachments"),
    )
    create_index("ix_volume_attachments_volume_id", "volume_attachments", ["volume_id"])
    create_table(
        "volume_metadata",
        sa.Column("volume_id", string(36), nullable=False),
        sa.Column("key", string(255), nullable=False),
        sa.Column("value", string(255), nullable=False),
        sa.ForeignKeyConstraint(
            ["volume_id"], ["volumes.id"], name="fk_volume_metadata_volume_id", ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("volume_id", "key", name="pk_volume_metadata"),
    )
    create_table(
        "snapshot_metadata",
        sa.Column("snapshot_id", string(36), nullable=False),
        sa.Column("key", string(255), nullable=False),
        sa.Column("value", string(255), nullable=False),
        sa.ForeignKeyConstraint(
            ["snapshot_id"],
            ["snapshots.id"],
            name="fk_snapshot_metadata_snapshot_id",
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("snapshot_id", "key", name="pk_snapshot_metadata"),
    )
