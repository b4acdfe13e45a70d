# SPDX-License-Identifier: Apache-2.0
"""Policy files: refused at the start when broken, and while it runs the rules before stay."""

import pathlib
from typing import Any
from unittest import mock

import fixtures

from cg_extension.conf import errors
from cg_extension.reference.wsgi import pipeline
from cg_extension.tests.unit.reference.wsgi import base

LOCKED = '"consistencygroup:get_all": "!"\n'
OPEN = '"consistencygroup:get_all": ""\n'
# Each of them is no set of rules, and says what is wrong with it.
BROKEN: dict[str | bytes, str] = {
    '"consistencygroup:get_all": "role:adm\n': "It is not YAML",
    "a: b: c\n": "line 1",
    "- consistencygroup:get_all\n": "NAME: RULE",
    "5\n": "NAME: RULE",
    b"\xff\x00\x01": "utf-8",
    b"\x00\x01\x02": "not YAML",
    '"consistencygroup:get_all":\n': "is not a rule",
    '"consistencygroup:get_all": false\n': "is not a rule",
    '"consistencygroup:get_all": {"role": "admin"}\n': "is not a rule",
    '"consistencygroup:get_all": [["role:admin", 5]]\n': "is not a rule",
    "5: role:admin\n": "is not a rule",
    '"consistencygroup:get_all": "role:admin or"\n': "is not a rule",
    '"consistencygroup:get_all": "(role:admin"\n': "is not a rule",
    '"consistencygroup:get_all": "role:admin or admin"\n': "is not a rule",
    '"consistencygroup:get_all": "project_id:%(project_id"\n': "is not a rule",
    '"consistencygroup:get_all": "project_id:%(project_id)d"\n': "is not a rule",
    '"consistencygroup:get_all": "role:a or role:50%"\n': "is not a rule",
    '"consistencygroup:get_all": "http:"\n': "is not a rule",
    '"consistencygroup:get_all": "https:///x"\n': "is not a rule",
    f'"consistencygroup:get_all": "{"not " * 3000}@"\n': "is not a rule",
    "a: 2026-13-45\n": "not YAML",
    "[" * 5000: "not YAML",
    '"consistencygroup:get_all": "rule:nobodys"\n': "rule:nobodys, which there is not",
    '"consistencygroup:get_all": "rule:a"\n"a": "not rule:a"\n': "refers to itself",
}


