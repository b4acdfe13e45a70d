# SPDX-License-Identifier: Apache-2.0
"""Version 2 behind a proxy, in one process."""

import json
import types
import unittest

import webob
import webob.dec
from cinder.api import common
from oslo_config import cfg

from cg_extension.cinder import v2

PATH = "/v2/1234/volumes/5678"


class Views(common.ViewBuilder):
    _collection_name = "volumes"


@webob.dec.wsgify
def version3(request: webob.Request) -> webob.Response:
    """Answers with a link, as the views of Cinder make it."""
    request.environ["cinder.context"] = types.SimpleNamespace(project_id="1234")
    link = Views()._get_href_link(request, "5678")
    body = json.dumps({"volume": {"links": [{"rel": "self", "href": link}]}})
    return webob.Response(body, content_type="application/json", charset="utf-8")


class PublicEndpointTest(unittest.TestCase):
    """Links in answers lead below ``public_endpoint``, by which clients come."""

    def setUp(self) -> None:
        self.addCleanup(cfg.CONF.clear_override, "public_endpoint")

    def ask(self, path: str, public_endpoint: str | None) -> str:
        cfg.CONF.set_override("public_endpoint", public_endpoint)
        request = webob.Request.blank(path, base_url="http://10.0.0.1:8776")
        self.assertEqual("v2", request.path_info_pop())
        return str(request.get_response(v2.Version2(version3)).text)

    def test_a_link_in_an_answer(self) -> None:
        for endpoint, base in (
            (None, "http://10.0.0.1:8776"),
            ("https://cloud.example.org/volume", "https://cloud.example.org/volume"),
        ):
            self.assertIn(f'"href": "{base}{PATH}"', self.ask(PATH, endpoint))

    def test_the_link_in_the_version_document(self) -> None:
        answer = self.ask("/v2/", "https://cloud.example.org/volume")
        self.assertIn('"https://cloud.example.org/volume/v2/"', answer)
