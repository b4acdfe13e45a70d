# SPDX-License-Identifier: Apache-2.0
"""Keys of encrypted volumes: each volume has one of its own in the key manager, which goes with it.

Cinder makes a key before it checks anything else of a new volume, and deletes it only with a volume
that is deleted alone.
"""

import contextlib
import copy
from collections.abc import Iterable, Iterator
from typing import Any

from cinder import context as cinder_context
from cinder.volume import api, volume_utils
from oslo_log import log as logging

LOG = logging.getLogger(__name__)


class _Recorder:
    """A key manager that knows which keys were made through it."""

    def __init__(self, manager: Any) -> None:
        self._manager = manager
        self.made: list[str] = []

    def create_key(self, *arguments: Any, **more: Any) -> str:
        return self._record(self._manager.create_key(*arguments, **more))

    def store(self, *arguments: Any, **more: Any) -> str:
        return self._record(self._manager.store(*arguments, **more))

    def _record(self, key_id: str) -> str:
        self.made.append(key_id)
        return key_id

    def __getattr__(self, name: str) -> Any:
        return getattr(self._manager, name)


@contextlib.contextmanager
def deleted_on_failure(
    context: cinder_context.RequestContext, volume_api: api.API
) -> Iterator[api.API]:
    """The volume API for the block; when that fails, the keys that it made are deleted."""
    mine = copy.copy(volume_api)
    mine.key_manager = _Recorder(volume_api.key_manager)
    try:
        yield mine
    except Exception:
        delete(context, volume_api, mine.key_manager.made)
        raise


def delete(
    context: cinder_context.RequestContext, volume_api: api.API, key_ids: Iterable[str | None]
) -> None:
    """Delete keys; what fails is logged, and does not stop the others.

    :param key_ids: None, of a volume that is not encrypted, is passed over.
    """
    for key_id in filter(None, key_ids):
        try:
            volume_utils.delete_encryption_key(context, volume_api.key_manager, key_id)
        except Exception:
            LOG.exception("Key %s, of a volume that is gone, stays in the key manager", key_id)
