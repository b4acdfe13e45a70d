# SPDX-License-Identifier: Apache-2.0
"""Rules of the consistency groups, under the names that Cinder had for them where it had them."""

from cg_extension.policies import base

CREATE = "consistencygroup:create"
DELETE = "consistencygroup:delete"
UPDATE = "consistencygroup:update"
GET = "consistencygroup:get"
GET_ALL = "consistencygroup:get_all"
RESET_STATUS = "consistencygroup:reset_status"

RULES = [
    base.rule(
        CREATE,
        base.PROJECT_MEMBER,
        "Create a consistency group, empty or from a source.",
        "POST /consistencygroups",
        "POST /consistencygroups/create_from_src",
    ),
    base.rule(
        DELETE,
        base.PROJECT_MEMBER,
        "Delete a consistency group, with force also its volumes.",
        "POST /consistencygroups/{id}/delete",
        "DELETE /consistencygroups/{id}",
    ),
    base.rule(
        UPDATE,
        base.PROJECT_MEMBER,
        "Change a consistency group's name, description or volumes.",
        "PUT /consistencygroups/{id}/update",
        "PUT /consistencygroups/{id}",
    ),
    base.rule(
        GET,
        base.PROJECT_READER,
        "Show a consistency group.",
        "GET /consistencygroups/{id}",
    ),
    base.rule(
        GET_ALL,
        base.PROJECT_READER,
        "List consistency groups.",
        "GET /consistencygroups",
        "GET /consistencygroups/detail",
    ),
    base.rule(
        RESET_STATUS,
        base.ADMIN,
        "Set a consistency group's status by hand.",
        "POST /consistencygroups/{id}/action (reset_status)",
    ),
]
