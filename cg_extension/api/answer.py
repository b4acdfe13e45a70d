# SPDX-License-Identifier: Apache-2.0
"""An HTTP answer before it is sent, and how it goes out: the same for results and faults."""

import dataclasses
import http
import json
from collections.abc import Iterable, Mapping
from typing import Any

_STATUS_LINES = {status.value: f"{status.value} {status.phrase}" for status in http.HTTPStatus}


@dataclasses.dataclass(frozen=True, slots=True)
class Answer:
    """A WSGI application that answers with a status code and a JSON document (None: no body).

    ``headers`` are those besides Content-Type and -Length. A HEAD request gets only headers.
    """

    status: int
    document: Any = None
    headers: Mapping[str, str] = dataclasses.field(default_factory=dict)

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        headers = list(self.headers.items())
        body = b""
        if self.document is not None:
            body = json.dumps(self.document).encode()
            headers.append(("Content-Type", "application/json"))
        headers.append(("Content-Length", str(len(body))))
        start_response(_STATUS_LINES.get(self.status, f"{self.status} Unknown"), headers)
        return [] if environ["REQUEST_METHOD"] == "HEAD" else [body]
