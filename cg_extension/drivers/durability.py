# SPDX-License-Identifier: Apache-2.0
"""What a power cut does not take away."""

import os
import pathlib


def sync(path: str | pathlib.Path) -> None:
    """Have on disk what was written to a file or device, or which names a directory has."""
    fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)
