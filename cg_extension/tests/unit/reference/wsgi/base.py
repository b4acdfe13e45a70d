# SPDX-License-Identifier: Apache-2.0
"""The whole API of the host, from the first filter on, over a real service and SQLite."""

import json
import pathlib
from collections.abc import Mapping
from typing import Any

import fixtures
import webob
from oslo_policy import opts

from cg_extension.reference.wsgi import pipeline
from cg_extension.tests import declared_errors
from cg_extension.tests.unit.reference.service import base

PROJECT = "p"


class HostTestCase(base.ServiceTestCase):
    """Sends requests to the pipeline of the configured auth strategy; no manager runs."""

    scenarios: list[Any] = []
    dialect = "sqlite"

    def setUp(self) -> None:
        super().setUp()
        self.conf.set_override("response_validation", "error", group="api")
        self.useFixture(declared_errors.DeclaredErrors())
        self.application = self.load()

    def load(self) -> Any:
        """The pipeline under the options of now."""
        return pipeline.load(self.conf, self.service)

    def set_rules(self, rules: Mapping[str, str]) -> None:
        """Let a deployer's policy file have these rules; before :meth:`load`."""
        path = pathlib.Path(self.useFixture(fixtures.TempDir()).path, "policy.yaml")
        path.write_text(json.dumps(dict(rules)))
        opts.set_defaults(self.conf)
        self.conf.set_override("policy_file", str(path), group="oslo_policy")

    def call(
        self,
        method: str,
        path: str,
        body: Any = None,
        *,
        roles: str = "",
        project: str = PROJECT,
        path_project: str | None = None,
        headers: Mapping[str, str] | None = None,
        environ: Mapping[str, str] | None = None,
    ) -> webob.Response:
        """The answer to a call of ``/v3/PROJECT`` + ``path``; no roles are an administrator's."""
        token = ":".join(filter(None, ["u", project, roles]))
        return self.send(
            method,
            f"/v3/{path_project or project}{path}",
            body,
            headers={"X-Auth-Token": token, **(headers or {})},
            environ=environ,
        )

    def send(
        self,
        method: str,
        path: str,
        body: Any = None,
        *,
        headers: Mapping[str, str] | None = None,
        environ: Mapping[str, str] | None = None,
    ) -> webob.Response:
        """The answer to a request as it stands, without a token of its own."""
        req = webob.Request.blank(path, environ=dict(environ or {}), method=method)
        req.headers.update(headers or {})
        if body is not None:
            req.body = body if isinstance(body, bytes) else json.dumps(body).encode()
            req.content_type = "application/json"
        return req.get_response(self.application)

    def ok(self, *arguments: Any, status: int = 200, **options: Any) -> Any:
        """The document that a call answers with, under that status."""
        answer = self.call(*arguments, **options)
        self.assertEqual(status, answer.status_int, answer.text)
        return answer.json if answer.body else None

    def assert_fault(self, answer: webob.Response, code: int, name: str, *words: str) -> None:
        """``answer`` is a JSON fault of that kind whose message has each of ``words``."""
        self.assertEqual(code, answer.status_int, answer.text)
        self.assertEqual([name], list(answer.json))
        self.assertEqual(code, answer.json[name]["code"])
        for word in words:
            self.assertIn(word, answer.json[name]["message"])
