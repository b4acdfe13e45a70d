# SPDX-License-Identifier: Apache-2.0
"""Tests inside real Cinder processes; the tox environments ``cinder`` and ``cinder28``."""

# Before Cinder brings eventlet: what is first imported along with eventlet gets green parts, and a
# server of that kind, run in a thread, may wait for the hub of another thread for ever.
import http.server  # noqa: F401
