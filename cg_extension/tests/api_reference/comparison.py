# SPDX-License-Identifier: Apache-2.0
"""Where the API reference and the code differ, in either direction."""

import collections
import dataclasses
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from cg_extension.tests.api_reference import code, reference

# Of a query string everything is text; this is what that text may stand for.
_QUERY_TYPES = {"string", "integer", "boolean"}

_JSON_TYPES = {
    str: "string",
    int: "integer",
    float: "number",
    bool: "boolean",
    dict: "object",
    list: "array",
    type(None): "null",
}


@dataclasses.dataclass(frozen=True, slots=True)
class Difference:
    """One of them. ``line`` is that of the call's section, None for none."""

    message: str
    document: str = "index.rst"
    line: int | None = None

    def __str__(self) -> str:
        return f"{self.document}:{self.line or 1}: {self.message}"


def differences(known: reference.Reference) -> Iterator[Difference]:
    """Everything that one of the two has and the other has not."""
    there = {(call.method, call.path): call for call in code.calls(code.shape(reference.PREFIX))}
    told: dict[tuple[str, str], list[reference.Call]] = collections.defaultdict(list)
    for call in known.calls:
        told[call.method, code.shape(call.path)].append(call)
    for method, path in there.keys() - told.keys():
        yield Difference(f"{method} {path} is not in the reference")
    for key, sections in told.items():
        if key not in there:
            yield _at(sections[0], f"the code has no {key[0]} {key[1]}")
        else:
            yield from _of_call(there[key], sections, known)
    for call in known.calls:
        yield from _of_section(call)
    yield from _of_the_whole(known)


def _of_call(
    there: code.Call, sections: list[reference.Call], known: reference.Reference
) -> Iterator[Difference]:
    """:param sections: those of the call; actions have one each."""
    first = sections[0]
    statuses = {status for section in sections for status in section.statuses}
    yield from _sets(first, "success status", there.statuses, statuses)
    errors = {error for section in sections for error in section.errors}
    # Version discovery and the health check come before all that could fail so.
    if there.errors >= code.UNNAMED_ERRORS:
        errors |= known.errors
    yield from _sets(first, "error", there.errors, errors)
    rules = {rule for section in sections for rule in section.rules}
    yield from _sets(first, "policy rule", there.rules, rules)
    sort_keys = {key for section in sections for key in section.sort_keys}
    yield from _sets(first, "sort key", there.sort_keys, sort_keys)
    query = _joined(section.request["query"] for section in sections)
    yield from _sets(first, "query parameter", there.query, query)
    body = _joined(section.request["body"] for section in sections)
    yield from _sets(first, "key of the body", there.body, body)
    for name, each in query.items():
        if each.required or each.type not in _QUERY_TYPES:
            yield _at(first, f"query parameter {name} can't be required, nor of type {each.type}")
    for name in body.keys() & there.body.keys():
        types, required = there.body[name].types, there.body[name].required
        if body[name].type not in types:
            right = " or ".join(sorted(types))
            yield _at(first, f"{name} is of type {right}, not {body[name].type}")
        if body[name].required != required:
            yield _at(first, f"{name} is {'required' if required else 'optional'}")


