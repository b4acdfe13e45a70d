# SPDX-License-Identifier: Apache-2.0
"""Rules of the group snapshots, under the names that Cinder had for them."""

from cg_extension.policies import base

CREATE = "consistencygroup:create_cgsnapshot"
DELETE = "consistencygroup:delete_cgsnapshot"
GET = "consistencygroup:get_cgsnapshot"
GET_ALL = "consistencygroup:get_all_cgsnapshots"

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
]
