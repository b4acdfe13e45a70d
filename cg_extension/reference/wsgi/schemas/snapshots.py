# SPDX-License-Identifier: Apache-2.0
"""Bodies of the requests about snapshots."""

from cg_extension.api.schemas import parameters
from cg_extension.reference.wsgi import schemas

_NAMES = {"name": parameters.NAME, "description": parameters.DESCRIPTION}

CREATE = schemas.envelope(
    "snapshot",
    schemas.arguments(
        {
            **_NAMES,
            # Whatever names no volume is answered with 404, of which form it be.
            "volume_id": {"type": "string"},
            "force": parameters.BOOLEAN,
            "metadata": schemas.PAIRS,
        },
        ("volume_id",),
    ),
)

UPDATE = schemas.envelope("snapshot", schemas.arguments(_NAMES))

ACTION = schemas.actions(
    {
        "os-reset_status": schemas.arguments({"status": {"type": "string"}}),
        "os-force_delete": schemas.NO_ARGUMENTS,
    }
)
