# SPDX-License-Identifier: Apache-2.0
"""Whatever comes in, what goes out is an answer of the API and never a 500."""

import urllib.parse

import webob
from hypothesis import given, settings
from hypothesis import strategies as st

from cg_extension.tests import strategies
from cg_extension.tests.unit.api import base

EXPECTED = {200, 202, 400, 404, 405}


class HostileRequestsTest(base.APITestCase):
    def _assert_answered(self, answer: webob.Response) -> None:
        self.assertIn(answer.status_int, EXPECTED, answer.text)
        if answer.status_int >= 400:
            [fault] = answer.json.values()
            self.assertEqual(answer.status_int, fault["code"])
            self.assertTrue(fault["message"])

    @settings(deadline=None, max_examples=300)
    @given(strategies.requests_with_body(base.GROUP_ID))
    def test_no_body_gives_a_500(self, request: tuple[str, str, bytes]) -> None:
        method, path, raw = request
        self._assert_answered(self.call(method, path.format(id=base.GROUP_ID), raw=raw))

    @settings(deadline=None)
    @given(st.sampled_from(sorted(strategies.SCHEMAS)), st.binary(max_size=100))
    def test_no_bytes_give_a_500(self, call: tuple[str, str], raw: bytes) -> None:
        method, path = call
        self._assert_answered(self.call(method, path.format(id=base.GROUP_ID), raw=raw))

    @settings(deadline=None, max_examples=300)
    @given(st.sampled_from(strategies.CALLS), strategies.queries())
    def test_no_query_gives_a_500(self, call: tuple[str, str], query: str) -> None:
        method, path = call
        self._assert_answered(self.call(method, f"{path.format(id=base.GROUP_ID)}?{query}"))

    @settings(deadline=None)
    @given(st.sampled_from(strategies.CALLS), st.binary(min_size=1, max_size=60))
    def test_no_path_gives_a_500(self, call: tuple[str, str], part: bytes) -> None:
        method, path = call
        self._assert_answered(self.call(method, path.format(id=urllib.parse.quote(part))))

    @settings(deadline=None)
    @given(st.sampled_from(["limit", "offset"]), st.integers(min_value=0))
    def test_no_number_leaves_what_a_database_takes(self, name: str, number: int) -> None:
        self._assert_answered(self.call("GET", f"/cgsnapshots?{name}={number}"))
        query = self.service.list_cgsnapshot_names.call_args.args[1]
        self.assertTrue(0 <= query.limit <= 1000 and 0 <= query.offset < 2**63)
