# SPDX-License-Identifier: Apache-2.0
"""What a release is made of: version, sdist and wheel, and a service that runs from the wheel."""

import pathlib
import shutil
import subprocess
import sys
import tempfile
import zipfile
from importlib import metadata

import fixtures
import requests

import cg_extension
from cg_extension.tests import waiting
from cg_extension.tests.deployment import processes
from cg_extension.tests.functional import base

ROOT = pathlib.Path(cg_extension.__file__).parents[1]
_NOT_COPIED = shutil.ignore_patterns(".*", "__pycache__", "*.egg-info", "build", "dist", "cover")
_BUILD_SDIST = "import sys; from setuptools import build_meta as b; b.build_sdist(sys.argv[1])"


def _run(*command: str | pathlib.Path, cwd: pathlib.Path) -> str:
    done = subprocess.run(
        command, cwd=cwd, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise AssertionError(f"{command}: {done.stdout}{done.stderr}")
    return done.stdout.strip()


def _pip(*arguments: str | pathlib.Path, cwd: pathlib.Path) -> None:
    """Of what is here: neither an index nor other packages are asked for."""
    pip = (sys.executable, "-m", "pip", "--quiet", *arguments)
    _run(*pip, "--no-deps", "--no-index", "--no-build-isolation", cwd=cwd)


def _clone(to: pathlib.Path) -> pathlib.Path:
    """The tree as it is, in a repository of its own without tags."""
    shutil.copytree(ROOT, to, symlinks=True, ignore=_NOT_COPIED)
    author = ("-c", "user.name=test", "-c", "user.email=test@example.org")
    _run("git", "init", "--quiet", cwd=to)
    _run("git", "add", ".", cwd=to)
    _run("git", *author, "commit", "--quiet", "--message", "all", cwd=to)
    return to


def _version(tree: pathlib.Path) -> str:
    return _run(sys.executable, "-m", "setuptools_scm", cwd=tree)


class VersionTest(base.FunctionalTest):
    def setUp(self) -> None:
        super().setUp()
        self.tree = _clone(pathlib.Path(self.useFixture(fixtures.TempDir()).path, "clone"))

    def test_it_is_that_of_the_newest_tag(self) -> None:
        _run("git", "tag", "3.2.1", cwd=self.tree)
        self.assertEqual("3.2.1", _version(self.tree))

    def test_a_clone_without_tags_has_one(self) -> None:
        self.assertRegex(_version(self.tree), r"^0\.1\.0\.dev1\+g[0-9a-f]+$")

    def test_a_copy_without_history_has_one(self) -> None:
        shutil.rmtree(self.tree / ".git")
        self.assertEqual("0.1.0.dev0", _version(self.tree))


class PackageTest(base.FunctionalTest):
    """The wheel is built from what the sdist holds, as installers do it."""

    @classmethod
    def setUpClass(cls) -> None:
        super().setUpClass()
        cls.directory = pathlib.Path(
            cls.enterClassContext(tempfile.TemporaryDirectory())  # type: ignore[arg-type]
        )
        clone = _clone(cls.directory / "clone")
        _run("git", "tag", "3.2.1", cwd=clone)
        _run(sys.executable, "-c", _BUILD_SDIST, cls.directory, cwd=clone)
        shutil.unpack_archive(cls.directory / "cg_extension-3.2.1.tar.gz", cls.directory)
        _pip("wheel", "--wheel-dir", ".", "./cg_extension-3.2.1", cwd=cls.directory)
        cls.wheel = cls.directory / "cg_extension-3.2.1-py3-none-any.whl"
        cls.installed = cls.directory / "installed"
        _pip("install", "--target", cls.installed, cls.wheel, cwd=cls.directory)

    def test_the_wheel_has_all_files_of_the_package(self) -> None:
        package = self.directory / "clone" / "cg_extension"
        files = {
            str(path.relative_to(package.parent)) for path in package.rglob("*") if path.is_file()
        }
        with zipfile.ZipFile(self.wheel) as wheel:
            held = {name for name in wheel.namelist() if ".dist-info/" not in name}
        self.assertEqual(files, held)
        self.assertIn("cg_extension/py.typed", held)

    def test_every_entry_point_leads_to_a_module_of_the_wheel(self) -> None:
        (distribution,) = metadata.distributions(path=[str(self.installed)])
        self.assertEqual("3.2.1", distribution.version)
        modules = {entry_point.module for entry_point in distribution.entry_points}
        self.assertIn("cg_extension.cmd.standalone", modules)
        for module in modules:
            path = self.installed.joinpath(*module.split("."))
            self.assertTrue(path.is_dir() or path.with_suffix(".py").exists(), module)

    def test_cg_standalone_serves_from_the_wheel_alone(self) -> None:
        root = pathlib.Path(self.useFixture(fixtures.TempDir()).path)
        environment = {"PYTHONPATH": str(self.installed), "PYTHONSAFEPATH": "1"}
        port = processes.free_port()
        service = processes.Process(
            "cg-standalone",
            [
                str(self.installed / "bin" / "cg-standalone"),
                *("--state-path", str(root / "state"), "--port", str(port), "--debug"),
            ],
            root / "log",
            environment,
        )
        self.addCleanup(service.kill)
        service.start()
        waiting.eventually(lambda: "Ready for work" in service.log.read_text(), "ready for work")
        answer = requests.get(
            f"http://127.0.0.1:{port}/v3/demo/extensions",
            headers={"X-Auth-Token": "tester:demo"},
            timeout=30,
        )
        listed = {extension["alias"] for extension in answer.json()["extensions"]}
        self.assertLessEqual({"consistencygroups", "cgsnapshots"}, listed)
        maps = pathlib.Path(f"/proc/{service.pid}/environ").read_text()
        self.assertIn(f"PYTHONPATH={self.installed}", maps)
