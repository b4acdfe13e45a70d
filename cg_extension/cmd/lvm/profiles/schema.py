# SPDX-License-Identifier: Apache-2.0
"""The keys of a profile, and what is wrong with a document, in words that say what is right.

``description`` completes the sentence "it must be …".
"""

import datetime
import json
from collections.abc import Iterator, Mapping
from typing import Any

import jsonschema

from cg_extension.conf import lvm as lvm_options

_COMMAND = {
    "description": "a list of the program, by its whole path, and its arguments: no shell reads it",
    "type": "array",
    "items": {"description": "text", "type": "string", "pattern": r"\A[^\x00]*\Z"},
    "minItems": 1,
}
_COUNT = {
    "description": "how many to keep, a whole number; -1 for all",
    "type": "integer",
    "minimum": -1,
}
_PERCENT = {
    "description": "a percentage above 0, and 100 at most",
    "type": "number",
    "exclusiveMinimum": 0,
    "maximum": 100,
}


def _table(description: str, properties: Mapping[str, Any], *required: str) -> dict[str, Any]:
    return {
        "description": description,
        "type": "object",
        "properties": properties,
        "required": list(required),
        "additionalProperties": False,
    }


def _range(option: Any, what: str, kind: str) -> dict[str, Any]:
    """As the option of ``cg-lvm snapshot``."""
    least, most = option.type.min, option.type.max
    return {
        "description": f"{what} from {least:g} to {most:g}",
        "type": kind,
        "minimum": least,
        "maximum": most,
    }


HOOK = _table(
    "a table with a hook's name, user, and what to run",
    {
        "name": {
            "description": "letters, digits and _ . -",
            "type": "string",
            "pattern": r"\A[A-Za-z0-9_.-]{1,64}\Z",
        },
        "user": {
            "description": "the name of the user that it runs as",
            "type": "string",
            "pattern": r"\A[^:\x00-\x20]+\Z",
        },
        "before": _COMMAND,
        "session": _COMMAND,
        "after": _COMMAND,
        "time-limit": {
            "description": "seconds above 0, and a day at most",
            "type": "number",
            "exclusiveMinimum": 0,
            "maximum": 86400,
        },
        "consistency": {
            "description": "a word for what it makes of the content: letters, digits and _ . -",
            "type": "string",
            "pattern": r"\A[A-Za-z0-9_.-]{1,64}\Z",
        },
    },
    *("name", "user"),
)

PROFILE = _table(
    "a profile",
    {
        "members": {
            "description": "a list of mount points, directories, files, devices or VG/LV",
            "type": "array",
            # No path from where somebody calls it: the timer calls it elsewhere.
            "items": {
                "description": "VG/LV, or a whole path: one that begins with /",
                "type": "string",
                "pattern": r"\A(/|(?!\.\.?/)[^/\x00]+/)[^\x00]*\Z",
            },
            "minItems": 1,
        },
        "with-submounts": {"description": "true or false", "type": "boolean"},
        "name": {
            "description": "a name with {time} in it, and {profile} if wanted: letters, digits "
            "and + _ . - beside them, at the beginning a letter, a digit or _",
            "type": "string",
            "pattern": r"\A(?=.*\{time\})(?![+.-])([A-Za-z0-9+_.-]|\{time\}|\{profile\})+\Z",
        },
        "deadline": _range(lvm_options.FREEZE_DEADLINE, "seconds", "number"),
        "cow-percent": _range(lvm_options.COW_PERCENT, "a percentage, whole,", "integer"),
        "metrics-directory": {
            "description": "the whole path of the node exporter's directory of text files",
            "type": "string",
            "pattern": r"\A/[^\x00]*\Z",
        },
        "keep": _table(
            "a table of how many to keep",
            dict.fromkeys(("last", "hourly", "daily", "weekly", "monthly"), _COUNT),
        ),
        "pool-limits": _table(
            "a table of limits",
            dict.fromkeys(("data-percent", "metadata-percent"), _PERCENT),
        ),
        "hooks": {
            "description": "a list of tables, each begun with [[hooks]]",
            "type": "array",
            "items": HOOK,
        },
    },
    "members",
)

_VALIDATOR = jsonschema.Draft202012Validator(PROFILE)


def faults(document: Mapping[str, Any]) -> list[str]:
    """What is wrong with a document, one sentence for each fault, in the order of its keys."""
    found = sorted(_VALIDATOR.iter_errors(document), key=lambda error: error.json_path)
    # Each key that is missing makes an error, which does not say which one it is about.
    return list(dict.fromkeys(told for error in found for told in _told(error)))


def _told(error: jsonschema.ValidationError) -> Iterator[str]:
    where = _place(error)
    schema = error.schema
    assert isinstance(schema, Mapping)  # noqa: S101 - each of ours is; a schema may be a boolean
    if error.validator == "additionalProperties":
        known = ", ".join(sorted(schema["properties"]))
        for key in sorted(set(error.instance) - set(schema["properties"])):
            yield f"{_joined(where, key)} is not known; the keys here are {known}"
    elif error.validator == "required":
        for key in schema["required"]:
            if key not in error.instance:
                right = schema["properties"][key]["description"]
                yield f"{_joined(where, key)} is missing; it must be {right}"
    else:
        yield f"{where} is {_shown(error.instance)}; it must be {schema['description']}"


def _place(error: jsonschema.ValidationError) -> str:
    """The key as the file has it, counted from 1 where it is one of several."""
    where = ""
    for part in error.absolute_path:
        where = f"{where}[{part + 1}]" if isinstance(part, int) else _joined(where, str(part))
    return where


def _joined(where: str, key: str) -> str:
    return f"{where}.{key}" if where else key


def _shown(value: Any) -> str:
    """A value as a file has it, or nearly so."""
    if isinstance(value, datetime.date | datetime.time):
        return str(value)
    text = json.dumps(value, ensure_ascii=False, default=str)
    return text if len(text) <= 80 else f"{text[:80]}…"
