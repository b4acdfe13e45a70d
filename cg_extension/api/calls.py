# SPDX-License-Identifier: Apache-2.0
"""Every call as data: method, path, and what it takes and answers with, faults included.

For what describes the API: the OpenAPI document and the API reference. Versions and projects in
front of the paths are left out, and so are HEAD, which goes where GET goes, and the code 405 of all
other methods.
"""

import dataclasses
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from cg_extension.api import cgsnapshots, consistencygroups, extensions, receipts, routes, wsgi


@dataclasses.dataclass(frozen=True, slots=True)
class Entry:
    """One call.

    :param path: as in the tables of routes, such as ``/consistencygroups/{id}``.
    :param function: the name of the function of the class ``controller``.
    """

    method: str
    path: str
    controller: str
    function: str
    call: wsgi.Call

    @property
    def collection(self) -> str:
        """The first part of the path."""
        return self.path.split("/")[1]


def listed(
    tables: Mapping[Callable[..., Any], extensions.Table],
    extending: Mapping[Callable[..., Any], type] | None = None,
) -> Iterator[Entry]:
    """The calls of tables of routes.

    :param tables: controller class → its table.
    :param extending: controller class → that of the controller which extends its answers.
    """
    for controller, table in tables.items():
        others = [other for extended, other in (extending or {}).items() if extended is controller]
        for path, functions in table.items():
            for method, name in functions.items():
                call = wsgi.Call.of(controller, name, others)
                yield Entry(method, path, controller.__name__, name, call)


EXTENSION = tuple(
    listed(
        {
            consistencygroups.ConsistencyGroupsController: routes.CONSISTENCYGROUPS,
            cgsnapshots.CGSnapshotsController: routes.CGSNAPSHOTS,
        },
        {cgsnapshots.CGSnapshotsController: receipts.ReceiptController},
    )
)
"""The calls that both hosts have."""
