# SPDX-License-Identifier: Apache-2.0
"""The availability zones of the backends."""

import webob

from cg_extension.api import views, wsgi
from cg_extension.policies import availability_zones as policies
from cg_extension.reference.wsgi.controllers import base

_ZONE = views.closed(
    {"zoneName": views.TEXT, "zoneState": views.closed({"available": {"type": "boolean"}})}
)
_DOCUMENT = views.closed({"availabilityZoneInfo": views.listed(_ZONE)})


class AvailabilityZonesController(base.Controller):
    """The one call on availability zones."""

    @wsgi.response(200, _DOCUMENT)
    def index(self, req: webob.Request) -> base.Document:
        """List zones, and whether something new can be put there."""
        context = wsgi.context_of(req)
        self.authorize(context, policies.LIST)
        zones = self.service.list_availability_zones(context)
        return {
            "availabilityZoneInfo": [
                {"zoneName": name, "zoneState": {"available": available}}
                for name, available in zones
            ]
        }
