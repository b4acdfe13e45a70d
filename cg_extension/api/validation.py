# SPDX-License-Identifier: Apache-2.0
"""Requests' bodies and query strings: read strictly, checked against a schema, without nulls.

Schemas are compiled once, when a controller's module is loaded. The first fault is raised as an
InvalidInput whose message says what would be right. ``"strip": True`` is a keyword of ours: blanks
at both ends of the text are removed.
"""

import email.message
import json
import math
import re
import urllib.parse
from collections.abc import Iterable, Mapping
from typing import Any, NoReturn

import jsonschema
import webob
from oslo_utils import strutils

from cg_extension.contract import exceptions

# Levels of nested objects and lists; the deepest body that any call takes has four.
MAX_DEPTH = 16
# Parameters in one query string.
MAX_PARAMETERS = 100

MEDIA_TYPES = ("application/json", "application/vnd.openstack.volume+json")
"""Media types of a body; version discovery names the second, with a version."""

# JSON is UTF-8 (RFC 8259), of which ASCII is a subset.
_CHARSETS = ("utf-8", "utf8", "us-ascii")

# NUL, which not every database stores, and halves of surrogate pairs, which are not text.
_UNSTORABLE = re.compile("[\x00\ud800-\udfff]")
_CONTROL = re.compile("[\x00-\x1f\x7f-\x9f]")
# White space except control characters, which are refused anywhere. None is beyond U+3000.
_BLANKS = "".join(
    char for char in map(chr, range(0x3001)) if char.isspace() and not _CONTROL.match(char)
)
# Form of the values of each format that schemas name, as a pattern that JSON schemas can have, too.
FORMATS = {
    "line": r"^[^\x00-\x1f\x7f-\x9f]*$",
    "text": r"^[^\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]*$",
    "uuid": r"^[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}$",
    "whole-number": r"^[0-9]+$",
    "digits": r"^[0-9]{1,10}$",
    "timestamp": r"^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}\.[0-9]{6}$",
}
FORMAT_CHECKER = jsonschema.FormatChecker(formats=())
_UUID = re.compile(FORMATS["uuid"])


def _add_format(name: str, pattern: str) -> None:
    # Not ``match``: ``$`` also stands before a line break at the end.
    matches = re.compile(pattern).fullmatch
    FORMAT_CHECKER.checks(name)(lambda value: not isinstance(value, str) or bool(matches(value)))


for _name, _pattern in FORMATS.items():
    _add_format(_name, _pattern)

# What a value of each format is, for messages.
_FORMAT_NAMES = {
    "line": "text without control characters",
    "text": "text without control characters other than line breaks and tabs",
    "uuid": "a UUID",
    "whole-number": "a whole number, 0 or more",
    "digits": "a whole number of at most 10 digits",
}
_TYPE_NAMES = {
    "object": "an object",
    "array": "a list",
    "string": "a string",
    "integer": "an integer",
    "number": "a number",
    "boolean": "a boolean",
}


def is_uuid(text: str) -> bool:
    """Whether ``text`` has the form of our resources' ids."""
    return _UUID.fullmatch(text) is not None


def boolean(name: str, value: bool | str) -> bool:
    """The value of the parameter ``name``, a boolean or one of oslo's words for one.

    :raises InvalidInput: it is any other string.
    """
    try:
        return strutils.bool_from_string(value, strict=True)
    except ValueError:
        invalid(f"{name} must be a boolean; it is {shown(value)}.")


def invalid(reason: str) -> NoReturn:
    """:raises InvalidInput: always, for ``reason``."""
    raise exceptions.InvalidInput(reason=reason)


