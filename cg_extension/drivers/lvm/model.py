# SPDX-License-Identifier: Apache-2.0
"""What the engine is told and what it tells: its settings, what to copy, capacities."""

import dataclasses
from collections.abc import Sequence


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """How the engine works.

    :param volume_group: name of the volume group.
    :param pool: name of the thin pool; None makes thick volumes.
    :param system_dir: directory of the ``lvm.conf`` to use (LVM_SYSTEM_DIR); None: LVM's own.
    :param freeze_deadline: seconds for which a group snapshot may hold I/O.
    :param data_limit: percentage of the pool's data in use above which no snapshot is taken.
    :param metadata_limit: likewise of the pool's metadata.
    :param cow_percent: size of a thick snapshot's copy-on-write store, in percent of its origin.
    :param clear_size: MiB of a thick volume that are wiped before it is removed; 0: all of it;
        None: none.
    :param clear_ionice: arguments of ionice(1) for the wiping.
    :param copy_workers: how many pieces of thick volumes are copied at a time.
    :param own_paths: files that the caller must reach while members are frozen.
    """

    volume_group: str
    pool: str | None = None
    system_dir: str | None = None
    freeze_deadline: float = 2.0
    data_limit: float = 95.0
    metadata_limit: float = 90.0
    cow_percent: int = 100
    clear_size: int | None = 0
    clear_ionice: Sequence[str] = ()
    copy_workers: int = 2
    own_paths: Sequence[str] = ()


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Copy:
    """``target`` is made of ``source`` and gets the LVM ``tags``.

    :param size: bytes of a new volume, if larger than the source; zeros follow.
    """

    source: str
    target: str
    tags: Sequence[str] = ()
    size: int | None = None


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Capacity:
    """Bytes: in all, free, and promised to volumes; ``thin`` may promise more than there is.

    Of a pool, what of its data and of its metadata is in use, in percent.
    """

    total: int
    free: int
    provisioned: int
    thin: bool
    data_percent: float = 0.0
    metadata_percent: float = 0.0
