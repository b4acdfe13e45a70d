# SPDX-License-Identifier: Apache-2.0
"""Every path of the two collections, below ``/v2`` and ``/v3`` alike, with or without a project."""

from typing import Any

from cg_extension.api import extensions

# Path → HTTP method → function of the collection's controller. HEAD goes where GET goes; any
# other method is answered with 405.
ROUTES = {
    "/consistencygroups": {"GET": "index", "POST": "create"},
    "/consistencygroups/detail": {"GET": "detail"},
    "/consistencygroups/create_from_src": {"POST": "create_from_src"},
    "/consistencygroups/{id}": {"GET": "show", "PUT": "update", "DELETE": "delete"},
    # The calls of the API reference; clients of today send PUT to the group itself.
    "/consistencygroups/{id}/delete": {"POST": "delete"},
    "/consistencygroups/{id}/update": {"PUT": "update"},
    "/consistencygroups/{id}/action": {"POST": "action"},
    "/cgsnapshots": {"GET": "index", "POST": "create"},
    "/cgsnapshots/detail": {"GET": "detail"},
    "/cgsnapshots/{id}": {"GET": "show", "DELETE": "delete"},
    "/cgsnapshots/{id}/action": {"POST": "action"},
}


def resource(collection: str, controller: Any) -> extensions.ResourceExtension:
    """The extension contract's form of one collection's part of the table."""
    actions: dict[str, dict[str, str]] = {"collection": {}, "member": {}}
    for path, functions in ROUTES.items():
        first, *rest = path.strip("/").split("/")
        if first != collection or not rest or rest == ["{id}"]:
            continue
        kind = "member" if rest[0] == "{id}" else "collection"
        [(method, name)] = functions.items()
        actions[kind][name] = method
    return extensions.ResourceExtension(
        collection, controller, actions["collection"], actions["member"]
    )
