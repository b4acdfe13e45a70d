# SPDX-License-Identifier: Apache-2.0
"""Answers held against what their calls declare, as ``[api] response_validation`` says.

A compiled function tells whether a body is as its schema says. Only if it is not, jsonschema, which
takes forty times as long, is asked for the place.
"""

import functools
from collections.abc import Callable, Mapping
from typing import Any

import fastjsonschema
import jsonschema
import webob
from oslo_log import log as logging

from cg_extension.api import answer, validation

LOG = logging.getLogger(__name__)

Schema = Mapping[str, Any]


# Elsewhere ``$`` is the end; to Python it stands before a line break at the end, too.
_FORMATS = {name: f"(?:{pattern})\\Z" for name, pattern in validation.FORMATS.items()}


class InvalidResponse(Exception):
    """An answer that is not as its call declares it. For the log: a client gets code 500."""


class Body:
    """The body of an answer.

    :param schema: of its JSON document; None: there is no body.
    """

    def __init__(self, schema: Schema | None) -> None:
        self.schema = None if schema is None else dict(schema)

    def mismatch(self, document: Any) -> str | None:
        """Where a document is not as the schema says, without its values; None if it is."""
        if self.schema is None:
            return None if document is None else "there should be no body"
        try:
            self._check(document)
        except fastjsonschema.JsonSchemaValueException:
            error = next(self._validator.iter_errors(document), None)
            return _place(error) if error else "$ is not as its schema says"
        return None

    def with_attributes(self, attributes: Schema) -> "Body":
        """This body, where each resource may have these attributes as well."""
        return Body(self.schema and _extended(self.schema, attributes))

    # Compiling takes some milliseconds, which most processes don't need to spend.
    @functools.cached_property
    def _check(self) -> Callable[[Any], Any]:
        check: Callable[[Any], Any] = fastjsonschema.compile(
            self.schema or {},
            formats=_FORMATS,
            use_default=False,
            detailed_exceptions=False,
        )
        return check

    @functools.cached_property
    def _validator(self) -> jsonschema.Draft202012Validator:
        return validation.compile_schema(self.schema or {})


def _extended(document: Schema, attributes: Schema) -> Schema:
    """The schema of a document of one resource or of a list of them, each with more attributes."""

    def extended(schema: Schema) -> Schema:
        if schema.get("type") == "array":
            return {**schema, "items": extended(schema["items"])}
        properties = schema.get("properties", {})
        if "id" not in properties:  # such as a link
            return schema
        return {**schema, "properties": {**properties, **attributes}}

    properties = {name: extended(schema) for name, schema in document["properties"].items()}
    return {**document, "properties": properties}


def _place(error: jsonschema.ValidationError) -> str:
    # Values may be secret, such as those of a connection.
    match error.validator:
        case "required":
            missing = [key for key in error.validator_value if key not in error.instance]
            return f"{error.json_path} lacks {validation.names(missing)}"
        case "additionalProperties" if error.validator_value is False:
            unknown = error.instance.keys() - error.schema.get("properties", {}).keys()
            return f"{error.json_path} has unknown keys: {validation.names(unknown)}"
        case rule:
            return f"{error.json_path} must have {rule} {validation.shown(error.validator_value)}"


def _mismatch(result: answer.Answer, bodies: Mapping[int, Body]) -> str | None:
    if result.status not in bodies:
        return f"the status {result.status} is not declared"
    return bodies[result.status].mismatch(result.document)


def _warn(req: webob.Request, result: answer.Answer, bodies: Mapping[int, Body]) -> None:
    mismatch = _mismatch(result, bodies)
    if mismatch is not None:
        LOG.warning("Invalid response to %s %s: %s", req.method, req.path, mismatch)


def _refuse(req: webob.Request, result: answer.Answer, bodies: Mapping[int, Body]) -> None:
    mismatch = _mismatch(result, bodies)
    if mismatch is not None:
        raise InvalidResponse(f"Invalid response to {req.method} {req.path}: {mismatch}")


CHECKS: Mapping[str, Callable[[webob.Request, answer.Answer, Mapping[int, Body]], None] | None] = {
    "ignore": None,
    "warn": _warn,
    "error": _refuse,
}
"""What is done about an answer, by the value of the option."""
