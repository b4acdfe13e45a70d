# SPDX-License-Identifier: Apache-2.0
"""Bodies of the requests about quotas."""

from cg_extension.reference.service import quotas
from cg_extension.reference.wsgi import schemas

_LIMIT = {"type": "integer", "minimum": quotas.UNLIMITED, "maximum": quotas.MAX_LIMIT}

UPDATE = schemas.envelope(
    "quota_set",
    schemas.arguments(
        # The project is the path's; python-cinderclient repeats it.
        {**dict.fromkeys(quotas.RESOURCES, _LIMIT), "tenant_id": {}}
    ),
)
