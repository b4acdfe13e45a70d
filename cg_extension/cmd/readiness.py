# SPDX-License-Identifier: Apache-2.0
"""Tells readers of the log, and systemd, when the service is ready for work.

Messages to systemd are those of sd_notify(3); without ``NOTIFY_SOCKET`` nobody listens.
"""

import contextlib
import os
import socket

from oslo_log import log as logging

LOG = logging.getLogger(__name__)


def ready(detail: str = "") -> None:
    """The start is complete; ``detail`` says what was started, in a few words."""
    text = f"Ready for work: {detail}" if detail else "Ready for work"
    LOG.info("%s", text)
    notify(f"READY=1\nSTATUS={text}")


def waiting(detail: str) -> None:
    """The start is not complete; ``detail`` says what it waits for."""
    notify(f"STATUS={detail}")


def stopping() -> None:
    """The stop begins."""
    notify("STOPPING=1\nSTATUS=Stopping")


def notify(state: str) -> None:
    """Send systemd a message, lines of ``NAME=value``, if it asked for messages."""
    address = os.environ.get("NOTIFY_SOCKET")
    if not address:
        return
    if address.startswith("@"):  # An abstract socket.
        address = "\0" + address[1:]
    with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as notifier:
        notifier.sendto(state.encode(), address)
