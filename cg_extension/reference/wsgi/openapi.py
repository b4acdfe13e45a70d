# SPDX-License-Identifier: Apache-2.0
"""The OpenAPI 3.1 document of everything that the reference host serves, made from the code.

``python -m cg_extension.reference.wsgi.openapi`` prints it; ``api-ref/openapi.json`` is kept so
(``tools/generate_samples.sh``). Paths, parameters, bodies, statuses and faults are those that the
calls declare; here stands what holds for all of them, and what is answered before any call.
"""

import json
import re
import sys
from collections.abc import Iterator, Mapping
from typing import Any

from webob import util as webob_util

from cg_extension.api import calls, faults, microversions, validation, views
from cg_extension.api.views import cgsnapshots, consistencygroups
from cg_extension.reference.wsgi import health, routes, versions
from cg_extension.reference.wsgi.views import services, snapshots, volume_types, volumes

Document = dict[str, Any]

_DESCRIPTION = (
    "Consistency groups and group snapshots, and what the reference host serves around them. "
    "Calls of the tags `consistencygroups` and `cgsnapshots` are those that Cinder with the plugin "
    "has, too.\n\n"
    "Every path is there under `/v3` and `/v2` alike, with the project of the token in front or "
    "without. HEAD goes where GET goes; any other method that a path does not have is answered "
    "with 405 (`badMethod`). In a request, a key whose value is null counts as absent."
)
_SERVERS = [
    {
        "url": "/{version}/{project_id}",
        "description": "With the project, which must be the token's.",
        "variables": {
            "version": {"enum": ["v3", "v2"], "default": "v3"},
            "project_id": {"default": "project_id"},
        },
    },
    {
        "url": "/{version}",
        "description": "Without it.",
        "variables": {"version": {"enum": ["v3", "v2"], "default": "v3"}},
    },
]
_SECURITY_SCHEMES = {
    "token": {
        "type": "apiKey",
        "in": "header",
        "name": "X-Auth-Token",
        "description": "A token of Keystone's; with `auth_strategy = noauth` "
        "`USER:PROJECT[:ROLE,...]`.",
    },
    "basic": {
        "type": "http",
        "scheme": "basic",
        "description": "With `auth_strategy = http_basic`; the path then has the project.",
    },
}
# Schemas that are worth a name of their own.
_NAMED = {
    "ConsistencyGroup": consistencygroups.DETAIL,
    "ConsistencyGroupSummary": consistencygroups.SUMMARY,
    "CGSnapshot": cgsnapshots.DETAIL,
    "CGSnapshotSummary": cgsnapshots.SUMMARY,
    "Volume": volumes.DETAIL,
    "VolumeSummary": volumes.SUMMARY,
    "Snapshot": snapshots.DETAIL,
    "SnapshotSummary": snapshots.SUMMARY,
    "VolumeType": volume_types.DETAIL,
    "Service": services.LISTED,
    "Version": versions.SCHEMA,
}
_NAMES = {id(schema): name for name, schema in _NAMED.items()}
_VERSION_PARAMETER = {
    "name": microversions.HEADER,
    "in": "header",
    "description": "The microversion that the client asks for; the answer repeats it. What is "
    "asked of other services is ignored.",
    "schema": {"type": "string"},
    "example": f"volume {versions.MICROVERSIONS.newest}",
}
_REQUEST_ID = {
    "description": "The request's id, under which the service's log tells of it.",
    "schema": {"type": "string"},
}


def document() -> Document:
    """The whole document."""
    paths: dict[str, Document] = {}
    for entry in routes.CALLS:
        paths.setdefault(entry.path, {})[entry.method.lower()] = _operation(entry)
    codes = sorted(set().union(*(entry.call.codes for entry in routes.CALLS)))
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "cg_extension",
            "version": versions.MICROVERSIONS.newest,
            "description": _DESCRIPTION,
            "license": {"name": "Apache 2.0", "identifier": "Apache-2.0"},
        },
        "servers": _SERVERS,
        "security": [{name: []} for name in _SECURITY_SCHEMES],
        "paths": {**paths, **dict(_before_any_call())},
        "components": {
            "securitySchemes": _SECURITY_SCHEMES,
            "parameters": {"version": _VERSION_PARAMETER},
            "headers": {"x-openstack-request-id": _REQUEST_ID},
            "responses": {_fault_name(code): _fault(code) for code in codes},
            "schemas": {name: _contents(schema, False) for name, schema in _NAMED.items()},
        },
    }


