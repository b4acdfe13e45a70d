# SPDX-License-Identifier: Apache-2.0
"""Tells who started the service when it is ready for work: the log's readers, and systemd.

The words to systemd are those of sd_notify(3); without ``NOTIFY_SOCKET`` nobody listens.
"""

import contextlib
import os
import socket

from oslo_log import log as logging

LOG = logging.getLogger(__name__)


def ready(detail: str = "") -> None:
    """All that was asked of the start is done; ``detail`` is what, in a few words."""
    LOG.info("Ready for work%s", detail and f": {detail}")
    notify(f"READY=1\nSTATUS=Ready for work{detail and f': {detail}'}")


def waiting(detail: str) -> None:
    """Not yet: ``detail`` says what for."""
    notify(f"STATUS={detail}")


def stopping() -> None:
    """The stop begins."""
    notify("STOPPING=1\nSTATUS=Stopping")


def notify(state: str) -> None:
    """Send systemd a message, lines of ``NAME=value``, if it asked for such."""
    address = os.environ.get("NOTIFY_SOCKET")
    if not address:
        return
    if address.startswith("@"):  # An abstract one.
        address = "\0" + address[1:]
    with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as notifier:
        notifier.sendto(state.encode(), address)
