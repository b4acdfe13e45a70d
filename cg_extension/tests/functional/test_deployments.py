# SPDX-License-Identifier: Apache-2.0
"""Several deployments behind one endpoint, as ``etc/haproxy`` has it: each has its projects."""

import contextlib
import http.client
import pathlib
import urllib.parse
import uuid

import fixtures
import requests

from cg_extension.tests import http_client, waiting
from cg_extension.tests.deployment import processes
from cg_extension.tests.functional import base

_EXAMPLE = pathlib.Path(__file__).parents[3] / "etc" / "haproxy" / "deployments.cfg"


class DeploymentsTest(base.FunctionalTest):
    def setUp(self) -> None:
        super().setUp()
        self.old, self.new = uuid.uuid4().hex, uuid.uuid4().hex
        self.first, self.newest = (self.useFixture(base.Standalone()) for _ in range(2))
        directory = pathlib.Path(self.useFixture(fixtures.TempDir(base.TEMPORARY)).path)
        self.url = f"http://127.0.0.1:{processes.free_port()}"
        (directory / "projects.map").write_text(f"{self.old} first\n")
        (directory / "haproxy.cfg").write_text(self._adapted(directory))
        haproxy = processes.BoundProcess(
            "haproxy",
            ["haproxy", "-db", "-f", str(directory / "haproxy.cfg")],
            directory / "haproxy.log",
        )
        haproxy.start()
        self.addCleanup(haproxy.kill)
        waiting.eventually(self._answers, "HAProxy answers")

    def _answers(self) -> bool:
        try:
            return requests.get(self.url, timeout=30).ok
        except (requests.ConnectionError, requests.Timeout):
            return False

    def _adapted(self, directory: pathlib.Path) -> str:
        """The example with the addresses of this test, one API a deployment."""
        changes = {
            "127.0.0.1:8776": urllib.parse.urlsplit(self.url).netloc,
            "/etc/haproxy/projects.map": str(directory / "projects.map"),
        }
        for service, numbers in ((self.first, (1, 2)), (self.newest, (3, 4))):
            address = urllib.parse.urlsplit(service.url).netloc
            changes |= {f"192.0.2.{number}:8776": address for number in numbers}
        text = _EXAMPLE.read_text()
        for old, new in changes.items():
            self.assertEqual(1, text.count(old))
            text = text.replace(old, new)
        return text

    def _client(self, project: str) -> http_client.Client:
        return http_client.Client(lambda: self.url, project, f"user:{project}:member")

    def test_each_project_is_in_the_deployment_that_the_map_says(self) -> None:
        for project, has, has_not in (
            (self.old, self.first, self.newest),
            (self.new, self.newest, self.first),
        ):
            made = self._client(project).begin("consistencygroups", volume_types="__DEFAULT__")
            for service, expected in ((has, [made]), (has_not, [])):
                found = service.client(project).get("/consistencygroups")["consistencygroups"]
                self.assertEqual(expected, [group["id"] for group in found])

    def test_a_path_that_does_not_name_the_project_as_the_map_does_leads_nowhere(self) -> None:
        headers = {"X-Auth-Token": f"user:{self.old}:member"}
        spelled = f"%{ord(self.old[0]):02x}{self.old[1:]}"
        for path in ("consistencygroups", f"{spelled}/consistencygroups", f"/{self.old}/volumes"):
            # requests would spell it as usual.
            address = urllib.parse.urlsplit(self.url).netloc
            with contextlib.closing(http.client.HTTPConnection(address, timeout=30)) as connection:
                connection.request("GET", f"/v3/{path}", headers=headers)
                self.assertEqual(404, connection.getresponse().status, path)

    def test_versions_are_told(self) -> None:
        for path in ("/", "/v3/"):
            answer = requests.get(self.url + path, timeout=30)
            self.assertIn("versions", answer.json(), path)
