# SPDX-License-Identifier: Apache-2.0
"""Bodies of the requests about group snapshots."""

from cg_extension.api.schemas import parameters
from cg_extension.contract import statuses

CREATE = parameters.enveloped(
    "cgsnapshot",
    {
        **parameters.IGNORED,
        "name": parameters.NAME,
        "description": parameters.DESCRIPTION,
        # A value that names no group gets 404, even if it is no UUID.
        "consistencygroup_id": {"type": "string"},
    },
    required=["consistencygroup_id"],
)

ACTION = parameters.reset_status(statuses.CGSNAPSHOT.resettable)
