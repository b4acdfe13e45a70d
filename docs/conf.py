# SPDX-License-Identifier: Apache-2.0
"""Builds the documentation site: Sphinx over the files that are read on a code forge as well.

Its source is the root of the repository, so that a link between two files works in both places. Its
navigation is what docs/README.md lists, in that order.
"""

import pathlib
import re
import sys

from sphinx import application

HERE = pathlib.Path(__file__).parent
sys.path.insert(0, str(HERE / "ext"))

project = "cg_extension"
copyright = "the authors of cg_extension"

extensions = [
    "myst_parser",
    "openstackdocstheme",
    "oslo_config.sphinxext",
    "oslo_policy.sphinxext",
    "reno.sphinxext",
    "sphinx.ext.autodoc",
    "sphinx.ext.graphviz",
    "state_diagram",
]
root_doc = "docs/README"
include_patterns = [
    "CONTRIBUTING.md",
    "README.md",
    "cg_extension/tests/example_extension/README.md",
    "docs/**",
    "etc/cg_extension/README.md",
]
# Manual pages need an extension of their own; debian/rules makes them.
exclude_patterns = [".*", "docs/man", "docs/templates"]

# As forges make them; the deepest heading that anything links to.
myst_heading_anchors = 4
# The others can't look up a name without a kind.
myst_ref_domains = ["std"]
myst_fence_as_directive = ["mermaid"]
autodoc_member_order = "bysource"
toc_object_entries_show_parents = "hide"

graphviz_output_format = "svg"

html_theme = "openstackdocs"
html_theme_options = {
    "analytics_tracking_code": "",
    "display_badge": False,
    "sidebar_mode": "toctree",
}
templates_path = ["templates"]
html_static_path = ["static"]
html_css_files = ["site.css"]
html_additional_pages = {"index": "start.html"}
html_copy_source = False
openstackdocs_auto_name = False
openstackdocs_auto_version = False

_SECTION = re.compile(r"^## (.*)$", re.MULTILINE)
_LISTED = re.compile(r"^- \[[^\]]*\]\(([^)#]+\.(?:md|rst))\)", re.MULTILINE)


def _add_navigation(_app: application.Sphinx, docname: str, source: list[str]) -> None:
    """Give the first page a hidden table of contents of the pages that it lists."""
    if docname != root_doc:
        return
    _before, *sections = _SECTION.split(source[0])
    for caption, text in zip(sections[::2], sections[1::2], strict=True):
        pages = "\n".join(_LISTED.findall(text))
        options = f":hidden:\n:titlesonly:\n:caption: {caption}"
        source[0] += f"\n```{{toctree}}\n{options}\n\n{pages}\n```\n"


def setup(app: application.Sphinx) -> None:
    """Called by Sphinx."""
    app.connect("source-read", _add_navigation)
