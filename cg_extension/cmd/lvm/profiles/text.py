# SPDX-License-Identifier: Apache-2.0
"""What ``run`` prints for people."""

import shlex
from collections.abc import Iterator
from typing import Any


def text(answer: dict[str, Any]) -> str:
    """What a run did, or would do."""
    if "undone" in answer:
        undone = ", ".join(answer["undone"])
        return f"after-hooks run: {undone}" if undone else "no run has left after-hooks"
    would = "would_take" in answer
    lines = list(_foretold(answer) if would else _taken(answer))
    for verb, key in (("keep", "kept"), ("delete", "deleted"), ("leave", "left")):
        word = f"would {verb}" if would else key
        lines += [f"{word}: {each['snapshot']}{_why(each)}" for each in answer[key]]
    return "\n".join(lines)


def _taken(answer: dict[str, Any]) -> Iterator[str]:
    sources = ", ".join(f"{v['volume_group']}/{v['source']}" for v in answer["volumes"])
    yield (
        f"taken: {answer['snapshot']} of {sources} ({answer['consistency']}; I/O held "
        f"{1000 * answer['held_seconds']:.3f} ms)"
    )


def _foretold(answer: dict[str, Any]) -> Iterator[str]:
    yield (
        f"would take: {answer['would_take']} of {', '.join(answer['members'])} "
        f"({answer['consistency']})"
    )
    for pool in answer["pools"]:
        yield (
            f"pool {pool['pool']}: {pool['data_percent']:g} % of its data and "
            f"{pool['metadata_percent']:g} % of its metadata in use"
        )
    for hook in answer["hooks"]:
        for kind in ("before", "session", "after"):
            if kind in hook:
                command = shlex.join(hook[kind])
                yield f"hook {hook['hook']}, {kind}, as {hook['user']}: {command}"


def _why(each: dict[str, Any]) -> str:
    if "rules" in each:
        return f" ({', '.join(each['rules'])})"
    return "" if each["state"] == "complete" else f" ({each['state']})"
