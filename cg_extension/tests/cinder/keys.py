# SPDX-License-Identifier: Apache-2.0
"""A key manager in a directory, for tests: ``[key_manager] backend`` names ``FileKeyManager``.

Cinder's own without a server, ``ConfKeyManager``, has only one key for all volumes.
"""

import pathlib
import secrets
import uuid
from typing import Any

from castellan.common import exception
from castellan.common.objects import symmetric_key
from castellan.key_manager import key_manager
from oslo_config import cfg

BACKEND = f"{__name__}.FileKeyManager"
DIRECTORY = "keys"
"""Below Cinder's ``state_path``; each key is a file, named by its id."""


class FileKeyManager(key_manager.KeyManager):  # type: ignore[misc]  # untyped
    """Symmetric keys only, for whoever asks."""

    def __init__(self, configuration: cfg.ConfigOpts) -> None:
        super().__init__(configuration)
        self._directory = pathlib.Path(configuration.state_path, DIRECTORY)
        self._directory.mkdir(exist_ok=True)

    def create_key(self, context: Any, algorithm: str, length: int, **_more: Any) -> str:
        key = secrets.token_bytes(length // 8)
        return self.store(context, symmetric_key.SymmetricKey(algorithm, length, key))

    def store(self, context: Any, managed_object: Any, **_more: Any) -> str:
        key_id = str(uuid.uuid4())
        (self._directory / key_id).write_bytes(managed_object.get_encoded())
        return key_id

    def get(self, context: Any, managed_object_id: str, **_more: Any) -> Any:
        key = self._read(managed_object_id)
        return symmetric_key.SymmetricKey("AES", 8 * len(key), key)

    def delete(self, context: Any, managed_object_id: str, **_more: Any) -> None:
        self._read(managed_object_id)
        (self._directory / managed_object_id).unlink()

    def _read(self, key_id: str) -> bytes:
        try:
            return (self._directory / key_id).read_bytes()
        except FileNotFoundError:
            raise exception.ManagedObjectNotFoundError(uuid=key_id) from None

    def _not_needed(self, *_arguments: Any, **_more: Any) -> Any:
        raise NotImplementedError

    create_key_pair = list = add_consumer = remove_consumer = _not_needed
