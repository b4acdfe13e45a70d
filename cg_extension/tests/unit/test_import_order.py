# SPDX-License-Identifier: Apache-2.0
"""Imports only point down the list of packages in the design, read from the source itself."""

import ast
import pathlib
from collections.abc import Iterator

from oslotest import base

import cg_extension

ROOT = pathlib.Path(cg_extension.__file__).parent
PACKAGE = "cg_extension"

# Package → what its modules may import beside their own package, from the top down.
MAY_IMPORT: dict[str, tuple[str, ...]] = {
    "cmd": ("reference", "cinder", "api", "drivers", "contract", "policies", "conf"),
    "reference.wsgi": (
        *("reference.service", "reference.db", "reference.metrics"),
        *("api", "contract", "policies", "conf"),
    ),
    "reference.manager": (
        *("reference.service.manager_client", "reference.service.from_rows"),
        *("reference.db", "reference.metrics", "drivers", "contract", "conf"),
    ),
    "reference.service": ("reference.db", "contract", "conf"),
    "reference.db": ("contract", "conf"),
    "reference.metrics": ("conf",),
    "cinder": ("api", "drivers", "contract", "policies", "conf"),
    "api": ("contract", "policies", "conf"),
    "drivers": ("contract", "conf"),
    "contract": (),
    "policies": (),
    "conf": (),
}


def _package(name: str) -> str | None:
    """The package of ``MAY_IMPORT`` that a module belongs to; None for those above them all."""
    return next((package for package in MAY_IMPORT if _within(name, package)), None)


def _modules() -> Iterator[tuple[str, pathlib.Path]]:
    """Every module outside the tests: its name below the package, and its file."""
    for path in sorted(ROOT.rglob("*.py")):
        parts = path.relative_to(ROOT).with_suffix("").parts
        if parts[0] != "tests":
            yield ".".join(part for part in parts if part != "__init__"), path


MODULES = dict(_modules())


def _imports(name: str, path: pathlib.Path) -> Iterator[tuple[int, str]]:
    """Line and full name of everything that a module imports, at whatever depth."""
    package = [PACKAGE, *name.split(".")]
    if path.name != "__init__.py":
        package.pop()
    for node in ast.walk(ast.parse(path.read_text(), str(path))):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield node.lineno, alias.name
        elif isinstance(node, ast.ImportFrom):
            base_parts = package[: len(package) - node.level + 1] if node.level else []
            source = ".".join([*base_parts, *filter(None, [node.module])])
            for alias in node.names:
                full = f"{source}.{alias.name}"
                # ``from a.b import c`` is about the module a.b.c only if there is such a one.
                is_module = full.removeprefix(f"{PACKAGE}.") in MODULES
                yield node.lineno, full if is_module else source


def _within(name: str, package: str) -> bool:
    return name == package or name.startswith(f"{package}.")


class ImportOrderTest(base.BaseTestCase):
    def test_every_package_has_its_place_in_the_order(self) -> None:
        above = {"", "reference"}  # no code, so nothing to import
        homeless = [name for name in MODULES if name not in above and not _package(name)]
        self.assertEqual([], homeless)

    def test_imports_only_point_down(self) -> None:
        wrong = []
        for name, path in MODULES.items():
            own = _package(name) or name
            for line, imported in _imports(name, path):
                if not _within(imported, PACKAGE):
                    continue
                target = imported.removeprefix(PACKAGE).lstrip(".")
                allowed = (own, *MAY_IMPORT.get(own, ()))
                if target and not any(_within(target, package) for package in allowed):
                    wrong.append(f"{path.relative_to(ROOT)}:{line} imports {target}")
        self.assertEqual([], wrong)

    def test_only_the_cinder_package_imports_cinder(self) -> None:
        wrong = []
        for name, path in MODULES.items():
            if name.split(".")[0] == "cinder":
                continue
            for line, imported in _imports(name, path):
                if _within(imported, "cinder"):
                    wrong.append(f"{path.relative_to(ROOT)}:{line}")
        self.assertEqual([], wrong)
