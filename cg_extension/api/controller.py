# SPDX-License-Identifier: Apache-2.0
"""What both collections' controllers share: checking policy, finding by id, listing a page."""

import dataclasses
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

import webob

from cg_extension.api import extensions, pagination, validation, wsgi
from cg_extension.contract import context as cg_context
from cg_extension.contract import exceptions, records

Context = cg_context.RequestContext
R = TypeVar("R", bound=records.Resource)
Item = TypeVar("Item", bound=records.Identified)


class Controller:
    """Base of a collection's controller; everything it needs comes from the extension manager."""

    def __init__(self, ext_mgr: extensions.ExtensionManager) -> None:
        self.conf = ext_mgr.conf
        self.service = ext_mgr.service
        self._authorize = ext_mgr.authorize

    def authorize(
        self, context: Context, rule: str, resource: records.Resource | None = None
    ) -> None:
        """Check a rule about a resource, or about the caller's own project.

        Rules may name the fields of the resource's record, such as ``%(status)s``.

        :raises Forbidden: the rule does not allow it.
        """
        if resource is None:
            target = {"project_id": context.project_id, "user_id": context.user_id}
        else:
            names = (field.name for field in dataclasses.fields(resource))
            target = {name: getattr(resource, name) for name in names}
        self._authorize(context, rule, target)

    def find(
        self,
        req: webob.Request,
        id: str,
        rule: str,
        fetch: Callable[[Context, str], R],
        not_found: type[exceptions.NotFound],
    ) -> R:
        """The resource that the path's id names, if the rule allows the call on it.

        :raises NotFound: of the class ``not_found`` if the id is not a UUID, or from ``fetch``.
        :raises Forbidden: the rule does not allow it.
        """
        if not validation.is_uuid(id):
            raise not_found(id=validation.shown(id))
        context = wsgi.context_of(req)
        resource = fetch(context, id)
        self.authorize(context, rule, resource)
        return resource

    def list_page(
        self,
        req: webob.Request,
        query: Mapping[str, list[str]],
        listing: pagination.Listing,
        fetch: Callable[[Context, records.ListQuery], records.Page[Item]],
        view: Callable[[Item, Context], dict[str, Any]],
    ) -> dict[str, Any]:
        """The document of one page of a list."""
        context = wsgi.context_of(req)
        page = fetch(context, listing.parse(req, query, self.conf))
        items = [view(item, context) for item in page.items]
        return listing.answer(req, page, items, self.conf)
