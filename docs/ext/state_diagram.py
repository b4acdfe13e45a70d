# SPDX-License-Identifier: Apache-2.0
"""Draws Mermaid's state diagrams, as tools/draw_statuses.py writes them, with Graphviz.

Mermaid itself would draw them in the reader's browser, with a script from a foreign server.
"""

import re

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.ext import graphviz
from sphinx.util.docutils import SphinxDirective

_ALIAS = re.compile(r'state "([^"]+)" as (\w+)')
_TRANSITION = re.compile(r"(\w+|\[\*\]) --> (\w+|\[\*\]): (.*)")
_HEAD = """digraph {
    graph [rankdir=TB, nodesep=0.5, bgcolor=transparent]
    node [shape=box, style="rounded,filled", fillcolor="#eef5fb", color="#4a90c2"]
    node [fontname="Helvetica,Arial,sans-serif", fontsize=12, height=0.35]
    edge [fontname="Helvetica,Arial,sans-serif", fontsize=10, color="#666666"]
    begin [shape=circle, label="", width=0.18, height=0.18, fillcolor=black]
    end [shape=doublecircle, label="", width=0.12, height=0.12, fillcolor=black]
"""


def to_dot(lines: list[str]) -> str:
    """The diagram in Graphviz's language.

    :raises ValueError: a line is none that tools/draw_statuses.py writes.
    """
    drawn = []
    for line in map(str.strip, lines):
        if line == "stateDiagram-v2":
            continue
        if found := _ALIAS.fullmatch(line):
            drawn.append(f'{found[2]} [label="{found[1]}"]')
        elif found := _TRANSITION.fullmatch(line):
            source, target, label = found.groups()
            source = "begin" if source == "[*]" else source
            target = "end" if target == "[*]" else target
            drawn.append(f'{source} -> {target} [label=" {label} "]')
        else:
            raise ValueError(f"not of a state diagram: {line}")
    return _HEAD + "\n".join(drawn) + "\n}"


class StateDiagram(SphinxDirective):
    """A fence of the language ``mermaid``."""

    has_content = True

    def run(self) -> list[nodes.Node]:
        node = graphviz.graphviz()
        node["code"] = to_dot(list(self.content))
        node["options"] = {"docname": self.env.docname}
        node["alt"] = "; ".join(line.strip() for line in self.content[1:])
        return [node]


def setup(app: Sphinx) -> dict[str, bool]:
    """Called by Sphinx."""
    app.add_directive("mermaid", StateDiagram)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
