# SPDX-License-Identifier: Apache-2.0
"""The ``lvm`` driver: what the manager asks for, in the words of the LVM engine.

Volumes are named ``volume-UUID`` and snapshots ``_snapshot-UUID`` (LVM keeps names that begin
with ``snapshot`` for itself), as Cinder names them. How group snapshots come to be of one instant
is the engine's business.
"""

import os
from collections.abc import Iterable, Mapping, Sequence

from oslo_config import cfg
from oslo_utils import units

from cg_extension.conf import lvm as lvm_options
from cg_extension.contract import records
from cg_extension.drivers import base, exceptions
from cg_extension.drivers.lvm import (
    commands,
    engine,
    errors,
    model,
    privileged,
    receipts,
    settings,
)

_SNAPSHOT_PREFIX = "_snapshot-"
_OVERFLOWED = (
    "The snapshot's copy-on-write store overflowed, so that its content is lost. Delete it; a "
    "larger snapshot_cow_percent gives new snapshots more room."
)


class LVMDriver(base.Driver):
    """Volumes in one LVM volume group, thin or thick, used on this machine."""

    VERSION = "1.0.0"

    @classmethod
    def get_driver_options(cls) -> Sequence[cfg.Opt]:
        return lvm_options.OPTS

    def do_setup(self, context: base.Context) -> None:
        path = self.options.lvm_conf_file
        if path and not (os.path.isfile(path) and os.path.basename(path) == "lvm.conf"):
            raise exceptions.DriverSetupError(
                f"[{self.backend}] lvm_conf_file = {path}: it must be an existing file "
                "with the name lvm.conf"
            )
        privileged.configure(self.options.lvm_privsep_helper)
        # Made anew: what ``auto`` and the configured file stand for may have changed.
        self.engine = self._engine()
        self.engine.wipe_in_background(self.engine.recover())
        ours = (v for v in self.engine.volumes().values() if v.name.startswith("volume-"))
        self.engine.activate([volume.name for volume in ours if not volume.active])

    def check_for_setup_error(self) -> None:
        try:
            self.engine.check()
        except errors.LVMError as error:
            raise exceptions.DriverSetupError(f"[{self.backend}] {error}") from error

    def _engine(self) -> engine.Engine:
        options = self.options
        return engine.Engine(
            settings.from_options(
                options, pool=self._pool(), cow_percent=options.snapshot_cow_percent
            )
        )

    def _pool(self) -> str | None:
        options = self.options
        name = str(options.lvm_pool_name or settings.default_pool(options))
        if options.lvm_type == "auto":
            group = commands.VolumeGroup(options.volume_group, settings.system_dir(options))
            try:
                volumes = group.volumes()
            except errors.LVMError as error:
                raise exceptions.DriverSetupError(f"[{self.backend}] {error}") from error
            return name if name in volumes and volumes[name].is_pool else None
        return name if options.lvm_type == "thin" else None

    def get_volume_stats(self) -> base.VolumeStats:
        capacity = self.engine.capacity()
        return base.VolumeStats(
            volume_backend_name=self.options.volume_backend_name or self.backend,
            vendor_name="Open Source",
            driver_version=self.VERSION,
            storage_protocol="local",
            total_capacity_gb=capacity.total / units.Gi,
            free_capacity_gb=capacity.free / units.Gi,
            provisioned_capacity_gb=capacity.provisioned / units.Gi,
            reserved_percentage=self.options.reserved_percentage,
            max_over_subscription_ratio=(
                self.options.max_over_subscription_ratio if capacity.thin else 1.0
            ),
            thin_provisioning_support=capacity.thin,
            pool_usage=self._pool_usage(capacity) if capacity.thin else {},
        )

    def _pool_usage(self, capacity: model.Capacity) -> Mapping[str, base.PoolUse]:
        limits = self.engine.settings
        return {
            "data": base.PoolUse(
                used_percent=capacity.data_percent, limit_percent=limits.data_limit
            ),
            "metadata": base.PoolUse(
                used_percent=capacity.metadata_percent, limit_percent=limits.metadata_limit
            ),
        }

    def get_lost_snapshots(self) -> Mapping[str, str]:
        if self.engine.settings.pool is not None:  # a thin pool loses none, so save the query
            return {}
        return {
            volume.name.removeprefix(_SNAPSHOT_PREFIX): _OVERFLOWED
            for volume in self.engine.volumes(status=True).values()
            if volume.invalid and volume.name.startswith(_SNAPSHOT_PREFIX)
        }

    # Volumes and their snapshots

    def create_volume(self, context: base.Context, volume: records.Volume) -> base.ModelUpdate:
        self.engine.create_volume(
            _volume(volume), volume.size * units.Gi, _volume_tags(volume.consistencygroup_id)
        )
        return {}

    def delete_volume(self, context: base.Context, volume: records.Volume) -> None:
        self.engine.delete([_volume(volume)])

    def create_snapshot(
        self, context: base.Context, snapshot: records.Snapshot, volume: records.Volume
    ) -> base.ModelUpdate:
        self.engine.snapshot_group(
            [engine.Copy(source=_volume(volume), target=_snapshot(snapshot))]
        )
        return {}

    def delete_snapshot(self, context: base.Context, snapshot: records.Snapshot) -> None:
        self.engine.delete([_snapshot(snapshot)])

    def create_volume_from_snapshot(
        self, context: base.Context, volume: records.Volume, snapshot: records.Snapshot
    ) -> base.ModelUpdate:
        self.engine.restore_group([_to_volume(_snapshot(snapshot), volume)])
        return {}

    def create_cloned_volume(
        self, context: base.Context, volume: records.Volume, source: records.Volume
    ) -> base.ModelUpdate:
        self.engine.clone_group([_to_volume(_volume(source), volume)])
        return {}

    # Use on this machine

    def initialize_connection(
        self, context: base.Context, volume: records.Volume, connector: records.Connector
    ) -> records.Connection:
        self.engine.activate([_volume(volume)])
        path = self.engine.device_path(_volume(volume))
        return {"driver_volume_type": "local", "data": {"device_path": path}}

    def terminate_connection(
        self, context: base.Context, volume: records.Volume, connector: records.Connector
    ) -> None:
        """Nothing to undo: volumes stay active, and a connection is no more than a path."""

    # Groups

    def delete_consistencygroup(
        self, context: base.Context, group: records.Group, volumes: Sequence[records.Volume]
    ) -> base.GroupUpdate:
        self.engine.delete(map(_volume, volumes))
        return base.GroupUpdate({}, [{} for _ in volumes])

    def update_consistencygroup(
        self,
        context: base.Context,
        group: records.Group,
        add_volumes: Sequence[records.Volume],
        remove_volumes: Sequence[records.Volume],
    ) -> base.MembershipUpdate:
        (tag,) = _volume_tags(group.id)
        there = self.engine.volumes()
        self.engine.retag([_volume(v) for v in add_volumes], tag)
        still_there = [name for name in map(_volume, remove_volumes) if name in there]
        self.engine.retag(still_there, tag, remove=True)
        return base.MembershipUpdate({}, [{} for _ in add_volumes], [{} for _ in remove_volumes])

    def create_consistencygroup_from_src(
        self,
        context: base.Context,
        group: records.Group,
        volumes: Sequence[records.Volume],
        cgsnapshot: records.CGSnapshot | None = None,
        snapshots: Sequence[records.Snapshot] | None = None,
        source_cg: records.Group | None = None,
        source_vols: Sequence[records.Volume] | None = None,
    ) -> base.GroupUpdate:
        held = 0.0
        if snapshots is not None:
            self.engine.restore_group(_to_volumes(map(_snapshot, snapshots), volumes))
        else:
            held = self.engine.clone_group(_to_volumes(map(_volume, source_vols or ()), volumes))
        return base.GroupUpdate({}, [{} for _ in volumes], held, self.options.lvm_freeze_deadline)

    def create_cgsnapshot(
        self,
        context: base.Context,
        cgsnapshot: records.CGSnapshot,
        snapshots: Sequence[records.Snapshot],
        volumes: Sequence[records.Volume],
    ) -> base.GroupUpdate:
        tags = [f"cg={cgsnapshot.consistencygroup_id}", f"cgsnapshot={cgsnapshot.id}"]
        taken = self.engine.snapshot_group(
            [
                engine.Copy(source=_volume(volume), target=_snapshot(snapshot), tags=tags)
                for volume, snapshot in zip(volumes, snapshots, strict=True)
            ]
        )
        return base.GroupUpdate(
            {},
            [{} for _ in snapshots],
            taken.held,
            self.options.lvm_freeze_deadline,
            receipts.told(taken.receipt),
        )

    def delete_cgsnapshot(
        self,
        context: base.Context,
        cgsnapshot: records.CGSnapshot,
        snapshots: Sequence[records.Snapshot],
    ) -> base.GroupUpdate:
        self.engine.delete(map(_snapshot, snapshots))
        return base.GroupUpdate({}, [{} for _ in snapshots])


def _volume(volume: records.Volume) -> str:
    return f"volume-{volume.id}"


def _snapshot(snapshot: records.Snapshot) -> str:
    return f"{_SNAPSHOT_PREFIX}{snapshot.id}"


def _volume_tags(group_id: str | None) -> list[str]:
    return [f"cg={group_id}"] if group_id else []


def _to_volume(source: str, volume: records.Volume) -> engine.Copy:
    return engine.Copy(
        source=source,
        target=_volume(volume),
        tags=_volume_tags(volume.consistencygroup_id),
        size=volume.size * units.Gi,
    )


def _to_volumes(sources: Iterable[str], volumes: Sequence[records.Volume]) -> list[engine.Copy]:
    return [_to_volume(*pair) for pair in zip(sources, volumes, strict=True)]
