# SPDX-License-Identifier: Apache-2.0
"""The API extensions that are loaded."""

import webob

from cg_extension.api import extensions as api_extensions
from cg_extension.api import validation, views, wsgi
from cg_extension.contract import exceptions
from cg_extension.policies import extensions as policies
from cg_extension.reference.wsgi import extensions
from cg_extension.reference.wsgi.controllers import base

_EXTENSION = views.closed(
    {
        "name": views.TEXT,
        "alias": views.TEXT,
        "description": views.TEXT,
        "updated": views.TEXT,
        "links": {"type": "array", "maxItems": 0},
    }
)
_LIST = views.closed({"extensions": views.listed(_EXTENSION)})
_DOCUMENT = views.closed({"extension": _EXTENSION})


class ExtensionsController(base.Controller):
    """The API extensions that are loaded, by alias."""

    def __init__(self, ext_mgr: extensions.ExtensionManager) -> None:
        super().__init__(ext_mgr)
        self._loaded = ext_mgr.extensions

    @wsgi.response(200, _LIST)
    def index(self, req: webob.Request) -> base.Document:
        """List extensions."""
        self.authorize(wsgi.context_of(req), policies.LIST)
        return {"extensions": [_view(extension) for extension in self._loaded.values()]}

    @wsgi.raises(exceptions.NotFound)
    @wsgi.response(200, _DOCUMENT)
    def show(self, req: webob.Request, alias: str) -> base.Document:
        """Show one extension."""
        self.authorize(wsgi.context_of(req), policies.LIST)
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
