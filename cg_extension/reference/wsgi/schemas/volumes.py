# SPDX-License-Identifier: Apache-2.0
"""Bodies of the requests about volumes."""

from typing import Any

from cg_extension.api.schemas import parameters
from cg_extension.reference.wsgi import schemas

_NAMES = {"name": parameters.NAME, "description": parameters.DESCRIPTION}
_REFERENCE = {"type": "string", "minLength": 1, "maxLength": 255, "format": "line"}

_VOLUME = {
    **_NAMES,
    **parameters.IGNORED,
    # A number, or one in digits as some clients send it.
    "size": {
        "type": ["integer", "string"],
        "format": "digits",
        "minimum": 1,
        "maximum": schemas.MAX_INTEGER,
    },
    "volume_type": {"type": "string", "maxLength": 255, "format": "line", "strip": True},
    "availability_zone": parameters.AVAILABILITY_ZONE,
    "metadata": schemas.PAIRS,
    "consistencygroup_id": parameters.UUID,
    "snapshot_id": parameters.UUID,
    "source_volid": parameters.UUID,
    # What this host has none of; clients may say so.
    "multiattach": {"enum": [False]},
    # Hints are wishes, and here every backend that fits is as good as another.
    "scheduler_hints": {},
    "OS-SCH-HNT:scheduler_hints": {},
}

CREATE: dict[str, Any] = schemas.envelope("volume", schemas.arguments(_VOLUME))
CREATE["properties"]["OS-SCH-HNT:scheduler_hints"] = {}

UPDATE = schemas.envelope("volume", schemas.arguments({**_NAMES, "metadata": schemas.PAIRS}))

_CONNECTION = schemas.arguments({"connector": {"type": "object"}})

ACTION = schemas.actions(
    {
        "os-attach": schemas.arguments(
            {
                "instance_uuid": parameters.UUID,
                "host_name": _REFERENCE,
                "mountpoint": _REFERENCE,
                "mode": {"enum": ["rw", "ro"]},
            }
        ),
        "os-detach": schemas.arguments({"attachment_id": parameters.UUID}),
        "os-reset_status": schemas.arguments(
            {"status": {"type": "string"}, "attach_status": {"enum": ["attached", "detached"]}}
        ),
        "os-force_delete": schemas.NO_ARGUMENTS,
        "os-initialize_connection": _CONNECTION,
        "os-terminate_connection": _CONNECTION,
    }
)
