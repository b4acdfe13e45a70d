# SPDX-License-Identifier: Apache-2.0
"""debian/ agrees with setup.cfg: commands, manual pages, requirements, units."""

import ast
import configparser
import os
import pathlib
import re
import subprocess
from importlib import metadata

import fixtures
from oslotest import base

import cg_extension
from cg_extension.cmd.lvm import pending

ROOT = pathlib.Path(cg_extension.__file__).parents[1]
DEBIAN = ROOT / "debian"
MANUAL = ROOT / "docs" / "man"
_PAGE = re.compile(r"docs/[\w-]+\.md")
SECTIONS = ("SYNOPSIS", "DESCRIPTION", "EXIT STATUS", "FILES", "EXAMPLES", "SEE ALSO")


def _setup() -> configparser.ConfigParser:
    setup = configparser.ConfigParser()
    setup.read(ROOT / "setup.cfg")
    return setup


def _lines(pattern: str) -> list[str]:
    """The lines of all packages' files of one kind, such as ``*.install``."""
    return [line for file in DEBIAN.glob(pattern) for line in file.read_text().splitlines()]


def _imported(path: pathlib.Path) -> set[str]:
    """Names of the packages that a module imports."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(), str(path))):
        if isinstance(node, ast.Import):
            names.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            names.add(node.module or "")
    return {name.partition(".")[0] for name in names}


class PackagingTest(base.BaseTestCase):
    def setUp(self) -> None:
        super().setUp()
        scripts = _setup()["options.entry_points"]["console_scripts"].strip()
        self.commands = sorted(line.partition(" = ")[0] for line in scripts.splitlines())

    def test_every_command_is_in_one_package(self) -> None:
        lines = _lines("*.install")
        installed = sorted(
            line.removeprefix("usr/bin/") for line in lines if line.startswith("usr/bin/")
        )
        self.assertEqual(self.commands, installed)

    def test_every_command_has_a_completion_beside_it(self) -> None:
        for file in DEBIAN.glob("*.install"):
            text = file.read_text()
            self.assertEqual(
                sorted(re.findall(r"^usr/bin/(\S+)", text, re.MULTILINE)),
                sorted(re.findall(r"^debian/made/completions/(\S+)", text, re.MULTILINE)),
            )

    def test_every_command_has_a_manual_page_with_all_sections(self) -> None:
        pages = sorted(pathlib.PurePath(line).stem for line in _lines("*.manpages"))
        self.assertEqual(self.commands, pages)
        for command in self.commands:
            text = (MANUAL / f"{command}.rst").read_text()
            self.assertStartsWith(text, f"{command}: ")
            for section in SECTIONS:
                self.assertIn(f"\n{section}\n{'-' * len(section)}\n", text, command)

    def test_every_page_shows_the_options_of_its_command(self) -> None:
        for command in self.commands:
            text = (MANUAL / f"{command}.rst").read_text()
            self.assertIn(f":func: {command.replace('-', '_')}\n   :prog: {command}\n", text)

    def test_pages_refer_to_pages_that_there_are(self) -> None:
        for command in self.commands:
            for name in re.findall(r"\*\*(cg-[\w-]+)\*\*", (MANUAL / f"{command}.rst").read_text()):
                self.assertIn(name, self.commands)

    def test_pages_that_commands_and_examples_name_come_with_them(self) -> None:
        for package, places in (
            ("cg-lvm", [*(ROOT / "cg_extension" / "cmd" / "lvm").rglob("*.py")]),
            ("cg-extension", [ROOT / "etc" / "cg_extension" / "prometheus-alerts.yaml"]),
            ("cg-extension", [*(ROOT / "etc" / "systemd" / "cg-standalone.service.d").iterdir()]),
        ):
            named = {page for each in places for page in _PAGE.findall(each.read_text())}
            pages = (DEBIAN / f"{package}.docs").read_text().splitlines()
            self.assertNotEqual(set(), named)
            self.assertEqual(set(), named - set(pages), package)

    def test_what_the_project_requires_is_there_when_it_is_built(self) -> None:
        setup = _setup()
        required = [
            *setup["options"]["install_requires"].split(),
            *setup["options.extras_require"]["reference"].split(),
        ]
        names = [re.split(r"[<>=]", line)[0].lower().replace("_", "-") for line in required]
        packages = {f"python3-{name.removeprefix('py')}" for name in names}
        built_with = set(re.findall(r"^ (python3-[\w.-]+)", self.control(), re.MULTILINE))
        self.assertEqual(set(), packages - built_with)

    def test_what_the_unit_tests_import_is_there_when_it_is_built(self) -> None:
        built_with = set(re.findall(r"^ (?:python3-)?([\w.-]+)", self.control(), re.MULTILINE))
        distributions = metadata.packages_distributions()
        for path in (DEBIAN.parent / "cg_extension" / "tests" / "unit").rglob("*.py"):
            for name in _imported(path) & set(distributions):
                candidates = {each.lower().replace("_", "-") for each in distributions[name]}
                packages = {each.removeprefix("py") for each in candidates} | candidates
                self.assertTrue(packages & (built_with | {"cg-extension"}), f"{path}: {name}")

    def test_every_unit_is_in_one_package(self) -> None:
        lines = [line for line in _lines("*.install") if line.endswith(" usr/lib/systemd/system")]
        units = ROOT / "etc" / "systemd"
        for unit in (*units.rglob("*.service"), *units.rglob("*.timer")):
            place = unit.relative_to(ROOT)
            self.assertEqual(1, sum(place.match(line.split()[0]) for line in lines), place)
            for command in re.findall(r"^ExecStart=/usr/bin/(\S+)", unit.read_text(), re.MULTILINE):
                self.assertIn(command, [*self.commands, "gunicorn"])

    def test_cg_standalone_s_unit_leaves_all_options_to_its_configuration(self) -> None:
        unit = (ROOT / "etc" / "systemd" / "cg-standalone.service").read_text()
        self.assertIn("\nExecStart=/usr/bin/cg-standalone\n", unit)

    def test_a_removal_stops_every_service_of_its_package(self) -> None:
        script = (DEBIAN / "cg-extension.prerm").read_text()
        for line in (DEBIAN / "cg-extension.install").read_text().splitlines():
            if line.endswith(" usr/lib/systemd/system"):
                self.assertIn(f" {pathlib.PurePath(line.split()[0]).name} ", script)

    def test_the_boot_runs_the_unit_that_finishes_rollbacks_where_there_are_notes(self) -> None:
        (link,) = (DEBIAN / "cg-lvm.links").read_text().splitlines()
        name = "cg-lvm-rollback.service"
        there = f"usr/lib/systemd/system/{name}"
        wanted = f"usr/lib/systemd/system/local-fs.target.wants/{name}"
        self.assertEqual(f"{there} {wanted}", link)
        unit = (ROOT / "etc" / "systemd" / "cg-lvm" / name).read_text()
        self.assertIn(f"\nConditionDirectoryNotEmpty={pending.DIRECTORY}\n", unit)
        self.assertIn(f"\nConditionPathExists=!{pending.BOOTED}\n", unit)

    def test_a_removal_tells_of_a_rollback_that_nobody_would_carry_out(self) -> None:
        root = pathlib.Path(self.useFixture(fixtures.TempDir()).path)
        notes = root / pending.DIRECTORY.relative_to("/")
        notes.mkdir(parents=True)

        def told(action: str) -> str:
            command = ["sh", str(DEBIAN / "cg-lvm.prerm"), action]
            environment = {**os.environ, "DPKG_ROOT": str(root)}
            done = subprocess.run(
                command, env=environment, stderr=subprocess.PIPE, text=True, check=True
            )
            return done.stderr

        self.assertEqual("", told("remove"))
        (notes / "uuid").touch()
        self.assertIn("A rollback waits for the next boot", told("remove"))
        self.assertEqual("", told("upgrade"))

    def control(self) -> str:
        return (DEBIAN / "control").read_text()

    def assertStartsWith(self, text: str, start: str) -> None:
        self.assertEqual(start, text[: len(start)])
