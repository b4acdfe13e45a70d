# SPDX-License-Identifier: Apache-2.0
"""What the code has: every call, with what it takes and what it may answer with.

All of it is read from the list of calls and the policy rules; of
version discovery and the health check, which are no controllers, only the paths.
"""

import collections
import dataclasses
import re
from collections.abc import Iterator, Mapping
from typing import Any

from cg_extension import policies
from cg_extension.api import calls as api_calls
from cg_extension.api import faults, wsgi
from cg_extension.contract import exceptions
from cg_extension.reference.wsgi import health, routes, versions

ANY_TYPE = frozenset({"string", "integer", "number", "boolean", "object", "array"})

FAULTS: Mapping[int, str] = faults.NAMES
"""Code → name of the document of a fault."""

# What no exception of ours stands for: a method that a path does not have, and the unexpected.
UNNAMED_ERRORS = frozenset({(405, "default"), (500, "default")})


@dataclasses.dataclass(frozen=True, slots=True)
class Parameter:
    """A key of a request's body: the JSON types that it may have, and whether it must be there."""

    types: frozenset[str]
    required: bool


@dataclasses.dataclass(frozen=True, slots=True)
class Call:
    """One call.

    :param path: with ``{}`` in the place of each of its parameters.
    :param errors: code and name of the class of each.
    :param rules: names of the policy rules that allow it.
    :param sort_keys: keys that a list can be sorted by.
    """

    method: str
    path: str
    statuses: frozenset[int]
    errors: frozenset[tuple[int, str]]
    rules: frozenset[str] = frozenset()
    query: frozenset[str] = frozenset()
    sort_keys: frozenset[str] = frozenset()
    body: Mapping[str, Parameter] = dataclasses.field(default_factory=dict)


def shape(path: str) -> str:
    """A path without the names of its parameters."""
    return "/".join("{}" if part.startswith("{") else part for part in path.split("/"))


def calls(prefix: str) -> list[Call]:
    """All calls, those in a project below ``prefix``."""
    rules = _rules()
    return [
        *(
            _call(
                entry,
                shape(prefix + entry.path),
                frozenset(rules[entry.method, shape(entry.path)]),
            )
            for entry in routes.CALLS
        ),
        Call("GET", "/", frozenset({300}), frozenset()),
        *(Call("GET", f"/{v}", frozenset({200}), frozenset()) for v in versions.VERSIONS),
        Call("GET", health.PATH, frozenset({200}), _named(exceptions.ServiceUnavailable)),
    ]


def common_errors() -> frozenset[tuple[int, str]]:
    """Errors that any call in a project may end in."""
    return _named(*wsgi.COMMON_ERRORS) | UNNAMED_ERRORS


def _rules() -> Mapping[tuple[str, str], set[str]]:
    """Names of policy rules by method and shape of the path."""
    found: dict[tuple[str, str], set[str]] = collections.defaultdict(set)
    for rule in policies.list_rules():
        for operation in getattr(rule, "operations", ()):
            # Behind the path may stand an action or a query.
            path = re.split(r"[ ?]", operation["path"])[0]
            found[operation["method"], shape(path)].add(rule.name)
    return found


def _call(entry: api_calls.Entry, path: str, rules: frozenset[str]) -> Call:
    body, errors = entry.call.body, set(entry.call.errors)
    if entry.method == "DELETE":
        # Its body has no meaning, and is not read.
        body = None
        errors.discard(exceptions.OverLimit)
    query = entry.call.query.parameters if entry.call.query else {}
    return Call(
        method=entry.method,
        path=path,
        statuses=frozenset(entry.call.responses),
        errors=_named(*errors) | UNNAMED_ERRORS,
        rules=rules,
        query=frozenset(query),
        sort_keys=frozenset(query["sort_key"]["items"]["enum"] if "sort_key" in query else ()),
        body=dict(_keys(body.schema)) if body else {},
    )


def _named(*errors: type[exceptions.CGExtensionError]) -> frozenset[tuple[int, str]]:
    return frozenset((error.code, error.__name__) for error in errors)


def _keys(schema: Mapping[str, Any]) -> Iterator[tuple[str, Parameter]]:
    """Every key of a body, at all levels; one whose name is free is called ``{key}``."""
    if "properties" not in schema and isinstance(schema.get("additionalProperties"), dict):
        yield "{key}", Parameter(_types(schema["additionalProperties"]), True)
    required = schema.get("required", ())
    for name, value in schema.get("properties", {}).items():
        yield name, Parameter(_types(value), name in required)
        if "properties" in value:
            yield from _keys(value)


def _types(schema: Mapping[str, Any]) -> frozenset[str]:
    if "enum" in schema:
        return frozenset("string" if isinstance(v, str) else "boolean" for v in schema["enum"])
    types = schema.get("type", ANY_TYPE)
    return frozenset({types} if isinstance(types, str) else types)
