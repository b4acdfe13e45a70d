# SPDX-License-Identifier: Apache-2.0
"""The receipts of group snapshots: an extension that adds to the answers of another.

So the answers of that one stay those of the API reference, but for administrators.
"""

from collections.abc import Sequence
from typing import Any

import webob

from cg_extension.api import answer, controller, extensions, wsgi
from cg_extension.api.views import receipts as views
from cg_extension.contract import exceptions
from cg_extension.policies import cgsnapshots as policies


class ReceiptController(controller.Controller):
    """Adds to what shows all of a group snapshot; one query more, whatever the page's length."""

    @wsgi.extends(views.ATTRIBUTES)
    def show(self, req: webob.Request, response: answer.Answer, id: str) -> None:
        """Add the receipt of one."""
        self._add(req, [response.document["cgsnapshot"]])

    @wsgi.extends(views.ATTRIBUTES)
    def detail(self, req: webob.Request, response: answer.Answer) -> None:
        """Add the receipt of each."""
        self._add(req, response.document["cgsnapshots"])

    def _add(self, req: webob.Request, documents: Sequence[dict[str, Any]]) -> None:
        context = wsgi.context_of(req)
        try:
            self.authorize(context, policies.GET_RECEIPT)
        except exceptions.Forbidden:
            return
        found = self.service.get_receipts(context, [each["id"] for each in documents])
        for document in documents:
            document.update(views.attributes(found.get(document["id"])))


class Receipts(extensions.ExtensionDescriptor):
    """When group snapshots were taken, and for how long I/O was held; for administrators."""

    name = "CGReceipt"
    alias = "os-cg-receipt"
    updated = "2026-11-27T00:00:00+00:00"

    def get_controller_extensions(self) -> list[extensions.ControllerExtension]:
        controller = ReceiptController(self.ext_mgr)
        return [extensions.ControllerExtension(self, "cgsnapshots", controller)]