class PolicyFileTest(base.HostTestCase):
    def setUp(self) -> None:
        self.directory = pathlib.Path(self.useFixture(fixtures.TempDir()).path)
        self.path = self.directory / "policy.yaml"
        self.useFixture(
            fixtures.MonkeyPatch("cg_extension.reference.wsgi.watched._LOOK_INTERVAL", 0)
        )
        super().setUp()
        self.log = self.useFixture(fixtures.FakeLogger(level=20))

    def load(self) -> Any:
        # oslo.policy's options are registered by the first enforcer.
        pipeline.host_policy.make_enforcer(self.conf)
        self.conf.set_override("policy_file", str(self.path), group="oslo_policy")
        directories = [str(self.directory / "policy.d")]
        self.conf.set_override("policy_dirs", directories, group="oslo_policy")
        return super().load()

    def write(self, content: str | bytes, path: pathlib.Path | None = None) -> None:
        path = path or self.path
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(content if isinstance(content, bytes) else content.encode())

    def assert_listed(self, status: int) -> None:
        answer = self.call("GET", "/consistencygroups", roles="member")
        self.assertEqual(status, answer.status_int, answer.text)

    def health(self) -> str:
        answer = self.send("GET", "/healthcheck")
        self.assertEqual(200, answer.status_int)
        return answer.text

    def test_what_is_no_rule_stops_the_start(self) -> None:
        for content, reason in BROKEN.items():
            with self.subTest(content=content):
                self.write(content)
                error = self.assertRaises(errors.StartError, self.load)
                self.assertIn(reason, str(error))
                self.assertNotIn("\n", str(error))
        self.assertNotIn("Traceback", self.log.output)

    def test_what_is_a_rule_does_not(self) -> None:
        for content in (
            "",
            "# nothing yet\n",
            "{}",
            OPEN,
            LOCKED,
            '"consistencygroup:get_all": "(!) or not (role:a and not !)"\n',
            '"consistencygroup:get_all": [["role:a", "role:b"], "@"]\n',
            '"consistencygroup:get_all": []\n',
            '"consistencygroup:get_all": "rule:mine"\n"mine": "role:a or rule:context_is_admin"\n',
            '"consistencygroup:get_all": "rule:nobodys"\n"default": "role:a"\n',
            '"another_service:call": "rule:of_the_other"\n',
            '{"consistencygroup:get_all": "role:a"}',
            '"consistencygroup:get_all": "http://policy.example.org/%(project_id)s"\n',
        ):
            with self.subTest(content=content):
                self.write(content)
                self.load()

    def test_a_server_that_rules_ask_and_that_is_away_is_not_the_clients_fault(self) -> None:
        for rule in ("consistencygroup:get_all", "context_is_admin"):
            for scheme in ("http", "https"):
                with self.subTest(rule=rule, scheme=scheme):
                    self.write(f'"{rule}": "{scheme}://127.0.0.1:1/%(project_id)s"\n')
                    self.load()
                    self.assert_listed(503)

    def test_rules_that_nothing_asks_for_are_told(self) -> None:
        self.write('"consistencygroup:gte_all": "!"\n')
        self.load()
        self.assertIn("consistencygroup:gte_all", self.log.output)

    def test_a_change_takes_effect_while_it_runs(self) -> None:
        self.assert_listed(200)
        self.write(LOCKED)
        self.assert_listed(403)
        self.write(OPEN)
        self.assert_listed(200)
        self.assertEqual("OK", self.health())

    def test_the_rules_before_a_broken_change_stay_in_force(self) -> None:
        self.write(LOCKED)
        self.assert_listed(403)
        for content in BROKEN:
            self.write(content)
            self.assert_listed(403)
        self.write(OPEN)
        self.assert_listed(200)

    def test_a_broken_change_is_logged_once_and_told_by_the_health_check(self) -> None:
        self.write("- broken\n")
        for _ in range(3):
            self.assert_listed(200)
        self.assertEqual(1, self.log.output.count(f"{self.path}: It must hold"))
        self.assertIn(str(self.path), self.health())
        self.write("- broken again\n")
        self.assertIn(str(self.path), self.health())
        self.assertEqual(2, self.log.output.count(f"{self.path}: It must hold"))
        self.write(LOCKED)
        self.assertEqual("OK", self.health())

    def test_a_file_that_is_gone_or_can_not_be_read_is_a_broken_one(self) -> None:
        self.write(LOCKED)
        self.assert_listed(403)
        self.path.rename(self.directory / "away")
        self.assert_listed(403)
        self.assertIn("gone", self.health())
        self.path.mkdir()
        self.assert_listed(403)
        self.assertIn("Is a directory", self.health())
        self.path.rmdir()
        self.write(LOCKED + "# \n")
        denied = PermissionError(13, "Permission denied", str(self.path))
        with mock.patch.object(pathlib.Path, "read_text", side_effect=denied):
            self.assert_listed(403)
            self.assertIn("Permission denied", self.health())

    def test_directories_count_like_the_file(self) -> None:
        part = self.directory / "policy.d" / "10-lock.yaml"
        self.write(LOCKED, part)
        self.assert_listed(403)
        self.write("5\n", part)
        self.assert_listed(403)
        self.assertIn(str(part), self.health())
        self.assertRaises(errors.StartError, self.load)
        part.unlink()
        self.assert_listed(200)
        self.assertEqual("OK", self.health())
        part.parent.rmdir()
        self.write("", part.parent)
        self.assert_listed(200)
        self.assertIn("policy.d", self.health())

    def test_a_file_that_was_named_and_is_not_there_is_told_at_the_start(self) -> None:
        location = mock.Mock()
        location.location.is_user_controlled = True
        with mock.patch.object(type(self.conf), "get_location", return_value=location):
            self.load()
        self.assertIn(f"policy_file = {self.path}: There is no such file", self.log.output)
        directory = self.directory / "policy.d"
        self.assertIn(f"policy_dirs = {directory}: There is no such directory", self.log.output)
