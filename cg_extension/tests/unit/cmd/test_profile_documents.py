# SPDX-License-Identifier: Apache-2.0
"""Examples and documentation of profiles are as the code has it."""

import pathlib
import re
import tomllib

from oslotest import base

import cg_extension
from cg_extension.cmd.lvm.profiles import exits, report, schema

ROOT = pathlib.Path(cg_extension.__file__).parents[1]
PAGE = (ROOT / "docs" / "cg-lvm-profiles.md").read_text()
INSTALLED = "/usr/libexec/cg-lvm/"


class DocumentsTest(base.BaseTestCase):
    def setUp(self) -> None:
        super().setUp()
        texts = [path.read_text() for path in (ROOT / "etc/cg-lvm/examples").glob("*.toml")]
        texts += re.findall(r"^```toml\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
        self.assertEqual(6, len(texts))
        self.profiles = [tomllib.loads(text) for text in texts]

    def test_all_examples_are_profiles(self) -> None:
        for profile in self.profiles:
            self.assertEqual([], schema.faults(profile))

    def test_the_hooks_that_they_name_are_there_and_may_be_executed(self) -> None:
        hooks = [hook for profile in self.profiles for hook in profile.get("hooks", [])]
        commands = [hook[kind] for hook in hooks for kind in ("session", "after") if kind in hook]
        self.assertEqual(6, len(commands))
        for program, *_arguments in commands:
            self.assertIn(INSTALLED, program)
            ours = ROOT / "etc" / "cg-lvm" / "hooks" / program.removeprefix(INSTALLED)
            self.assertTrue(ours.stat().st_mode & 0o111, ours)

    def test_all_keys_are_on_the_page(self) -> None:
        for key in [*schema.PROFILE["properties"], *schema.HOOK["properties"]]:
            self.assertRegex(PAGE, rf"(?m)^\|[^|]*`{key}`[^|]*\|", key)

    def test_all_exit_statuses_and_kinds_of_messages_are_on_the_page(self) -> None:
        for status in (exits.PROFILE, exits.UNDER_WAY, exits.POOL, exits.TAKEN_BUT):
            self.assertIn(f"\n| {status} | ", PAGE)
        for kind in (report.TAKEN, report.DELETED, report.FAILED, report.UNDONE):
            self.assertIn(f"\n| `{kind}` | ", PAGE)
