# SPDX-License-Identifier: Apache-2.0
"""The two collections as a host mounts them, over a service that only answers as told."""

import datetime
import json
from collections.abc import Mapping
from typing import Any
from unittest import mock

import webob
from oslo_config import cfg
from oslo_policy import policy
from oslotest import base

from cg_extension import conf as cg_conf
from cg_extension import policies
from cg_extension.api import (
    cgsnapshots,
    consistencygroups,
    extensions,
    microversions,
    receipts,
    router,
)
from cg_extension.contract import context as cg_context
from cg_extension.contract import exceptions, interface, records
from cg_extension.tests import declared_errors

PROJECT = "5a9c0b5e8d1f4c6f9d3b2a1c0e7f6d5b"
GROUP_ID = "11111111-1111-4111-8111-111111111111"
CGSNAPSHOT_ID = "22222222-2222-4222-8222-222222222222"
TYPE_ID = "33333333-3333-4333-8333-333333333333"
CREATED_AT = datetime.datetime(2015, 9, 16, 9, 28, 52)

GROUP = records.Group(
    id=GROUP_ID,
    project_id=PROJECT,
    name="database",
    description="tables and logs",
    status="available",
    created_at=CREATED_AT,
    availability_zone="nova",
    volume_types=(TYPE_ID,),
)
CGSNAPSHOT = records.CGSnapshot(
    id=CGSNAPSHOT_ID,
    project_id=PROJECT,
    name="nightly",
    status="available",
    created_at=CREATED_AT,
    consistencygroup_id=GROUP_ID,
)


class ExtensionManager:
    """A host in the small: real options, real policy, and the service that it is given."""

    def __init__(self, service: interface.GroupService) -> None:
        self.conf = cfg.ConfigOpts()
        cg_conf.register_opts(self.conf)
        self.conf([], project="cg_extension", default_config_files=[])
        self.service = service
        self.registered: list[extensions.ExtensionDescriptor] = []
        self._enforcer = policy.Enforcer(self.conf, policy_file="")
        self._enforcer.register_defaults(policies.list_rules())

    def register(self, extension: extensions.ExtensionDescriptor) -> None:
        self.registered.append(extension)

    def authorize(
        self, context: cg_context.RequestContext, rule: str, target: Mapping[str, Any]
    ) -> None:
        try:
            self._enforcer.authorize(rule, dict(target), context, do_raise=True)
        except policy.PolicyNotAuthorized as error:
            raise exceptions.Forbidden(action=rule) from error


class APITestCase(base.BaseTestCase):
    """Sends requests to the collections; ``self.service`` is a mock of seam 1."""

    versions = microversions.FIRST

    def setUp(self) -> None:
        super().setUp()
        self.useFixture(declared_errors.DeclaredErrors())
        self.service = mock.create_autospec(interface.GroupService, instance=True)
        for kind, record in (("group", GROUP), ("cgsnapshot", CGSNAPSHOT)):
            getattr(self.service, f"get_{kind}").return_value = record
            getattr(self.service, f"create_{kind}").return_value = record
            page: records.Page[Any] = records.Page((record,), has_more=False)
            getattr(self.service, f"list_{kind}s").return_value = page
            getattr(self.service, f"list_{kind}_names").return_value = page
        self.service.get_receipts.return_value = {}
        self.service.create_group_from_src.return_value = GROUP
        self.manager = ExtensionManager(self.service)
        self.application = router.Router(versions=self.versions, response_validation="error")
        for addition in receipts.Receipts(self.manager).get_controller_extensions():
            self.application.extend(addition)
        for descriptor in (consistencygroups.Consistencygroups, cgsnapshots.Cgsnapshots):
            for resource in descriptor(self.manager).get_resources():
                self.application.add_extension(resource)

    def call(
        self,
        method: str,
        path: str,
        body: Any = None,
        *,
        raw: bytes | None = None,
        role: str = "member",
        project: str = PROJECT,
        path_project: str | None = PROJECT,
        headers: Mapping[str, str] | None = None,
    ) -> webob.Response:
        """The answer to a request of a user of ``project``; ``path_project`` None: not in it."""
        before = "" if path_project is None else f"/{path_project}"
        req = webob.Request.blank(f"{before}{path}", method=method, headers=headers or {})
        if body is not None:
            raw = json.dumps(body).encode()
        if raw is not None:
            req.body = raw
            req.content_type = "application/json"
        req.environ[cg_context.ENVIRON_KEY] = cg_context.RequestContext(
            user_id="user",
            project_id=project,
            roles=[role],
            is_admin=role == "admin",
        )
        return req.get_response(self.application)

    def assert_fault(self, answer: webob.Response, code: int, name: str, *words: str) -> None:
        """Check that ``answer`` is a fault whose message has each of ``words``."""
        self.assertEqual(code, answer.status_int, answer.text)
        self.assertEqual([name], list(answer.json))
        self.assertEqual(code, answer.json[name]["code"])
        for word in words:
            self.assertIn(word, answer.json[name]["message"])

    def assert_bad(self, answer: webob.Response, *words: str) -> None:
        """Check that ``answer`` is a 400 whose message has each of ``words``."""
        self.assert_fault(answer, 400, "badRequest", *words)
