# SPDX-License-Identifier: Apache-2.0
"""Reads the API reference: what its directives of os-api-ref say of each call.

That they are well formed is left to Sphinx.
"""

import dataclasses
import functools
import json
import pathlib
import re
from collections.abc import Iterator, Mapping
from typing import Any

import yaml

import cg_extension

SOURCE = pathlib.Path(cg_extension.__file__).parents[1] / "api-ref" / "source"

PREFIX = "/v3/{project_id}"
"""What the paths of calls in a project begin with; the index page tells which other forms they
have."""

_DIRECTIVE = re.compile(r"\.\. (\w+):: *(.*)")
_NAMES = re.compile(r"(Policy|Keys to sort by): (.*)\.")
_UNDERLINE = re.compile(r"([=\-~^])\1+")


@dataclasses.dataclass(frozen=True, slots=True)
class Parameter:
    """A parameter as ``parameters.yaml`` has it. ``free_form``: its own keys are not the API's."""

    place: str
    type: str
    required: bool
    free_form: bool


@dataclasses.dataclass(frozen=True, slots=True)
class Sample:
    """One exchange with the service.

    :param name: path below ``samples``, without what comes after the exchange's name.
    :param request: the body; None: there is none.
    :param response: the document of the answer; None: there is none.
    """

    name: str
    request: Any = None
    response: Any = None

    @property
    def fault(self) -> int | None:
        """The code of the fault that the exchange is a sample of, by its name: ``show-404``."""
        code = self.name.rpartition("-")[2]
        return int(code) if code.isdigit() and len(code) == 3 else None


@dataclasses.dataclass
class Call:
    """One section with a call.

    :param request: parameters by the place where they are, path, query or body, and by name.
    :param errors: code and reason of each.
    :param rules: names of the policy rules that allow it.
    :param sort_keys: keys that a list can be sorted by.
    """

    document: str
    line: int
    title: str
    method: str
    path: str
    request: dict[str, dict[str, Parameter]] = dataclasses.field(
        default_factory=lambda: {place: {} for place in ("path", "query", "body")}
    )
    response: dict[str, Parameter] = dataclasses.field(default_factory=dict)
    statuses: list[int] = dataclasses.field(default_factory=list)
    errors: set[tuple[int, str]] = dataclasses.field(default_factory=set)
    rules: set[str] = dataclasses.field(default_factory=set)
    sort_keys: set[str] = dataclasses.field(default_factory=set)
    samples: dict[str, Sample] = dataclasses.field(default_factory=dict)

    @property
    def exchanges(self) -> list[Sample]:
        """What a test has to send for it: the samples, or the call alone if it has none."""
        return list(self.samples.values()) or [Sample(f"{self.method} {self.path}")]


@dataclasses.dataclass(frozen=True, slots=True)
class _Directive:
    line: int
    name: str
    argument: str
    content: str


@dataclasses.dataclass(frozen=True, slots=True)
class _Names:
    of: str
    names: list[str]


class Reference:
    """All that the reference says.

    ``calls`` are in the order of the documents; ``errors`` those that the index page tells of any
    call, by code and reason; ``faults`` the names of the documents of faults by code; ``prefixes``
    the forms of the paths.
    """

    def __init__(self, source: pathlib.Path = SOURCE) -> None:
        self.source = source
        self.parameters: Mapping[str, Mapping[str, Any]] = _yaml(
            (source / "parameters.yaml").read_text()
        )
        self.reasons: Mapping[int, Mapping[str, str]] = _yaml(
            (source / "http-status.yaml").read_text()
        )
        self.calls: list[Call] = []
        self.errors: set[tuple[int, str]] = set()
        # Keys of the two files that a document uses.
        self.used_parameters: set[str] = set()
        self.used_reasons: set[tuple[int, str]] = set()
        self.used_samples: set[str] = set()
        for path in sorted(source.glob("*.rst")):
            self._read(path)
        index = (source / "index.rst").read_text()
        self.faults = {
            int(code): name for name, code in re.findall(r"^``(\w+)`` +(\d{3})\b", index, re.M)
        }
        self.prefixes = re.findall(r"^``(/v\d[^`]*)``$", index, re.M)

    def _read(self, path: pathlib.Path) -> None:
        call: Call | None = None
        heading = ""
        for item in _parts(path.read_text()):
            if isinstance(item, str):
                heading = item
                continue
            if isinstance(item, _Names):
                assert call is not None
                {"Policy": call.rules, "Keys to sort by": call.sort_keys}[item.of].update(
                    item.names
                )
                continue
            match item.name:
                case "rest_method":
                    method, _, url = item.argument.partition(" ")
                    call = Call(path.name, item.line, heading, method, url)
                    self.calls.append(call)
                case "rest_parameters" if call is not None:
                    for name, each in self._parameters(item.content):
                        if heading == "Request":
                            call.request[each.place][name] = each
                        else:
                            call.response[name] = each
                case "rest_status_code":
                    self._add_statuses(call, item)
                case "literalinclude" if call is not None:
                    self._add_sample(call, item.argument)

    def _parameters(self, content: str) -> Iterator[tuple[str, Parameter]]:
        for entry in _yaml(content):
            for name, key in entry.items():
                self.used_parameters.add(key)
                known = self.parameters[key]
                yield (
                    name,
                    Parameter(
                        known["in"],
                        known["type"],
                        known["required"],
                        known.get("free_form", False),
                    ),
                )

    def _add_statuses(self, call: Call | None, item: _Directive) -> None:
        for entry in _yaml(item.content):
            [(code, reason)] = entry.items() if isinstance(entry, dict) else [(entry, "default")]
            self.used_reasons.add((code, reason))
            if call is None:
                self.errors.add((code, reason))
            elif item.argument.startswith("success"):
                call.statuses.append(code)
            else:
                call.errors.add((code, reason))

    def _add_sample(self, call: Call, argument: str) -> None:
        self.used_samples.add(argument)
        name, _, side = argument.removeprefix("samples/").removesuffix(".json").rpartition("-")
        sample = call.samples.get(name, Sample(name))
        document = json.loads((self.source / argument).read_text())
        call.samples[name] = dataclasses.replace(sample, **{side: document})


@functools.cache
def _yaml(text: str) -> Any:
    # That of libyaml, where PyYAML has it, takes a tenth of the time.
    return yaml.load(text, getattr(yaml, "CSafeLoader", yaml.SafeLoader))


@functools.cache
def read() -> Reference:
    """The reference of this checkout."""
    return Reference()


def _parts(text: str) -> Iterator[str | _Names | _Directive]:
    """Headings, enumerations of names, and directives of a document, in their order."""
    lines = text.splitlines()
    for number, line in enumerate(lines):
        following = lines[number + 1] if number + 1 < len(lines) else ""
        if line.strip() and _UNDERLINE.fullmatch(following) and len(following) >= len(line):
            yield line
        elif found := _NAMES.fullmatch(line):
            yield _Names(found[1], re.findall("``(.*?)``", found[2]))
        elif found := _DIRECTIVE.fullmatch(line):
            content = []
            for later in lines[number + 1 :]:
                if later and not later.startswith(" "):
                    break
                content.append(later)
            yield _Directive(number + 1, found[1], found[2].strip(), "\n".join(content))
