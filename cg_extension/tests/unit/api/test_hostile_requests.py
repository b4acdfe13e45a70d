# SPDX-License-Identifier: Apache-2.0
"""Whatever comes in, what goes out is an answer of the API and never a 500."""

import json
import urllib.parse
from typing import Any

import webob
from hypothesis import given, settings
from hypothesis import strategies as st

from cg_extension.api import cgsnapshots, consistencygroups, routes
from cg_extension.api.schemas import cgsnapshots as cgsnapshot_schemas
from cg_extension.api.schemas import consistencygroups as group_schemas
from cg_extension.tests.unit.api import base

# Text with everything in it that JSON can spell, halves of surrogate pairs included.
TEXT = st.text(st.characters(), max_size=300) | st.sampled_from(
    ["", "\0", "\ud800", "a\nb", "x" * 256, "\U0001f600", base.GROUP_ID, "True", ","]
)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
    max_leaves=8,
)
SCHEMAS = {
    ("POST", "/consistencygroups"): group_schemas.CREATE,
    ("POST", "/consistencygroups/create_from_src"): group_schemas.CREATE_FROM_SRC,
    ("POST", "/consistencygroups/{id}/delete"): group_schemas.DELETE,
    ("PUT", "/consistencygroups/{id}"): group_schemas.UPDATE,
    ("PUT", "/consistencygroups/{id}/update"): group_schemas.UPDATE,
    ("POST", "/cgsnapshots"): cgsnapshot_schemas.CREATE,
}
CALLS = [(m, path) for path, functions in routes.ROUTES.items() for m in functions]
PARAMETERS = sorted(
    {*consistencygroups.LISTING.parameters, *cgsnapshots.LISTING.parameters, "force", "x"}
)
EXPECTED = {200, 202, 400, 404, 405}


@st.composite
def bodies(draw: st.DrawFn, schema: dict[str, Any]) -> Any:
    """Bodies that come close to what a call takes: its keys, with anything as their values."""
    key = draw(st.sampled_from(sorted(schema["properties"])))
    known = sorted(schema["properties"][key]["properties"])
    inner = st.dictionaries(st.sampled_from(known) | TEXT, JSON, max_size=4)
    return {key: draw(inner | JSON)}


class HostileRequestsTest(base.APITestCase):
    def _assert_answered(self, answer: webob.Response) -> None:
        self.assertIn(answer.status_int, EXPECTED, answer.text)
        if answer.status_int >= 400:
            [fault] = answer.json.values()
            self.assertEqual(answer.status_int, fault["code"])
            self.assertTrue(fault["message"])

    @settings(deadline=None, max_examples=300)
    @given(st.data())
    def test_no_body_gives_a_500(self, data: st.DataObject) -> None:
        (method, path), schema = data.draw(st.sampled_from(sorted(SCHEMAS.items(), key=str)))
        raw = json.dumps(data.draw(bodies(schema) | JSON)).encode()
        self._assert_answered(self.call(method, path.format(id=base.GROUP_ID), raw=raw))

    @settings(deadline=None)
    @given(st.sampled_from(sorted(SCHEMAS)), st.binary(max_size=100))
    def test_no_bytes_give_a_500(self, call: tuple[str, str], raw: bytes) -> None:
        method, path = call
        self._assert_answered(self.call(method, path.format(id=base.GROUP_ID), raw=raw))

    @settings(deadline=None, max_examples=300)
    @given(st.sampled_from(CALLS), st.lists(st.tuples(st.sampled_from(PARAMETERS), TEXT)))
    def test_no_query_gives_a_500(
        self, call: tuple[str, str], pairs: list[tuple[str, str]]
    ) -> None:
        method, path = call
        query = urllib.parse.urlencode(
            [(name, value.encode("utf-8", "surrogatepass")) for name, value in pairs]
        )
        self._assert_answered(self.call(method, f"{path.format(id=base.GROUP_ID)}?{query}"))

    @settings(deadline=None)
    @given(st.sampled_from(CALLS), st.binary(min_size=1, max_size=60))
    def test_no_path_gives_a_500(self, call: tuple[str, str], part: bytes) -> None:
        method, path = call
        self._assert_answered(self.call(method, path.format(id=urllib.parse.quote(part))))

    @settings(deadline=None)
    @given(st.sampled_from(["limit", "offset"]), st.integers(min_value=0))
    def test_no_number_leaves_what_a_database_takes(self, name: str, number: int) -> None:
        self._assert_answered(self.call("GET", f"/cgsnapshots?{name}={number}"))
        query = self.service.list_cgsnapshots.call_args.args[1]
        self.assertTrue(0 <= query.limit <= 1000 and 0 <= query.offset < 2**63)
