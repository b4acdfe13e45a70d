# SPDX-License-Identifier: Apache-2.0
"""Sphinx's configuration of the API reference."""

import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "ext"))

extensions = ["openstackdocstheme", "os_api_ref", "validator"]

project = "cg_extension API Reference"
copyright = "cg_extension's authors"

html_theme = "openstackdocs"
html_theme_options = {"sidebar_mode": "toc", "sidebar_dropdown": "api_ref"}
# Not one of the foundation's projects: no links to its trackers and sources.
openstackdocs_auto_name = False
openstackdocs_auto_version = False
openstackdocs_use_storyboard = False
