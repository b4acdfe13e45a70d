# SPDX-License-Identifier: Apache-2.0
"""``volume_driver`` for cinder.conf: Cinder's LVM driver with groups that are consistent.

Volumes, snapshots, clones, images, attachments and targets are Cinder's code, untouched.
"""

from typing import Any

from cinder import context as cinder_context
from cinder import interface
from cinder.volume.drivers import lvm
from oslo_config import cfg

from cg_extension.cinder import errors, group_calls, release
from cg_extension.conf import lvm as lvm_conf
from cg_extension.drivers.lvm import engine as lvm_engine
from cg_extension.drivers.lvm import settings

# Options that Cinder's own driver does not have; those that it has mean the same in both.
ENGINE_OPTIONS = (
    "lvm_freeze_deadline",
    "lvm_pool_data_limit",
    "lvm_pool_metadata_limit",
    "lvm_copy_workers",
)


def engine_opts() -> list[cfg.Opt]:
    """The options that the plugin adds to a backend's section."""
    return [opt for opt in lvm_conf.OPTS if opt.dest in ENGINE_OPTIONS]


@interface.volumedriver
class ConsistentLVMVolumeDriver(
    group_calls.GroupCalls,
    lvm.LVMVolumeDriver,  # type: ignore[misc]  # untyped
):
    """Takes the snapshots of a group at one instant, whatever the group's type.

    :raises UnsupportedRelease: this was not tried with the installed Cinder.
    """

    VERSION = "1.0.0"

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        release.check()
        super().__init__(*args, **kwargs)
        self.configuration.append_config_values(engine_opts())

    @classmethod
    def get_driver_options(cls) -> list[cfg.Opt]:
        return [*super().get_driver_options(), *engine_opts()]

    def do_setup(self, context: cinder_context.RequestContext) -> None:
        """Resume and remove what a crash in the middle of a group call left."""
        super().do_setup(context)
        with errors.to_cinder():
            made = lvm_engine.Engine(self._settings())
            made.wipe_in_background(made.recover())

    def check_for_setup_error(self) -> None:
        """Make the engine, now that Cinder's driver has settled what volumes are, and the pool.

        Not when a group first needs it: two calls at once would each make one of their own.
        """
        super().check_for_setup_error()
        self._engine = lvm_engine.Engine(self._settings())
        self._is_checked = False

    @property
    def engine(self) -> lvm_engine.Engine:
        """The engine, checked when the first group needs it: volumes can do without."""
        if not self._is_checked:
            self._engine.check()
            self._is_checked = True
        return self._engine

    def _settings(self) -> lvm_engine.Settings:
        options = self.configuration
        pool = settings.default_pool(options) if options.lvm_type == "thin" else None
        return settings.from_options(options, pool=pool, own_paths=(cfg.CONF.state_path,))

    def _update_volume_stats(self) -> None:
        super()._update_volume_stats()
        for pool in self._stats.get("pools", ()):
            pool["consistent_group_snapshot_enabled"] = True