def _of_section(call: reference.Call) -> Iterator[Difference]:
    """What one section says at one place and not at another."""
    in_path = {part[1:-1] for part in call.path.split("/") if part.startswith("{")}
    yield from _sets(call, "parameter of the path", in_path, call.request["path"])
    if not call.statuses:
        yield _at(call, f"{call.title}: no success status")
    for name, each in call.response.items():
        if each.place != "body":
            yield _at(call, f"{name} of the answer is in {each.place}")
    body = call.request["body"]
    if body and not any(sample.request is not None for sample in call.samples.values()):
        yield _at(call, f"{call.title}: no sample of a request")
    if call.response and not _answers(call):
        yield _at(call, f"{call.title}: no sample of an answer")
    if call.samples and not call.response and _answers(call):
        yield _at(call, f"{call.title}: a sample of an answer that has no parameters")
    for sample in call.samples.values():
        if sample.request is not None:
            unknown = set(_keys(sample.request, body)) - body.keys()
            if unknown and "{key}" not in body:
                yield _at(call, f"{sample.name}: the request has {_names(unknown)}")
    required = {name for name, each in call.response.items() if each.required} - {"{key}"}
    for sample in _answers(call):
        keys = set(_keys(sample.response, call.response))
        unknown = keys - call.response.keys()
        if unknown and "{key}" not in call.response:
            yield _at(call, f"{sample.name}: the answer has {_names(unknown)}")
        if missing := required - keys:
            yield _at(call, f"{sample.name}: the answer lacks {_names(missing)}")
    seen = collections.defaultdict(set)
    for sample in _answers(call):
        for name, value in _items(sample.response, call.response):
            seen[name].add(_JSON_TYPES[type(value)])
    for name, each in call.response.items():
        # Where something has two forms, its description tells of the other.
        if (types := seen[name] - {"null"}) and each.type not in types:
            yield _at(call, f"{name} of the answer is of type {_names(types)}, not {each.type}")


def _of_the_whole(known: reference.Reference) -> Iterator[Difference]:
    """What stands in files of its own or on the index page, and what no section uses of it."""
    for name in known.parameters.keys() - known.used_parameters:
        yield Difference(f"no call has the parameter {name}", "parameters.yaml")
    reasons = {(status, name) for status, names in known.reasons.items() for name in names}
    for status, name in reasons - known.used_reasons:
        yield Difference(f"no call answers {status} for the reason {name}", "http-status.yaml")
    files = {
        str(path.relative_to(known.source)) for path in (known.source / "samples").rglob("*.json")
    }
    for name in files - known.used_samples:
        yield Difference("no call has this sample", name)
    if known.faults != code.FAULTS:
        yield Difference(f"the names of faults are {dict(code.FAULTS)}, not {known.faults}")
    undue = known.errors - code.common_errors()
    if undue:
        yield Difference(f"not every call may end in {sorted(undue)}")
    # An optional key of answers that no sample has might not be there at all.
    for document in {call.document for call in known.calls}:
        calls = [call for call in known.calls if call.document == document]
        optional = {
            name for call in calls for name, each in call.response.items() if not each.required
        }
        seen = {
            key
            for call in calls
            for sample in _answers(call)
            for key in _keys(sample.response, call.response)
        }
        for name in optional - seen:
            yield Difference(f"no answer in the samples has {name}", document)


def _answers(call: reference.Call) -> list[reference.Sample]:
    """The samples with a document that is no fault."""
    return [
        each for each in call.samples.values() if each.response is not None and each.fault is None
    ]


def _keys(document: Any, parameters: Mapping[str, reference.Parameter]) -> Iterator[str]:
    """Every key in a sample, at all levels."""
    return (name for name, _value in _items(document, parameters))


def _items(
    document: Any, parameters: Mapping[str, reference.Parameter]
) -> Iterator[tuple[str, Any]]:
    """Keys and values in a sample at all levels, but for keys that clients or drivers invent."""
    if isinstance(document, list):
        for item in document:
            yield from _items(item, parameters)
    elif isinstance(document, dict):
        for name, value in document.items():
            yield name, value
            if name not in parameters or not parameters[name].free_form:
                yield from _items(value, parameters)


def _joined(
    parts: Iterable[Mapping[str, reference.Parameter]],
) -> dict[str, reference.Parameter]:
    return {name: each for part in parts for name, each in part.items()}


def _sets(
    call: reference.Call, what: str, there: Iterable[Any], told: Iterable[Any]
) -> Iterator[Difference]:
    if missing := set(there) - set(told):
        yield _at(call, f"{call.title}: the reference lacks {what} {_names(missing)}")
    if extra := set(told) - set(there):
        yield _at(call, f"{call.title}: the code has no {what} {_names(extra)}")


def _names(items: Any) -> str:
    texts = (" ".join(map(str, each)) if isinstance(each, tuple) else str(each) for each in items)
    return ", ".join(sorted(texts))


def _at(call: reference.Call, message: str) -> Difference:
    return Difference(message, call.document, call.line)
