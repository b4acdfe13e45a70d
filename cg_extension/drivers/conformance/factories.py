# SPDX-License-Identifier: Apache-2.0
"""Makes the records that a manager would give to a driver."""

import datetime
import uuid
from typing import Any

from cg_extension.contract import records

PROJECT_ID = "0123456789abcdef0123456789abcdef"
HOST = "conformance@backend"
CREATED_AT = datetime.datetime(2026, 1, 2, 3, 4, 5)


def _resource(values: dict[str, Any]) -> dict[str, Any]:
    common = {
        "id": str(uuid.uuid4()),
        "project_id": PROJECT_ID,
        "status": "creating",
        "created_at": CREATED_AT,
    }
    return common | values


def volume(size: int = 1, **values: Any) -> records.Volume:
    """A volume of ``size`` GiB."""
    return records.Volume(
        size=size, availability_zone="nova", **_resource({"host": HOST, **values})
    )


def snapshot(of: records.Volume, **values: Any) -> records.Snapshot:
    """A snapshot of a volume."""
    return records.Snapshot(volume_id=of.id, volume_size=of.size, **_resource(values))


def group(**values: Any) -> records.Group:
    """A consistency group."""
    placed = {"host": HOST, "availability_zone": "nova", **values}
    return records.Group(**_resource(placed))


def cgsnapshot(of: records.Group, **values: Any) -> records.CGSnapshot:
    """A group snapshot of a group."""
    return records.CGSnapshot(consistencygroup_id=of.id, **_resource(values))