def _operation(entry: calls.Entry) -> Document:
    call = entry.call
    operation: Document = {
        "operationId": entry.method.lower() + re.sub(r"\W+", "_", entry.path).rstrip("_"),
        "summary": " ".join((call.function.__doc__ or "").split()),
        "tags": [entry.collection],
        "parameters": [
            *(_path_parameter(entry, name) for name in re.findall(r"{(\w+)}", entry.path)),
            *(
                _query_parameter(name, schema)
                for name, schema in (call.query.parameters if call.query else {}).items()
            ),
            {"$ref": "#/components/parameters/version"},
        ],
    }
    # A DELETE may have a body, which nobody reads.
    if call.body is not None and entry.method != "DELETE":
        operation["requestBody"] = {
            "required": not call.body.optional,
            "content": _json(call.body.schema, request=True),
        }
    operation["responses"] = {
        **{str(status): _response(status, body.schema) for status, body in call.responses.items()},
        **{
            str(code): {"$ref": f"#/components/responses/{_fault_name(code)}"}
            for code in sorted(call.codes)
        },
    }
    return operation


def _path_parameter(entry: calls.Entry, name: str) -> Document:
    schema: Document = {"type": "string", "minLength": 1, "maxLength": 255}
    if name == "id" and entry.collection != "os-quota-sets":
        schema = {"type": "string", "format": "uuid"}
    return {"name": name, "in": "path", "required": True, "schema": schema}


def _query_parameter(name: str, schema: Mapping[str, Any]) -> Document:
    """:param schema: of the list of the values given, see ``validation.Query``."""
    value = _schema({"type": "string", **schema.get("items", {})}, request=False)
    if schema.get("maxItems") != 1:
        value = {"type": "array", "items": value}
    return {"name": name, "in": "query", "schema": value}


def _response(status: int, schema: Mapping[str, Any] | None) -> Document:
    response: Document = {
        # WebOb's: the standard library's are others in other releases of Python.
        "description": webob_util.status_reasons[status],
        "headers": {
            "x-openstack-request-id": {"$ref": "#/components/headers/x-openstack-request-id"}
        },
    }
    if schema is not None:
        response["content"] = _json(schema, request=False)
    return response


def _fault_name(code: int) -> str:
    # Two codes may have the same name in the answer.
    return f"{faults.NAMES[code]}{code}"


def _fault(code: int) -> Document:
    details = views.closed({"code": {"enum": [code]}, "message": views.TEXT})
    return _response(code, views.closed({faults.NAMES[code]: details}))


def _json(schema: Mapping[str, Any], *, request: bool) -> Document:
    return {"application/json": {"schema": _schema(schema, request)}}


def _schema(schema: Mapping[str, Any], request: bool) -> Document:
    """A schema of ours as it stands in the document.

    :param request: it is one of a request, where keys may be null, and then count as absent.
    """
    name = _NAMES.get(id(schema))
    return {"$ref": f"#/components/schemas/{name}"} if name else _contents(schema, request)


def _contents(schema: Mapping[str, Any], request: bool) -> Document:
    """As ``_schema``, without a look at names: formats are spelt out, our own keywords go."""
    result: Document = {}
    for key, value in schema.items():
        match key, value:
            case "properties", _:
                required = schema.get("required", ())
                result[key] = {
                    name: _schema(inner, request)
                    if not request or name in required
                    else _nullable(_schema(inner, request))
                    for name, inner in value.items()
                }
            case "additionalProperties", Mapping():
                inner = _schema(value, request)
                result[key] = _nullable(inner) if request else inner
            case (("items" | "propertyNames"), _):
                result[key] = _schema(value, request)
            case "format", "whole-number":
                result |= {"type": "integer", "minimum": 0}
            case "format", name if name != "uuid":
                result["pattern"] = validation.FORMATS[name]
            case "strip", _:
                pass
            case _:
                result[key] = value
    return result


def _nullable(schema: Document) -> Document:
    if "type" in schema:
        types = schema["type"] if isinstance(schema["type"], list) else [schema["type"]]
        return {**schema, "type": [*types, "null"]}
    if "enum" in schema:
        return {**schema, "enum": [*schema["enum"], None]}
    return schema


def _before_any_call() -> Iterator[tuple[str, Document]]:
    """What is answered without a token, beside the versions: their discovery and health."""
    discovery = views.closed({"versions": views.listed(versions.SCHEMA)})
    yield "/", _open("get_versions", "List the versions", {300: _response(300, discovery)})
    for version in versions.VERSIONS:
        answer = {200: _response(200, discovery)}
        yield f"/{version}", _open(f"get_{version}", f"Show version {version[1:]}", answer)
    text = {"text/plain": {"schema": views.TEXT}}
    states = {code: {**_response(code, None), "content": text} for code in (200, 503)}
    yield health.PATH, _open("get_health", "Tell whether the service can work", states)


def _open(name: str, summary: str, responses: Mapping[int, Document]) -> Document:
    return {
        "servers": [{"url": "/"}],
        "get": {
            "operationId": name,
            "summary": summary,
            "tags": ["discovery"],
            "security": [],
            "responses": {str(status): response for status, response in responses.items()},
        },
    }


if __name__ == "__main__":
    json.dump(document(), sys.stdout, indent=1)
    print()
