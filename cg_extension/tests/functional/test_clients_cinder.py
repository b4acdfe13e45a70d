# SPDX-License-Identifier: Apache-2.0
"""The ``cinder`` command, as etc/cg_extension/README.md has it."""

import re

from cg_extension.tests.functional import base, cli

_ID = re.compile(r"\| id +\| (\S+)")


class CinderCommandTest(base.FunctionalTest):
    def setUp(self) -> None:
        super().setUp()
        self.service = self.useFixture(base.Standalone())
        self.cinder = cli.Cinder(
            {"OS_AUTH_TYPE": "noauth", "OS_USER_ID": "me", "OS_PROJECT_ID": "demo"}
        )

    def _run(self, *words: str, path: str = "/v3/demo") -> str:
        endpoint = f"{self.service.url}{path}"
        return self.cinder.run("--os-auth-type", "noauth", "--endpoint", endpoint, *words)

    def _created(self, *words: str) -> str:
        found = _ID.search(self._run(*words))
        assert found is not None
        return found[1]

    def test_the_life_of_a_group(self) -> None:
        client = self.service.client()
        group = self._created("consisgroup-create", "--name", "db", "__DEFAULT__")
        client.wait(f"/consistencygroups/{group}")
        volume = self._created("create", "1", "--name", "data")
        client.wait(f"/volumes/{volume}")
        self._run("consisgroup-update", "--add-volumes", volume, "db")
        client.wait(f"/consistencygroups/{group}")
        snapshot = self._created("cgsnapshot-create", "--name", "nightly", "db")
        client.wait(f"/cgsnapshots/{snapshot}")
        copy = self._created("consisgroup-create-from-src", "--cgsnapshot", "nightly")
        client.wait(f"/consistencygroups/{copy}")
        listed = self._run("consisgroup-list")
        for id in (group, copy):
            self.assertIn(id, listed)
        self.assertIn("nightly", self._run("cgsnapshot-list"))
        self._run("cgsnapshot-delete", "nightly")
        self.assertIsNone(client.wait(f"/cgsnapshots/{snapshot}"))
        self._run("consisgroup-delete", "--force", "db", copy)
        self.assertIsNone(client.wait(f"/consistencygroups/{group}"))

    def test_the_endpoint_may_leave_out_the_project(self) -> None:
        group = self._created("consisgroup-create", "--name", "db", "__DEFAULT__")
        self.assertIn(group, self._run("consisgroup-list", path="/v3"))

    def test_a_version_that_is_too_new_is_lowered_by_the_command(self) -> None:
        self._run("--os-volume-api-version", "3.59", "list")

    def test_lists_are_sorted_by_name(self) -> None:
        client = self.service.client()
        for name in ("b", "c", "a"):
            volume = self._created("create", "1", "--name", name)
            client.wait(f"/volumes/{volume}")
            self._created("snapshot-create", volume, "--name", f"of-{name}")
        for command, pattern in (("list", r"\| ([abc]) "), ("snapshot-list", r"\| of-([abc]) ")):
            listed = self._run(command, "--sort", "name:asc")
            self.assertEqual(["a", "b", "c"], re.findall(pattern, listed))
