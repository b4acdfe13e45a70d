# SPDX-License-Identifier: Apache-2.0
"""Rules of the group snapshots, under the names that Cinder had for them where it had them."""

from cg_extension.policies import base

CREATE = "consistencygroup:create_cgsnapshot"
DELETE = "consistencygroup:delete_cgsnapshot"
GET = "consistencygroup:get_cgsnapshot"
GET_ALL = "consistencygroup:get_all_cgsnapshots"
GET_RECEIPT = "cgsnapshot_extension:receipt"
RESET_STATUS = "consistencygroup:reset_cgsnapshot_status"

RULES = [
    base.rule(
        CREATE,
        base.PROJECT_MEMBER,
        "Take a snapshot of a consistency group.",
        "POST /cgsnapshots",
    ),
    base.rule(
        DELETE,
        base.PROJECT_MEMBER,
        "Delete a group snapshot.",
        "DELETE /cgsnapshots/{id}",
    ),
    base.rule(
        GET,
        base.PROJECT_READER,
        "Show a group snapshot.",
        "GET /cgsnapshots/{id}",
    ),
    base.rule(
        GET_ALL,
        base.PROJECT_READER,
        "List group snapshots.",
        "GET /cgsnapshots",
        "GET /cgsnapshots/detail",
    ),
    base.rule(
        GET_RECEIPT,
        base.ADMIN,
        "See the receipt of a group snapshot: its instant, and for how long I/O was held.",
        "GET /cgsnapshots/{id}",
        "GET /cgsnapshots/detail",
    ),
    base.rule(
        RESET_STATUS,
        base.ADMIN,
        "Set a group snapshot's status by hand.",
        "POST /cgsnapshots/{id}/action (reset_status)",
    ),
]
