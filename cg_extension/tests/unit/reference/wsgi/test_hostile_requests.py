# SPDX-License-Identifier: Apache-2.0
"""No request to the host's own resources ends in an unexpected error."""

import json
from collections.abc import Iterator
from typing import Any

from cg_extension.reference.wsgi import routes
from cg_extension.tests.unit.reference.wsgi import base

VALUES: tuple[Any, ...] = (
    None,
    "",
    "\0",
    "\ud800",
    "😀" * 300,
    "x" * 70_000,
    -1,
    2**63,
    10**400,
    1.5,
    True,
    [],
    [[]],
    {},
    {"": ""},
    {"k": None},
    {"\0": "\0"},
)
RAW = (b"", b"{", b"null", b"[]", b'"x"', b"\xff", b'{"a":1,"a":2}', b"[" * 5000)
# First part of a path → the top key that its bodies have.
KEYS = {
    "volumes": "volume",
    "snapshots": "snapshot",
    "types": "volume_type",
    "os-quota-sets": "quota_set",
    "os-services": "host",
}
ACTIONS = (
    *("os-attach", "os-detach", "os-reset_status", "os-force_delete"),
    *("os-initialize_connection", "os-terminate_connection"),
)
IN_ACTIONS = (
    *("instance_uuid", "host_name", "mountpoint", "mode", "attachment_id", "connector"),
    *("status", "attach_status"),
)
INNER = (
    *("size", "name", "description", "metadata", "volume_type", "snapshot_id", "volume_id"),
    *("volumes", "is_public", "extra_specs"),
)
IDS = ("none", "%00", "%ff", "%F0%9F%98%80", "x" * 300)
QUERIES = ("limit=-1", "limit=x", "marker=x", "sort=x", "status=%00", "offset=99999999999999999999")


def _bodies(path: str) -> Iterator[bytes]:
    yield from RAW
    last = path.rsplit("/", 1)[1]
    keys = {
        "action": ACTIONS,
        "metadata": ("metadata",),
        "extra_specs": ("extra_specs",),
        "{key}": ("meta", "k"),
    }.get(last, (KEYS[path.split("/")[1]],))
    for value in VALUES:
        text = json.dumps(value)
        for key in keys:
            yield f'{{"{key}": {text}}}'.encode()
            for inner in IN_ACTIONS if last == "action" else INNER:
                yield f'{{"{key}": {{"{inner}": {text}}}}}'.encode()
        for key in ("host", "binary", "disabled_reason") if "os-services" in path else ():
            yield f'{{"host": "h", "binary": "b", "{key}": {text}}}'.encode()


class HostileRequestsTest(base.HostTestCase):
    def setUp(self) -> None:
        super().setUp()
        volume = self.volume()
        self.ids = (volume.id, self.snapshot(volume).id, self.default_type.id)

    def _paths(self) -> Iterator[tuple[str, str]]:
        for table in routes.ROUTES.values():
            for path, functions in table.items():
                for method in functions:
                    yield method, path

    def _check(self, method: str, path: str, body: bytes | None = None) -> None:
        answer = self.call(method, path, body)
        if answer.status_int >= 500:
            self.fail(f"{method} {path} {body!r}: {answer.text}")

    def test_no_body_is_too_much(self) -> None:
        for method, path in self._paths():
            if method in ("POST", "PUT"):
                for id in self.ids[:2] if "{id}" in path else ("",):
                    filled = path.format(id=id, key="k", alias="a")
                    for body in _bodies(path):
                        self._check(method, filled, body)

    def test_no_path_and_no_query_is_too_much(self) -> None:
        for method, path in self._paths():
            for id in (*IDS, *self.ids):
                self._check(method, path.format(id=id, key=id, alias=id), b"{}")
            for query in QUERIES:
                self._check(method, f"{path.format(id=self.ids[0], key='k', alias='a')}?{query}")
