# SPDX-License-Identifier: Apache-2.0
"""List calls: from the query string to a ListQuery, and from a Page to the link to the next one.

Finding the rows, and whether a marker is one of them, is left to the service.
"""

import urllib.parse
from collections.abc import Iterable, Mapping
from typing import Any

import webob
from oslo_config import cfg

from cg_extension.api import validation, views, wsgi
from cg_extension.contract import records

# The largest number that every database takes as an offset.
MAX_OFFSET = 2**63 - 1
DEFAULT_SORT_KEY = "created_at"
DEFAULT_SORT_DIR = "desc"
# What python-cinderclient sends for ``--sort name`` of volumes and snapshots.
CINDERS_SORT_ALIASES = {"display_name": "name"}
SORT_DIRS = ("asc", "desc")

_ONE: dict[str, Any] = {"type": "array", "maxItems": 1}
_ONE_NUMBER = {**_ONE, "items": {"type": "string", "format": "whole-number"}}


class Listing:
    """What the list calls of one collection take and give.

    :param collection: its name, the key of the list in the answer.
    :param filters: columns that a query may ask for by value.
    :param sort_keys: columns that a query may sort by.
    :param sort_aliases: other words for some of them, with what they stand for.
    :param link_key: the key of the links in the answer.
    """

    def __init__(
        self,
        collection: str,
        *,
        filters: Iterable[str],
        sort_keys: Iterable[str],
        sort_aliases: Mapping[str, str] | None = None,
        link_key: str | None = None,
    ) -> None:
        self.collection = collection
        self.filters = tuple(filters)
        self._sort_aliases = dict(sort_aliases or {})
        self.sort_keys = (*sort_keys, *self._sort_aliases)
        # Clients page by the collection's own name; the API reference may have another.
        self.link_keys = {link_key or f"{collection}_links", f"{collection}_links"}
        self.parameters: dict[str, Any] = {
            "limit": _ONE_NUMBER,
            "offset": _ONE_NUMBER,
            "marker": _ONE,
            "sort": _ONE,
            "sort_key": {"type": "array", "items": {"enum": list(self.sort_keys)}},
            "sort_dir": {"type": "array", "items": {"enum": list(SORT_DIRS)}},
            "all_tenants": _ONE,
            **dict.fromkeys(self.filters, _ONE),
            # Names are stored without blanks at their ends.
            "name": {**_ONE, "items": {"strip": True}},
        }

    def schema(self, item: views.Schema) -> views.Schema:
        """Schema of the document with a page of items."""
        links = views.listed(views.closed({"rel": {"enum": ["next"]}, "href": views.TEXT}))
        return views.closed(
            {self.collection: views.listed(item)}, dict.fromkeys(sorted(self.link_keys), links)
        )

    def parse(
        self, req: webob.Request, query: Mapping[str, list[str]], conf: cfg.ConfigOpts
    ) -> records.ListQuery:
        """What a checked query string asks for.

        ``all_tenants`` counts only for an administrator; others get their own project's list.

        :raises InvalidInput: parameters contradict each other, or a sort key or direction is
            unknown.
        """
        first = {name: values[0] for name, values in query.items()}
        all_tenants = validation.boolean("all_tenants", first.get("all_tenants", False))
        return records.ListQuery(
            limit=_bounded(first.get("limit"), conf.osapi_max_limit, conf.osapi_max_limit),
            offset=_bounded(first.get("offset"), MAX_OFFSET, 0),
            marker=first.get("marker"),
            sort=self._sort(query),
            filters={name: first[name] for name in self.filters if name in first},
            all_tenants=all_tenants and bool(wsgi.context_of(req).is_admin),
        )

    def answer(
        self,
        req: webob.Request,
        page: records.Page[records.Identified],
        items: list[dict[str, Any]],
        conf: cfg.ConfigOpts,
    ) -> dict[str, Any]:
        """The document with a page's items, and the link to the next page if there is one."""
        document: dict[str, Any] = {self.collection: items}
        if page.has_more and page.items:
            links = [{"rel": "next", "href": _next_href(req, page.items[-1].id, conf)}]
            document.update((key, links) for key in self.link_keys)
        return document

    def _sort(self, query: Mapping[str, list[str]]) -> tuple[tuple[str, str], ...]:
        keys = query.get("sort_key", [])
        dirs = query.get("sort_dir", [])
        if "sort" in query:
            if keys or dirs:
                validation.invalid("sort can't be combined with sort_key and sort_dir.")
            parts = [part.strip().partition(":") for part in query["sort"][0].split(",")]
            keys = [key for key, _, _ in parts]
            dirs = [direction or DEFAULT_SORT_DIR for _, _, direction in parts]
            self._check_sort("sort key", keys, self.sort_keys)
            self._check_sort("sort direction", dirs, SORT_DIRS)
        keys = keys or [DEFAULT_SORT_KEY]
        if len(dirs) > len(keys):
            validation.invalid("there are more sort directions than sort keys.")
        dirs = dirs + [DEFAULT_SORT_DIR] * (len(keys) - len(dirs))
        sort: dict[str, str] = {}
        for key, direction in zip(keys, dirs, strict=True):
            sort.setdefault(self._sort_aliases.get(key, key), direction)
        return tuple(sort.items())

    @staticmethod
    def _check_sort(what: str, given: Iterable[str], known: tuple[str, ...]) -> None:
        for name in given:
            if name not in known:
                validation.invalid(
                    f"the {what} {validation.shown(name)} is unknown; "
                    f"it must be one of {validation.names(known)}."
                )


def base_url(req: webob.Request, conf: cfg.ConfigOpts) -> str:
    """Scheme and authority under which clients reach the service, without a slash at the end.

    Proxies' X-Forwarded headers have been worked into the request by oslo.middleware.
    """
    url: str = conf.public_endpoint or req.host_url
    return url.rstrip("/")


def _next_href(req: webob.Request, marker: str, conf: cfg.ConfigOpts) -> str:
    kept = [
        (name, value)
        for name, value in validation.query_pairs(req)
        # The marker says where to go on; the offset has been skipped already.
        if name not in ("marker", "offset")
    ]
    query = urllib.parse.urlencode([*kept, ("marker", marker)])
    return f"{base_url(req, conf)}{req.path}?{query}"


def _bounded(digits: str | None, largest: int, default: int) -> int:
    if digits is None:
        return default
    digits = digits.lstrip("0") or "0"
    # So long a number is above any bound, and may have too many digits for int().
    return largest if len(digits) > 19 else min(int(digits), largest)
