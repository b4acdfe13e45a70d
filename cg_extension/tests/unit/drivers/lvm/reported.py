# SPDX-License-Identifier: Apache-2.0
"""Volumes as LVM's reports tell of them, for tests that need no LVM."""

from typing import Any

from cg_extension.drivers.lvm import reports


def volume(name: str, **facts: Any) -> reports.LogicalVolume:
    """A thick, inactive volume without tags in the volume group ``vg``, but for these facts."""
    known: dict[str, Any] = {
        "size": 1,
        "allocated": 1,
        "tags": frozenset(),
        "is_pool": False,
        "origin": None,
        "pool": None,
        "thin_id": None,
        "device_name": f"vg-{name}",
        "number": None,
    }
    return reports.LogicalVolume(name=name, **{**known, **facts})
