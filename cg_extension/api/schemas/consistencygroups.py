# SPDX-License-Identifier: Apache-2.0
"""Bodies of the requests about consistency groups."""

from cg_extension.api.schemas import parameters
from cg_extension.contract import statuses

_NAMES = {"name": parameters.NAME, "description": parameters.DESCRIPTION}

CREATE = parameters.enveloped(
    "consistencygroup",
    {
        **_NAMES,
        **parameters.IGNORED,
        "volume_types": parameters.COMMA_SEPARATED,
        "availability_zone": parameters.AVAILABILITY_ZONE,
    },
    required=["volume_types"],
)

CREATE_FROM_SRC = parameters.enveloped(
    "consistencygroup-from-src",
    {
        **_NAMES,
        **parameters.IGNORED,
        "cgsnapshot_id": parameters.UUID,
        "source_cgid": parameters.UUID,
    },
)

UPDATE = parameters.enveloped(
    "consistencygroup",
    {
        **_NAMES,
        "add_volumes": parameters.COMMA_SEPARATED,
        "remove_volumes": parameters.COMMA_SEPARATED,
    },
)

ACTION = parameters.reset_status(statuses.GROUP.resettable)

_FORCE = {
    "type": "object",
    "properties": {"force": parameters.BOOLEAN},
    "additionalProperties": False,
}

# All of it may be left out. The API reference writes ``consistencygroup``; openstacksdk, and
# with it the ``openstack`` command, sends ``consistency_group``.
DELETE = {
    "type": "object",
    "properties": {"consistencygroup": _FORCE, "consistency_group": _FORCE},
    "maxProperties": 1,
    "additionalProperties": False,
}
