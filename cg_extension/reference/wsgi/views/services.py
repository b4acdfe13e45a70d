# SPDX-License-Identifier: Apache-2.0
"""Managers' backends as JSON."""

from cg_extension.api import views as api_views
from cg_extension.contract import records
from cg_extension.reference.wsgi import views

_STATUS: api_views.Schema = {"enum": ["disabled", "enabled"]}
LISTED = api_views.closed(
    {
        "binary": api_views.TEXT,
        "host": api_views.TEXT,
        "zone": api_views.TEXT,
        "status": _STATUS,
        "state": {"enum": ["down", "up"]},
        "updated_at": views.OPTIONAL_TIMESTAMP,
        "disabled_reason": api_views.OPTIONAL_TEXT,
        "frozen": {"type": "boolean"},
    }
)
LIST = api_views.closed({"services": api_views.listed(LISTED)})
CHANGED = api_views.closed(
    {
        "host": api_views.TEXT,
        "service": api_views.TEXT,
        "binary": api_views.TEXT,
        "status": _STATUS,
        "disabled": {"type": "boolean"},
        "disabled_reason": api_views.OPTIONAL_TEXT,
    }
)


def listed(service: records.Service) -> views.Document:
    """A backend in the list of services."""
    return {
        "binary": service.binary,
        "host": service.host,
        "zone": service.availability_zone,
        "status": _status(service),
        "state": "up" if service.is_up else "down",
        "updated_at": views.optional_timestamp(service.updated_at),
        "disabled_reason": service.disabled_reason,
        "frozen": service.frozen,
    }


def changed(service: records.Service) -> views.Document:
    """A backend as the answer to enabling or disabling it."""
    return {
        "host": service.host,
        "service": service.binary,
        "binary": service.binary,
        "status": _status(service),
        "disabled": service.disabled,
        "disabled_reason": service.disabled_reason,
    }


def _status(service: records.Service) -> str:
    return "disabled" if service.disabled else "enabled"
