# SPDX-License-Identifier: Apache-2.0
"""The engine's settings from the options of a backend's section, ours or Cinder's.

Options that mean the same in both are read here; what differs is an argument.
"""

import os
import shlex
from collections.abc import Sequence
from typing import Any

from cg_extension.drivers.lvm import model


def from_options(
    options: Any, *, pool: str | None, cow_percent: int = 100, own_paths: Sequence[str] = ()
) -> model.Settings:
    """Settings of a backend; for the arguments see ``model.Settings``."""
    return model.Settings(
        volume_group=options.volume_group,
        pool=pool,
        system_dir=system_dir(options),
        freeze_deadline=options.lvm_freeze_deadline,
        data_limit=options.lvm_pool_data_limit,
        metadata_limit=options.lvm_pool_metadata_limit,
        cow_percent=cow_percent,
        clear_size=None if options.volume_clear == "none" else options.volume_clear_size,
        clear_ionice=tuple(shlex.split(options.volume_clear_ionice or "")),
        copy_workers=options.lvm_copy_workers,
        own_paths=own_paths,
    )


def system_dir(options: Any) -> str | None:
    """The directory of ``lvm_conf_file``; None if there is no such file, as by Cinder's default."""
    path = options.lvm_conf_file
    return os.path.dirname(os.path.abspath(path)) if path and os.path.isfile(path) else None


def default_pool(options: Any) -> str:
    """The name that Cinder gives the thin pool of a volume group, and that we expect, too."""
    return f"{options.volume_group}-pool"
