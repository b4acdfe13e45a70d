# SPDX-License-Identifier: Apache-2.0
"""Every path of the two collections, below ``/v2`` and ``/v3`` alike, with or without a project.

Path → HTTP method → function of the collection's controller. HEAD goes where GET goes; any other
method is answered with 405.
"""

CONSISTENCYGROUPS = {
    "/consistencygroups": {"GET": "index", "POST": "create"},
    "/consistencygroups/detail": {"GET": "detail"},
    "/consistencygroups/create_from_src": {"POST": "create_from_src"},
    "/consistencygroups/{id}": {"GET": "show", "PUT": "update", "DELETE": "delete"},
    # The API reference's calls for these; today's clients send PUT to the group itself.
    "/consistencygroups/{id}/delete": {"POST": "delete"},
    "/consistencygroups/{id}/update": {"PUT": "update"},
    "/consistencygroups/{id}/action": {"POST": "action"},
}
CGSNAPSHOTS = {
    "/cgsnapshots": {"GET": "index", "POST": "create"},
    "/cgsnapshots/detail": {"GET": "detail"},
    "/cgsnapshots/{id}": {"GET": "show", "DELETE": "delete"},
    "/cgsnapshots/{id}/action": {"POST": "action"},
}
ROUTES = CONSISTENCYGROUPS | CGSNAPSHOTS
