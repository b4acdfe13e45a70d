# SPDX-License-Identifier: Apache-2.0
"""The OpenAPI document that is kept is the code's; else run ``tools/generate_samples.sh``."""

import json
import pathlib

import openapi_spec_validator
from oslotest import base

import cg_extension
from cg_extension.reference.wsgi import openapi

KEPT = pathlib.Path(cg_extension.__file__).parents[1] / "api-ref" / "openapi.json"


class OpenAPITest(base.BaseTestCase):
    def test_it_is_up_to_date(self) -> None:
        self.assertEqual(json.loads(KEPT.read_text()), openapi.document())

    def test_it_is_valid(self) -> None:
        openapi_spec_validator.validate(openapi.document())

    def test_every_operation_has_an_id_of_its_own(self) -> None:
        operations = [
            operation
            for methods in openapi.document()["paths"].values()
            for method, operation in methods.items()
            if method != "servers"
        ]
        ids = {operation["operationId"] for operation in operations}
        self.assertEqual(len(operations), len(ids))
