# SPDX-License-Identifier: Apache-2.0
"""Who this process is as an owner of claims, and which earlier owner is surely dead.

Every start is a new owner, ``host/uuid``, that holds a lock in ``state_path`` for as long as it
lives, and has its name in the locked file. A start that gets the lock therefore knows that the
owner named there has ended, and may take its claims at once instead of waiting for their leases.
"""

import json
import os
import pathlib

from oslo_utils import uuidutils

from cg_extension.conf import errors
from cg_extension.drivers import polling

_FILE = "manager.lock"
# A child that the dead process left behind (privileged helper, watchdog) may hold the lock for a
# moment: the work that it does is not over then.
_PATIENCE = 2.0
_BOOT_ID = pathlib.Path("/proc/sys/kernel/random/boot_id")


class AlreadyRunning(errors.StartError):
    """Another process has its state in the same ``state_path``."""


class Instance:
    """The lock on ``state_path``, with the owner that holds it and the one that held it last."""

    def __init__(self, state_path: str, host: str) -> None:
        """Take the lock.

        :raises AlreadyRunning: another process has it.
        :raises errors.StartError: ``state_path`` can't be made or written.
        """
        self.owner = f"{host}/{uuidutils.generate_uuid()}"
        self._state_path = state_path
        with errors.blaming(f"state_path = {state_path}"):
            os.makedirs(state_path, mode=0o700, exist_ok=True)
            self._file = os.open(os.path.join(state_path, _FILE), os.O_RDWR | os.O_CREAT, 0o600)
            try:
                self._lock()
                self.predecessor = self._read()
            except BaseException:
                os.close(self._file)
                raise

    def succeed(self) -> None:
        """Have the next start know this owner: the predecessor has no claims any more.

        :raises errors.StartError: ``state_path`` can't be written.
        """
        with errors.blaming(f"state_path = {self._state_path}"):
            self._write()

    def release(self) -> None:
        """Let another process have ``state_path``; nothing of ours may be at work any more."""
        os.close(self._file)

    def _lock(self) -> None:
        if not polling.until(lambda: polling.try_lock(self._file), _PATIENCE, pause=0.1):
            raise AlreadyRunning(
                f"Another manager is running with its state in {self._state_path}. Stop it, or "
                "give this one a state_path of its own."
            )

    def _read(self) -> str | None:
        """The last owner, if this is the very file that it wrote, on this machine as it runs.

        A copy of the file (a cloned disk, a restored backup) says nothing of an owner's death.
        """
        content = os.pread(self._file, 4096, 0)
        try:
            written = json.loads(content)
            return str(written["owner"]) if written["place"] == self._place() else None
        except (ValueError, KeyError, TypeError):
            return None

    def _write(self) -> None:
        content = json.dumps({"owner": self.owner, "place": self._place()}).encode()
        os.ftruncate(self._file, 0)
        os.pwrite(self._file, content, 0)
        os.fsync(self._file)

    def _place(self) -> list[str | int]:
        status = os.fstat(self._file)
        return [_BOOT_ID.read_text().strip(), status.st_dev, status.st_ino]
