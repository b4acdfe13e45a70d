# SPDX-License-Identifier: Apache-2.0
"""Every path of the host's own resources, below ``/v2`` and ``/v3``, with or without a project.

HEAD goes where GET goes; any other method is answered with 405.
"""

from collections.abc import Callable
from typing import Any

from cg_extension.api import calls
from cg_extension.api.extensions import Table
from cg_extension.reference.wsgi.controllers import (
    availability_zones,
    extensions,
    limits,
    quotas,
    services,
    snapshots,
    volume_actions,
    volume_types,
    volumes,
)
from cg_extension.reference.wsgi.extensions import ExtensionManager

_METADATA = {"GET": "index", "POST": "create", "PUT": "update_all"}
_METADATA_ITEM = {"GET": "show", "PUT": "update", "DELETE": "delete"}

# What makes a controller from the extension manager → path → HTTP method → its function.
ROUTES: dict[Callable[[ExtensionManager], Any], Table] = {
    volumes.VolumesController: {
        "/volumes": {"GET": "index", "POST": "create"},
        "/volumes/detail": {"GET": "detail"},
        "/volumes/{id}": {"GET": "show", "PUT": "update", "DELETE": "delete"},
    },
    volume_actions.VolumeActionsController: {"/volumes/{id}/action": {"POST": "action"}},
    volumes.VolumeMetadataController: {
        "/volumes/{id}/metadata": _METADATA,
        "/volumes/{id}/metadata/{key}": _METADATA_ITEM,
    },
    snapshots.SnapshotsController: {
        "/snapshots": {"GET": "index", "POST": "create"},
        "/snapshots/detail": {"GET": "detail"},
        "/snapshots/{id}": {"GET": "show", "PUT": "update", "DELETE": "delete"},
        "/snapshots/{id}/action": {"POST": "action"},
    },
    snapshots.SnapshotMetadataController: {
        "/snapshots/{id}/metadata": _METADATA,
        "/snapshots/{id}/metadata/{key}": _METADATA_ITEM,
    },
    volume_types.VolumeTypesController: {
        "/types": {"GET": "index", "POST": "create"},
        "/types/{id}": {"GET": "show", "PUT": "update", "DELETE": "delete"},
    },
    volume_types.ExtraSpecsController: {
        "/types/{id}/extra_specs": {"GET": "index", "POST": "create"},
        "/types/{id}/extra_specs/{key}": {"GET": "show", "PUT": "update", "DELETE": "delete"},
    },
    quotas.QuotaSetsController: {
        "/os-quota-sets/{id}": {"GET": "show", "PUT": "update", "DELETE": "delete"},
        "/os-quota-sets/{id}/defaults": {"GET": "defaults"},
    },
    limits.LimitsController: {"/limits": {"GET": "index"}},
    services.ServicesController: {
        "/os-services": {"GET": "index"},
        "/os-services/enable": {"PUT": "enable"},
        "/os-services/disable": {"PUT": "disable"},
        "/os-services/disable-log-reason": {"PUT": "disable_log_reason"},
        "/os-services/freeze": {"PUT": "freeze"},
        "/os-services/thaw": {"PUT": "thaw"},
    },
    availability_zones.AvailabilityZonesController: {"/os-availability-zone": {"GET": "index"}},
    extensions.ExtensionsController: {
        "/extensions": {"GET": "index"},
        "/extensions/{alias}": {"GET": "show"},
    },
}

# The collections that no extension may take.
COLLECTIONS = frozenset(path.split("/")[1] for table in ROUTES.values() for path in table)

CALLS = (*calls.EXTENSION, *calls.listed(ROUTES))
"""Every call, those of our extensions included, with what it takes and answers with."""
