# SPDX-License-Identifier: Apache-2.0
"""Volume types as JSON."""

from cg_extension.api import views as api_views
from cg_extension.contract import records
from cg_extension.reference.wsgi import views

DETAIL = api_views.closed(
    {
        "id": api_views.UUID,
        "name": api_views.TEXT,
        "description": api_views.OPTIONAL_TEXT,
        "is_public": {"type": "boolean"},
        "os-volume-type-access:is_public": {"type": "boolean"},
        "qos_specs_id": {"type": "null"},
    },
    {"extra_specs": views.PAIRS},
)
DOCUMENT = api_views.closed({"volume_type": DETAIL})


def detail(volume_type: records.VolumeType, *, with_extra_specs: bool) -> views.Document:
    """A volume type; extra specs tell of the backends, which not everyone may know."""
    document: views.Document = {
        "id": volume_type.id,
        "name": volume_type.name,
        "description": volume_type.description,
        "is_public": volume_type.is_public,
        "os-volume-type-access:is_public": volume_type.is_public,
        "qos_specs_id": None,
    }
    if with_extra_specs:
        document["extra_specs"] = dict(volume_type.extra_specs)
    return document
