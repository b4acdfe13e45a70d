# SPDX-License-Identifier: Apache-2.0
"""``setup.cfg`` requires what the code imports, and for the plugin only what it needs in Cinder."""

import ast
import configparser
import functools
import pathlib
import re
import sys
from collections.abc import Iterator
from importlib import metadata

from oslotest import base

import cg_extension

ROOT = pathlib.Path(cg_extension.__file__).parent
# What runs on the extra ``reference``; the rest is the plugin's, or ``cg-lvm``.
REFERENCE = ("reference", "cmd")
IN_EVERY_PROCESS = ("cmd/__init__.py", "cmd/lvm/")
OF_CINDER = {"cinder", "oslo-db", "oslo-messaging", "oslo-service", "sqlalchemy"}
# Modules for type checkers alone.
_NOT_THERE = {"_typeshed"}


def _normalized(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def _required(text: str) -> set[str]:
    return {_normalized(re.split(r"[<>=;\[]", line)[0]) for line in text.split()}


def _imported(path: pathlib.Path) -> Iterator[str]:
    """Names of the packages of others that a module imports."""
    for node in ast.walk(ast.parse(path.read_text(), str(path))):
        names = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and not node.level:
            names = [node.module or ""]
        known = sys.stdlib_module_names | _NOT_THERE | {"cg_extension"}
        yield from {name.partition(".")[0] for name in names} - known


@functools.cache
def _candidates() -> dict[str, list[set[str]]]:
    """For each module and each of its imports, the distributions that bring the package."""
    # Cinder is not there, whatever its packages would be called.
    installed = {**metadata.packages_distributions(), "cinder": ["cinder"]}
    installed.setdefault("oslo_service", ["oslo.service"])
    return {
        name: [set(map(_normalized, installed[package])) for package in _imported(path)]
        for path in ROOT.rglob("*.py")
        if not (name := str(path.relative_to(ROOT))).startswith("tests/")
    }


class RequirementsTest(base.BaseTestCase):
    def setUp(self) -> None:
        super().setUp()
        setup = configparser.ConfigParser()
        setup.read(ROOT.parent / "setup.cfg")
        self.plugin = _required(setup["options"]["install_requires"])
        self.reference = _required(setup["options.extras_require"]["reference"])
        self.imported: dict[str, set[str]] = {}
        for name, packages in _candidates().items():
            for candidates in packages:
                wanted = candidates & (self.plugin | self.reference) or candidates
                self.imported.setdefault(name, set()).update(wanted)

    def _of_plugin(self, name: str) -> bool:
        return name.startswith(IN_EVERY_PROCESS) or name.split("/")[0] not in REFERENCE

    def test_the_plugin_imports_what_it_requires_or_cinder_brings(self) -> None:
        for name, packages in self.imported.items():
            allowed = self.plugin | (OF_CINDER if name.startswith("cinder/") else set())
            if self._of_plugin(name):
                self.assertEqual(set(), packages - allowed, name)

    def test_the_reference_host_imports_what_the_extra_requires(self) -> None:
        for name, packages in self.imported.items():
            self.assertEqual(set(), packages - self.plugin - self.reference - OF_CINDER, name)

    def test_nothing_is_required_that_nobody_imports(self) -> None:
        of_plugin = {
            package
            for name, packages in self.imported.items()
            if self._of_plugin(name)
            for package in packages
        }
        everything = {package for packages in self.imported.values() for package in packages}
        self.assertEqual(set(), self.plugin - of_plugin)
        self.assertEqual(set(), self.reference - everything)
