# SPDX-License-Identifier: Apache-2.0
"""Records to JSON documents, one module per collection."""

import datetime


def timestamp(time: datetime.datetime) -> str:
    """A naive UTC time as the API writes it: ISO 8601 with microseconds, without a zone."""
    return time.isoformat(timespec="microseconds")
