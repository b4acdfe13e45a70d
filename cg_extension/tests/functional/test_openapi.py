# SPDX-License-Identifier: Apache-2.0
"""Requests that schemathesis makes up from ``api-ref/openapi.json``, to a running service.

Whatever is asked, as the document has it or not: the answer has a status, a content type, headers
and a body that the document tells of, and none is a 500; what the document does not allow is
refused. The service holds its answers against the schemas of the code, too.
"""

import pathlib
import uuid
from typing import Any

import schemathesis
from hypothesis import HealthCheck, errors, given, settings
from schemathesis import schemas
from schemathesis.generation import GenerationMode
from schemathesis.generation.case import Case
from schemathesis.specs.openapi import checks

import cg_extension
from cg_extension.tests import http_client, long
from cg_extension.tests.functional import base

DOCUMENT = pathlib.Path(cg_extension.__file__).parents[1] / "api-ref" / "openapi.json"
PROJECT = "demo"
CHECKS = [
    checks.status_code_conformance,
    checks.content_type_conformance,
    checks.response_headers_conformance,
    checks.response_schema_conformance,
    checks.negative_data_rejection,
]
# Requests of each kind to each operation.
EXAMPLES = 40 if long.WANTED else 4
OPTIONS: dict[str, Any] = {
    "max_examples": EXAMPLES,
    "deadline": None,
    "database": None,
    "derandomize": not long.WANTED,
    "suppress_health_check": list(HealthCheck),
}


# The token is right; who asks without one has tests of his own.
CONFIG = {"generation": {"with-security-parameters": False}}


def load() -> schemas.BaseSchema:
    """The document."""
    return schemathesis.openapi.from_path(DOCUMENT, config=schemathesis.Config.from_dict(CONFIG))


class Resources:
    """Something real for the ids in paths; made again when a request has deleted it."""

    def __init__(self, client: http_client.Client) -> None:
        self._client = client
        self._made: dict[str, str] = {}

    def parameters(self, path: str) -> dict[str, str]:
        """Values for the parameters of a path; none where any value will do."""
        collection = path.split("/")[1]
        if hasattr(self, f"_make_{collection}"):
            return {"id": self._get(collection)} if "{id}" in path else {}
        return {"alias": "consistencygroups"} if "{alias}" in path else {}

    def _get(self, collection: str) -> str:
        known = self._made.get(collection)
        path = f"/{collection}/{known}"
        if known is None or self._client.request("GET", path).status_code == 404:
            known = self._made[collection] = getattr(self, f"_make_{collection}")()
        return known

    def _make_types(self) -> str:
        body = {"volume_type": {"name": uuid.uuid4().hex}}
        [created] = self._client.post("/types", body).values()
        return str(created["id"])

    def _make_consistencygroups(self) -> str:
        body = {"consistencygroup": {"volume_types": "__DEFAULT__"}}
        group = self._client.create("/consistencygroups", body)
        self._client.create("/volumes", {"volume": {"size": 1, "consistencygroup_id": group}})
        return group

    def _make_cgsnapshots(self) -> str:
        body = {"cgsnapshot": {"consistencygroup_id": self._make_consistencygroups()}}
        return self._client.create("/cgsnapshots", body)

    def _make_volumes(self) -> str:
        return self._client.create("/volumes", {"volume": {"size": 1, "metadata": {"a": "b"}}})

    def _make_snapshots(self) -> str:
        body = {"snapshot": {"volume_id": self._make_volumes(), "metadata": {"a": "b"}}}
        return self._client.create("/snapshots", body)


def _has_null(value: Any) -> bool:
    if isinstance(value, dict):
        return any(map(_has_null, value.values()))
    return (isinstance(value, list) and any(map(_has_null, value))) or value is None


class OpenAPITest(base.FunctionalTest):
    def setUp(self) -> None:
        super().setUp()
        unlimited = {
            f"quota_{name}": -1 for name in ("groups", "volumes", "snapshots", "gigabytes")
        }
        self.service = self.useFixture(base.Standalone({"DEFAULT": unlimited}))
        self.client = self.service.client(PROJECT)
        self.resources = Resources(self.client)

    def test_every_answer_is_as_documented(self) -> None:
        for result in load().get_all_operations():
            operation = result.ok()
            with self.subTest(operation=operation.label):
                real = self.resources.parameters(operation.path)
                self._send(operation, GenerationMode.POSITIVE, real)
                self._send(operation, GenerationMode.NEGATIVE, real)
                if real:
                    self._send(operation, GenerationMode.NEGATIVE, {})

    def _send(
        self, operation: schemas.APIOperation, mode: GenerationMode, parameters: dict[str, str]
    ) -> None:
        is_discovery = "discovery" in (operation.tags or ())
        url = self.service.url if is_discovery else f"{self.service.url}/v3/{PROJECT}"

        @settings(**OPTIONS)
        @given(case=operation.as_strategy(mode, path_parameters=parameters))
        def send(case: Case) -> None:
            answer = case.call(base_url=url, headers={"X-Auth-Token": self.client.token})
            # 503 is right where no backend has room.
            self.assertNotEqual(500, answer.status_code, answer.text)
            # Whatever is wrong with a key, null takes it out of the request.
            excluded = [checks.negative_data_rejection] if _has_null(case.body) else []
            case.validate_response(answer, checks=CHECKS, excluded_checks=excluded)

        try:
            send()
        except errors.Unsatisfiable:
            # What takes nothing can't be asked wrongly.
            self.assertEqual(GenerationMode.NEGATIVE, mode)
