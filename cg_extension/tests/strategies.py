# SPDX-License-Identifier: Apache-2.0
"""Hypothesis strategies for requests that nobody should send."""

import json
import urllib.parse
from typing import Any

from hypothesis import strategies as st

from cg_extension.api import cgsnapshots, consistencygroups, routes
from cg_extension.api.schemas import cgsnapshots as cgsnapshot_schemas
from cg_extension.api.schemas import consistencygroups as group_schemas

# Text with everything in it that JSON can spell, halves of surrogate pairs included.
TEXT = st.text(st.characters(), max_size=300) | st.sampled_from(
    ["", "\0", "\ud800", "a\nb", "x" * 256, "\U0001f600", "True", ",", "-1", "0"]
)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
    max_leaves=8,
)
# Every call, as (method, path).
CALLS = [(method, path) for path, functions in routes.ROUTES.items() for method in functions]
SCHEMAS = {
    ("POST", "/consistencygroups"): group_schemas.CREATE,
    ("POST", "/consistencygroups/create_from_src"): group_schemas.CREATE_FROM_SRC,
    ("POST", "/consistencygroups/{id}/delete"): group_schemas.DELETE,
    ("PUT", "/consistencygroups/{id}"): group_schemas.UPDATE,
    ("PUT", "/consistencygroups/{id}/update"): group_schemas.UPDATE,
    ("POST", "/cgsnapshots"): cgsnapshot_schemas.CREATE,
}
_PARAMETERS = sorted(
    {*consistencygroups.LISTING.parameters, *cgsnapshots.LISTING.parameters, "force", "x"}
)


@st.composite
def requests_with_body(draw: st.DrawFn, value: str) -> tuple[str, str, bytes]:
    """Method, path and a body that comes close to what the call takes.

    :param value: one that makes sense somewhere, such as an id or the name of a type.
    """
    call = draw(st.sampled_from(sorted(SCHEMAS)))
    properties: dict[str, Any] = SCHEMAS[call]["properties"]
    key = draw(st.sampled_from(sorted(properties)))
    known = st.sampled_from(sorted(properties[key]["properties"]))
    values = st.just(value) | JSON
    inner = st.dictionaries(known, values, max_size=4) | st.dictionaries(TEXT, values, max_size=2)
    body = draw(st.one_of(inner.map(lambda drawn: {key: drawn}), JSON))
    return (*call, json.dumps(body).encode())


@st.composite
def queries(draw: st.DrawFn) -> str:
    """Query strings with parameters that some list takes, and one that none does."""
    pairs = draw(st.lists(st.tuples(st.sampled_from(_PARAMETERS), TEXT), max_size=4))
    return urllib.parse.urlencode(
        [(name, value.encode("utf-8", "surrogatepass")) for name, value in pairs]
    )
