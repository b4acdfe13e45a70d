# SPDX-License-Identifier: Apache-2.0
"""Rules of the snapshots of single volumes, under the names that Cinder has for them."""

from oslo_policy import policy

from cg_extension.policies import base

CREATE = "volume:create_snapshot"
GET = "volume:get_snapshot"
GET_ALL = "volume:get_all_snapshots"
UPDATE = "volume:update_snapshot"
DELETE = "volume:delete_snapshot"
GET_METADATA = "volume:get_snapshot_metadata"
SET_METADATA = "volume:update_snapshot_metadata"
DELETE_METADATA = "volume:delete_snapshot_metadata"
RESET_STATUS = "volume_extension:snapshot_admin_actions:reset_status"
FORCE_DELETE = "volume_extension:snapshot_admin_actions:force_delete"

RULES: list[policy.RuleDefault] = [
    base.rule(CREATE, base.PROJECT_MEMBER, "Take a snapshot of a volume.", "POST /snapshots"),
    base.rule(GET, base.PROJECT_READER, "Show a snapshot.", "GET /snapshots/{id}"),
    base.rule(
        GET_ALL, base.PROJECT_READER, "List snapshots.", "GET /snapshots", "GET /snapshots/detail"
    ),
    base.rule(
        UPDATE,
        base.PROJECT_MEMBER,
        "Change a snapshot's name or description.",
        "PUT /snapshots/{id}",
    ),
    base.rule(DELETE, base.PROJECT_MEMBER, "Delete a snapshot.", "DELETE /snapshots/{id}"),
    base.rule(
        GET_METADATA,
        base.PROJECT_READER,
        "Show a snapshot's metadata.",
        "GET /snapshots/{id}/metadata",
        "GET /snapshots/{id}/metadata/{key}",
    ),
    base.rule(
        SET_METADATA,
        base.PROJECT_MEMBER,
        "Add, change or replace a snapshot's metadata.",
        "POST /snapshots/{id}/metadata",
        "PUT /snapshots/{id}/metadata",
        "PUT /snapshots/{id}/metadata/{key}",
    ),
    base.rule(
        DELETE_METADATA,
        base.PROJECT_MEMBER,
        "Remove a key from a snapshot's metadata.",
        "DELETE /snapshots/{id}/metadata/{key}",
    ),
    base.rule(
        RESET_STATUS,
        base.ADMIN,
        "Set a snapshot's status by hand.",
        "POST /snapshots/{id}/action (os-reset_status)",
    ),
    base.rule(
        FORCE_DELETE,
        base.ADMIN,
        "Delete a snapshot, just as without force: the call exists for Cinder's clients.",
        "POST /snapshots/{id}/action (os-force_delete)",
    ),
]