class Body:
    """The JSON object that a call takes.

    :param schema: of the whole body, with the one top key.
    :param optional: a request without a body counts as one with ``{}``.
    """

    def __init__(self, schema: Mapping[str, Any], *, optional: bool = False) -> None:
        self.schema = schema
        self._validator = compile_schema(schema)
        self.optional = optional

    def load(self, req: webob.Request) -> dict[str, Any]:
        """The body of ``req``.

        :raises InvalidInput: it is missing, not JSON, or not as the schema says.
        """
        try:
            raw = req.body
        except (OSError, ValueError):
            # This is how servers report that the client broke off or sent malformed chunks.
            invalid("the request body broke off or is badly chunked; it must come whole.")
        if not raw:
            if self.optional:
                return {}
            invalid("a request body is needed, a JSON object.")
        _check_content_type(req.environ.get("CONTENT_TYPE", ""))
        document = parse(raw)
        if not isinstance(document, dict):
            invalid("the body must be a JSON object.")
        stripped: dict[str, Any] = _stripped(document, self.schema)
        _check(self._validator, stripped, "the body", "keys")
        return stripped


class Query:
    """The query parameters that a call takes.

    :param parameters: name → JSON schema of the list of the values given for it.
    """

    def __init__(self, parameters: Mapping[str, Any]) -> None:
        self.parameters = parameters
        self._schema = {
            "type": "object",
            "properties": parameters,
            "additionalProperties": False,
        }
        self._validator = compile_schema(self._schema)

    def load(self, req: webob.Request) -> dict[str, list[str]]:
        """The parameters of ``req``: name → values in their order.

        :raises InvalidInput: one is unknown (those known are named) or not as its schema says.
        """
        values: dict[str, list[str]] = {}
        for name, value in query_pairs(req):
            values.setdefault(name, []).append(value)
        if values:
            values = _stripped(values, self._schema)
            _check(self._validator, values, "the query string", "parameters")
        return values


def _check_content_type(header: str) -> None:
    """:raises InvalidInput: the header names anything but JSON in UTF-8."""
    if not header.strip():
        return
    # It follows HTTP's rules for this header, too: names in any case, quotes, blanks.
    message = email.message.Message()
    message["Content-Type"] = header
    if message.get_content_type() not in MEDIA_TYPES or not header.isascii():
        invalid(f"the Content-Type must be application/json, not {shown(header)}.")
    # Of the asterisks in names of parameters, which mail alone has, some are too much for it.
    if "*" in header or message.get_content_charset("utf-8") not in _CHARSETS:
        invalid(f"the charset of the Content-Type must be UTF-8; it is {shown(header)}.")


def query_pairs(req: webob.Request) -> list[tuple[str, str]]:
    """Names and values of the query string, in order.

    :raises InvalidInput: it is not UTF-8, or has NUL characters or too many parameters.
    """
    if not req.query_string:
        return []
    try:
        pairs = urllib.parse.parse_qsl(
            req.query_string.encode("latin-1").decode(),
            keep_blank_values=True,
            errors="strict",
            max_num_fields=MAX_PARAMETERS,
        )
    except UnicodeError:
        invalid("the query string must be UTF-8.")
    except ValueError:
        invalid(f"the query string must have at most {MAX_PARAMETERS} parameters.")
    for text in (text for pair in pairs for text in pair):
        _check_text(text)
    return pairs


def parse(raw: bytes) -> Any:
    """Read JSON by RFC 8259, and more strictly: no key twice, no NaN, no NUL, bounded depth.

    :returns: the document without the keys whose value is null.
    :raises InvalidInput: it is not such JSON.
    """
    try:
        document = json.loads(
            raw.decode(),
            object_pairs_hook=_object,
            parse_constant=_no_constant,
            parse_float=_finite,
        )
    except (ValueError, RecursionError):
        # An integer of thousands of digits gives a ValueError, too.
        invalid("the body is not valid JSON in UTF-8.")
    _check_tree(document)
    return document


def _stripped(value: Any, schema: Mapping[str, Any]) -> Any:
    """``value`` without blanks at the ends of those texts that ``schema`` marks for it."""
    if isinstance(value, dict):
        properties = schema.get("properties", {})
        return {key: _stripped(item, properties.get(key, {})) for key, item in value.items()}
    if isinstance(value, list):
        return [_stripped(item, schema.get("items", {})) for item in value]
    if isinstance(value, str) and schema.get("strip"):
        return value.strip(_BLANKS)
    return value


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    names = {name for name, _ in pairs}
    if len(names) < len(pairs):
        invalid("a JSON object has the same key twice.")
    return {_check_text(name): value for name, value in pairs if value is not None}


