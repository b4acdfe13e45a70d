# SPDX-License-Identifier: Apache-2.0
"""What every project may know of the deployment: its zones and its API extensions."""

import webob

from cg_extension.api import extensions as api_extensions
from cg_extension.api import validation, wsgi
from cg_extension.contract import exceptions
from cg_extension.policies import deployment as policies
from cg_extension.reference.wsgi import extensions
from cg_extension.reference.wsgi.controllers import base


class AvailabilityZonesController(base.Controller):
    """The one call on availability zones."""

    def index(self, req: webob.Request) -> base.Document:
        """List zones, and whether something new can be put there."""
        context = wsgi.context_of(req)
        self.authorize(context, policies.LIST_ZONES)
        zones = self.service.list_availability_zones(context)
        return {
            "availabilityZoneInfo": [
                {"zoneName": name, "zoneState": {"available": available}}
                for name, available in zones
            ]
        }


class ExtensionsController(base.Controller):
    """The API extensions that are loaded, by alias."""

    def __init__(self, ext_mgr: extensions.ExtensionManager) -> None:
        super().__init__(ext_mgr)
        self._loaded = ext_mgr.extensions

    def index(self, req: webob.Request) -> base.Document:
        """List extensions."""
        self.authorize(wsgi.context_of(req), policies.LIST_EXTENSIONS)
        return {"extensions": [_view(extension) for extension in self._loaded.values()]}

    def show(self, req: webob.Request, alias: str) -> base.Document:
        """Show one extension."""
        self.authorize(wsgi.context_of(req), policies.LIST_EXTENSIONS)
        if alias not in self._loaded:
            raise exceptions.NotFound(f"There is no extension {validation.shown(alias)}.")
        return {"extension": _view(self._loaded[alias])}


def _view(extension: api_extensions.ExtensionDescriptor) -> base.Document:
    return {
        "name": extension.name,
        "alias": extension.alias,
        "description": " ".join((type(extension).__doc__ or "").split()),
        "updated": extension.updated,
        "links": [],
    }
