# SPDX-License-Identifier: Apache-2.0
"""Version 2 of the API, answered by Cinder's application for version 3.

Version 3.0 is version 2 under another path, so a request goes through as 3.0, and links in the
answer are turned back into links below ``/v2``. Requests about consistency groups don't get here:
their filter stands before this one and answers ``/v2`` itself.
"""

from typing import Any

import webob
import webob.dec
from cinder.api import common
from oslo_config import cfg


class Version2:
    """A WSGI filter before Cinder's v3 application.

    :param application: Cinder's ``apiv3``.
    """

    def __init__(self, application: Any) -> None:
        self._application = application

    @webob.dec.wsgify  # type: ignore[untyped-decorator]
    def __call__(self, req: webob.Request) -> webob.Response:
        """Answer one request as version 2 did."""
        here = common.get_request_url(req)
        if req.path_info in ("", "/"):
            return _version_document(_public(here))
        base, _, _ = req.script_name.rpartition("/")
        req.script_name = f"{base}/v3"
        # Version 2 knows no microversions.
        req.headers.pop("OpenStack-API-Version", None)
        there = common.get_request_url(req)
        response = req.get_response(self._application)
        for header in ("OpenStack-API-Version", "Vary", "Location"):
            value = response.headers.pop(header, None)
            if header == "Location" and value is not None:
                response.headers[header] = value.replace(there, here, 1)
        if response.content_type == "application/json":
            response.body = _with_links_to(_public(here), _public(there), response.body)
        return response


def _public(url: str) -> str:
    """The address of a request as Cinder has it in links: below ``public_endpoint``, if set."""
    link: str = common.ViewBuilder()._update_link_prefix(url, cfg.CONF.public_endpoint)
    return link


def _with_links_to(here: str, there: str, body: bytes) -> bytes:
    """Let each ``href`` below ``there`` lead below ``here``.

    Quotation marks inside of a JSON string are escaped, so a client's text can't look like this.
    """
    return body.replace(f'"href": "{there}/'.encode(), f'"href": "{here}/'.encode())


def _version_document(here: str) -> webob.Response:
    """A version document that today's clients accept in version discovery."""
    version = {
        "id": "v2.0",
        "status": "SUPPORTED",
        "version": "",
        "min_version": "",
        "updated": "2014-06-28T12:20:21Z",
        "links": [{"rel": "self", "href": f"{here}/"}],
        "media-types": [
            {
                "base": "application/json",
                "type": "application/vnd.openstack.volume+json;version=2",
            }
        ],
    }
    return webob.Response(json={"versions": [version]})