def _no_constant(name: str) -> NoReturn:
    invalid(f"{name} is not valid JSON.")


def _finite(digits: str) -> float:
    number = float(digits)
    if not math.isfinite(number):
        invalid("a number is too large.")
    return number


def _check_text(text: str) -> str:
    if _UNSTORABLE.search(text):
        invalid("NUL characters and lone surrogates are not allowed in text.")
    return text


def _check_tree(document: Any) -> None:
    """Check depth and strings, level by level."""
    level = [document]
    for _ in range(MAX_DEPTH):
        following: list[Any] = []
        for value in level:
            if isinstance(value, str):
                _check_text(value)
            elif isinstance(value, dict):
                following.extend(value.values())
            elif isinstance(value, list):
                following.extend(value)
        if not following:
            return
        level = following
    invalid(f"the body is nested deeper than {MAX_DEPTH} levels.")


def compile_schema(schema: Mapping[str, Any]) -> jsonschema.Draft202012Validator:
    """A validator that knows our formats.

    :raises jsonschema.SchemaError: it is no schema.
    """
    jsonschema.Draft202012Validator.check_schema(schema)
    return jsonschema.Draft202012Validator(schema, format_checker=FORMAT_CHECKER)


def _check(
    validator: jsonschema.Draft202012Validator, document: Any, whole: str, entries: str
) -> None:
    """Check a ``document`` that messages call ``whole`` and its entries ``entries``."""
    error = next(validator.iter_errors(document), None)
    if error is not None:
        invalid(_explain(error, whole, entries))


def _explain(error: jsonschema.ValidationError, whole: str, entries: str) -> str:
    """What was wrong and what would be right, in one sentence."""
    keys = [part for part in error.absolute_path if isinstance(part, str)]
    where = keys[-1] if keys else whole
    if "propertyNames" in list(error.absolute_schema_path)[-2:]:
        where = f"a key of {where}"
    value, expected = error.instance, error.validator_value
    match error.validator:
        case "additionalProperties":
            known = error.schema.get("properties", {})
            unknown = names(shown(key, 64) for key in value if key not in known)
            rest = f"those known are {names(known)}" if known else "none is taken here"
            return f"{where} has unknown {entries}: {unknown}; {rest}."
        case "required":
            missing = names(key for key in expected if key not in value)
            return f"{where} must have {missing}."
        case "type":
            wanted = expected if isinstance(expected, list) else [expected]
            right = " or ".join(_TYPE_NAMES[name] for name in wanted)
            return f"{where} must be {right}; it is {shown(value)}."
        case "format":
            return f"{where} must be {_FORMAT_NAMES[expected]}; it is {shown(value)}."
        case "enum":
            allowed = names(each if isinstance(each, str) else shown(each) for each in expected)
            choice = "one of " if len(expected) > 1 else ""
            return f"{where} must be {choice}{allowed}; it is {shown(value)}."
        case "maxLength":
            return f"{where} must have at most {expected} characters; it has {len(value)}."
        case "minLength" if expected == 1:
            return f"{where} must not be empty."
        case "minimum" | "maximum":
            bounds = {"at least": "minimum", "at most": "maximum"}
            right = " and ".join(
                f"{words} {error.schema[name]}"
                for words, name in bounds.items()
                if name in error.schema
            )
            return f"{where} must be {right}; it is {shown(value)}."
        case "minProperties" | "maxProperties" if expected == 1:
            least = error.validator == "minProperties"
            known = names(error.schema.get("properties", {}))
            if known:
                return f"{where} must have {'' if least else 'only '}one of {known}."
            return f"{where} must have {'at least' if least else 'only'} one key."
        case "maxItems" if isinstance(value, list) and expected == 1:
            return f"{where} must be given only once."
        case _:
            return f"{where}: {error.message[:200]}."


def names(items: Iterable[str]) -> str:
    """A sorted enumeration for a message."""
    return ", ".join(sorted(items))


def shown(value: Any, length: int = 100) -> str:
    """A client's value as it may stand in a message: one line, not too long."""
    text = json.dumps(value, ensure_ascii=False)
    text = _CONTROL.sub("?", text)
    return text if len(text) <= length else f"{text[:length]}…"
