# SPDX-License-Identifier: Apache-2.0
"""The receipt of a group snapshot as JSON: attributes of it, null where it has none."""

from typing import Any

from cg_extension.api import views
from cg_extension.contract import records

_INSTANT = "OS-CG-RECEIPT:instant"
_HELD = "OS-CG-RECEIPT:held_seconds"
_CONSISTENCY = "OS-CG-RECEIPT:consistency"

ATTRIBUTES = {
    _INSTANT: {"type": ["string", "null"], "format": "timestamp"},
    _HELD: {"type": ["number", "null"], "minimum": 0},
    _CONSISTENCY: views.OPTIONAL_TEXT,
}


def attributes(receipt: records.Receipt | None) -> dict[str, Any]:
    """What an administrator sees of it."""
    if receipt is None:
        return dict.fromkeys(ATTRIBUTES)
    return {
        _INSTANT: views.timestamp(receipt.instant),
        _HELD: receipt.held_seconds,
        _CONSISTENCY: receipt.consistency,
    }
