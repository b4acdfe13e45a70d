# SPDX-License-Identifier: Apache-2.0
"""Rules of the volumes, their metadata and actions, under the names that Cinder has for them."""

from oslo_policy import policy

from cg_extension.policies import base

CREATE = "volume:create"
GET = "volume:get"
GET_ALL = "volume:get_all"
UPDATE = "volume:update"
DELETE = "volume:delete"
GET_METADATA = "volume:get_volume_metadata"
SET_METADATA = "volume:update_volume_metadata"
DELETE_METADATA = "volume:delete_volume_metadata"
ATTACH = "volume_extension:volume_actions:attach"
DETACH = "volume_extension:volume_actions:detach"
INITIALIZE_CONNECTION = "volume_extension:volume_actions:initialize_connection"
TERMINATE_CONNECTION = "volume_extension:volume_actions:terminate_connection"
RESET_STATUS = "volume_extension:volume_admin_actions:reset_status"
FORCE_DELETE = "volume_extension:volume_admin_actions:force_delete"

RULES: list[policy.RuleDefault] = [
    base.rule(CREATE, base.PROJECT_MEMBER, "Create a volume.", "POST /volumes"),
    base.rule(GET, base.PROJECT_READER, "Show a volume.", "GET /volumes/{id}"),
    base.rule(GET_ALL, base.PROJECT_READER, "List volumes.", "GET /volumes", "GET /volumes/detail"),
    base.rule(
        UPDATE,
        base.PROJECT_MEMBER,
        "Change a volume's name, description or metadata.",
        "PUT /volumes/{id}",
    ),
    base.rule(DELETE, base.PROJECT_MEMBER, "Delete a volume.", "DELETE /volumes/{id}"),
    base.rule(
        GET_METADATA,
        base.PROJECT_READER,
        "Show a volume's metadata.",
        "GET /volumes/{id}/metadata",
        "GET /volumes/{id}/metadata/{key}",
    ),
    base.rule(
        SET_METADATA,
        base.PROJECT_MEMBER,
        "Add, change or replace a volume's metadata.",
        "POST /volumes/{id}/metadata",
        "PUT /volumes/{id}/metadata",
        "PUT /volumes/{id}/metadata/{key}",
    ),
    base.rule(
        DELETE_METADATA,
        base.PROJECT_MEMBER,
        "Remove a key from a volume's metadata.",
        "DELETE /volumes/{id}/metadata/{key}",
    ),
    base.rule(
        ATTACH,
        base.PROJECT_MEMBER,
        "Record that a volume is attached.",
        "POST /volumes/{id}/action (os-attach)",
    ),
    base.rule(
        DETACH,
        base.PROJECT_MEMBER,
        "Record that a volume is detached.",
        "POST /volumes/{id}/action (os-detach)",
    ),
    base.rule(
        INITIALIZE_CONNECTION,
        base.PROJECT_MEMBER,
        "Learn how to reach a volume from a machine.",
        "POST /volumes/{id}/action (os-initialize_connection)",
    ),
    base.rule(
        TERMINATE_CONNECTION,
        base.PROJECT_MEMBER,
        "End a machine's access to a volume.",
        "POST /volumes/{id}/action (os-terminate_connection)",
    ),
    base.rule(
        RESET_STATUS,
        base.ADMIN,
        "Set a volume's status by hand.",
        "POST /volumes/{id}/action (os-reset_status)",
    ),
    base.rule(
        FORCE_DELETE,
        base.ADMIN,
        "Delete a volume, even one that is in-use without an attachment.",
        "POST /volumes/{id}/action (os-force_delete)",
        "DELETE /volumes/{id}?force=True",
    ),
]
