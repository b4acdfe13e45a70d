# SPDX-License-Identifier: Apache-2.0
"""``volume_driver`` for cinder.conf: Cinder's LVM driver with groups that are consistent.

Volumes, snapshots, clones, images, attachments and targets are Cinder's code, untouched.
"""

import functools
import os
from typing import Any

from cinder import context as cinder_context
from cinder import interface
from cinder.volume.drivers import lvm

from cg_extension.cinder import group_calls, release
from cg_extension.drivers.lvm import engine as lvm_engine


@interface.volumedriver
class ConsistentLVMVolumeDriver(group_calls.GroupCalls, lvm.LVMVolumeDriver):
    """Takes the snapshots of a group at one instant, whatever the group's type.

    :raises UnsupportedRelease: the installed Cinder is none that this was tried with.
    """

    VERSION = "1.0.0"

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        release.check()
        super().__init__(*args, **kwargs)

    def do_setup(self, context: cinder_context.RequestContext) -> None:
        """Let go and remove what a crash in the middle of a group call left."""
        super().do_setup(context)
        with group_calls.translated():
            lvm_engine.Engine(self._settings()).recover()

    @functools.cached_property
    def engine(self) -> lvm_engine.Engine:
        """The engine, made and checked when the first group needs it.

        Only then Cinder's driver has settled whether volumes are thin, and has made the pool.
        """
        made = lvm_engine.Engine(self._settings())
        made.check()
        return made

    def _settings(self) -> lvm_engine.Settings:
        group = self.configuration.volume_group
        lvm_conf = self.configuration.lvm_conf_file
        return lvm_engine.Settings(
            volume_group=group,
            pool=f"{group}-pool" if self.configuration.lvm_type == "thin" else None,
            system_dir=os.path.dirname(lvm_conf) if os.path.isfile(lvm_conf) else None,
        )

    def _update_volume_stats(self) -> None:
        super()._update_volume_stats()
        for pool in self._stats.get("pools", ()):
            pool["consistent_group_snapshot_enabled"] = True
