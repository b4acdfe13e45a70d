#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Draws the statuses of all resources, as contract/statuses.py has them.

``draw_statuses.py [FILE]`` writes the diagrams anew, in Mermaid, between the two marks in FILE
(docs/operations.md); a unit test sees to it that they are up to date.
"""

import itertools
import pathlib
import sys
from collections import defaultdict
from collections.abc import Iterator

ROOT = pathlib.Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from cg_extension.contract import statuses  # noqa: E402

BEGIN = "<!-- Drawn by tools/draw_statuses.py -->\n"
END = "<!-- To here -->\n"
# Neighbours that have the same transitions share a diagram.
MACHINES = (statuses.GROUP, statuses.VOLUME, statuses.SNAPSHOT, statuses.CGSNAPSHOT)


def draw() -> Iterator[str]:
    """The lines of all diagrams."""
    for transitions, group in itertools.groupby(MACHINES, lambda each: list(each.transitions())):
        machines = list(group)
        events = defaultdict(list)
        for event, transition in transitions:
            for source in sorted(transition.sources) or ["[*]"]:
                events[source, transition.target].append(event)
        yield f"### {', '.join(machine.name for machine in machines).capitalize()}"
        yield ""
        yield "```mermaid"
        yield "stateDiagram-v2"
        for status in sorted(machines[0].statuses):
            if _state(status) != status:
                yield f'    state "{status}" as {_state(status)}'
        for (source, target), names in events.items():
            yield f"    {_state(source)} --> {_state(target)}: {', '.join(names)}"
        yield "```"
        yield ""
        yield f"By hand (`reset_status`): {', '.join(sorted(machines[0].resettable))}."
        yield ""


def _state(status: str) -> str:
    """A status's name in Mermaid, where no name has a hyphen."""
    return "[*]" if status == statuses.Status.DELETED else status.replace("-", "_")


if __name__ == "__main__":
    path = pathlib.Path(*sys.argv[1:] or [ROOT / "docs" / "operations.md"])
    before, rest = path.read_text().split(BEGIN)
    _old, after = rest.split(END)
    path.write_text("\n".join([before + BEGIN, *draw(), END + after]))
