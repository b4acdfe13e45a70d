# SPDX-License-Identifier: Apache-2.0
"""Null counts as absent in Cinder's own call that makes a group from a source.

``openstack volume group create --group-snapshot …`` sends ``"source_group_id": null``, which
Cinder's schema refuses. The other calls of ``openstack volume group`` get by without this.
"""

import io
import json
import re
from typing import Any

_PATH = re.compile(r"/[^/]+/groups/action|/groups/action")
_ACTION = "create-from-src"


def drop(environ: dict[str, Any]) -> None:
    """Take keys whose value is null out of such a request's body; leave all others alone."""
    if environ["REQUEST_METHOD"] != "POST" or not _PATH.fullmatch(environ["PATH_INFO"]):
        return
    length = environ.get("CONTENT_LENGTH") or ""
    if not length.isdecimal():  # none, in chunks, or what Cinder will refuse itself
        return
    # sizelimit, which stands before us in the pipeline, bounds it.
    raw = environ["wsgi.input"].read(int(length))
    try:
        document = json.loads(raw)
        values = document[_ACTION]
        document[_ACTION] = {key: each for key, each in values.items() if each is not None}
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
        pass  # another action, or what Cinder will refuse itself
    else:
        raw = json.dumps(document).encode()
    environ["wsgi.input"] = io.BytesIO(raw)
    environ["CONTENT_LENGTH"] = str(len(raw))
