# SPDX-License-Identifier: Apache-2.0
"""Seam 2: the interface that a storage backend implements, with Cinder's names.

What holds for every call:

- It may run again after a crash, with the same records: objects are named by the records' ids,
  so that the second run finds, keeps or removes what the first left. Deleting what is not there
  succeeds; creating what is there completes it.
- Group calls are all or nothing: on an error nothing of the call is left on the backend.
- It raises ``drivers.exceptions.DriverError`` or a subclass for what went wrong. Anything else
  that escapes is treated as a DriverError, with a traceback in the log.
- Calls come from several threads at once, but never two for the same resource.
- Group calls give back a :class:`GroupUpdate`, or a plain tuple of its fields. What a call must
  not give back is in ``drivers.answers``.
"""

import abc
import dataclasses
from collections.abc import Mapping, Sequence
from typing import NamedTuple, TypedDict

from oslo_config import cfg

from cg_extension.contract import context as cg_context
from cg_extension.contract import records

Context = cg_context.RequestContext


class ModelUpdate(TypedDict, total=False):
    """What the service is to remember of a resource for the driver."""

    provider_location: str | None


class GroupUpdate(NamedTuple):
    """What a group call gives back: changes to the group's row, and to each member's.

    ``members`` are in the order of the call's arguments. ``held_seconds`` is how long the members'
    I/O was held, so that all is of one instant, and ``deadline_seconds`` how long it may be held at
    most, if the driver sees to that. ``receipt`` is what the backend can tell of a group snapshot;
    a call that finds it taken already gives the same one back.
    """

    group: ModelUpdate
    members: Sequence[ModelUpdate]
    held_seconds: float = 0.0
    deadline_seconds: float | None = None
    receipt: records.Receipt | None = None


class MembershipUpdate(NamedTuple):
    """The same for ``update_consistencygroup``, with added and removed volumes apart."""

    group: ModelUpdate
    added: Sequence[ModelUpdate]
    removed: Sequence[ModelUpdate]


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class PoolUse:
    """What of a space in a pool is in use, and above which use group snapshots are refused."""

    used_percent: float
    limit_percent: float


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class VolumeStats:
    """What the scheduler needs to know of a backend. Capacities are in GiB, as floats.

    ``provisioned_capacity_gb`` is the sum of the sizes promised; ``capabilities`` are further
    key/value pairs that types' extra specs can ask for. ``pool_usage`` is for the metrics, by what
    the space is for: ``data``, ``metadata``.
    """

    volume_backend_name: str
    vendor_name: str
    driver_version: str
    storage_protocol: str
    total_capacity_gb: float
    free_capacity_gb: float
    provisioned_capacity_gb: float
    reserved_percentage: int = 0
    max_over_subscription_ratio: float = 1.0
    thin_provisioning_support: bool = False
    consistent_group_snapshot_enabled: bool = True
    capabilities: Mapping[str, str] = dataclasses.field(default_factory=dict)
    pool_usage: Mapping[str, PoolUse] = dataclasses.field(default_factory=dict)


class Driver(abc.ABC):
    """One configured backend. The conformance suite is ``drivers.conformance``."""

    def __init__(self, conf: cfg.ConfigOpts, backend: str, host: str) -> None:
        """Take note of the configuration; touch nothing yet.

        :param conf: the service's configuration; the backend's options are in the group
            ``conf[backend]``, registered before the driver is made.
        :param backend: the name in ``enabled_backends``.
        :param host: ``host@backend``, the owner of what is made on the backend.
        """
        self.conf = conf
        self.backend = backend
        self.host = host
        self.options = conf[backend]

    @classmethod
    def get_driver_options(cls) -> Sequence[cfg.Opt]:
        """Options of this driver, for the backend's section and for the sample file."""
        return ()

    @abc.abstractmethod
    def do_setup(self, context: Context) -> None:
        """Make ready: called once before anything else, and again after a failed start.

        Also brings back what a reboot took away (activates devices) and removes leftovers of
        work that a crash cut short.
        """

    @abc.abstractmethod
    def check_for_setup_error(self) -> None:
        """:raises DriverSetupError: the backend can't work; says what the deployer must do."""

    @abc.abstractmethod
    def get_volume_stats(self) -> VolumeStats:
        """Capacity and capabilities as of now; called about every heartbeat."""

    def get_lost_snapshots(self) -> Mapping[str, str]:
        """Snapshots whose content the backend has lost since they were taken: reasons by id.

        Called with each heartbeat; those that are ``available`` get the status ``error`` and the
        reason, and so does the group snapshot of each. The same snapshot may be reported again,
        and those that the service does not know are ignored. A driver must refuse to
        restore a lost snapshot in any case: the status comes later.
        """
        return {}

    @abc.abstractmethod
    def create_volume(self, context: Context, volume: records.Volume) -> ModelUpdate:
        """Make an empty volume that reads as zeros."""

    @abc.abstractmethod
    def delete_volume(self, context: Context, volume: records.Volume) -> None:
        """Remove a volume; success where there is none."""

    @abc.abstractmethod
    def create_snapshot(
        self, context: Context, snapshot: records.Snapshot, volume: records.Volume
    ) -> ModelUpdate:
        """Take a snapshot of one volume.

        :raises DriverRefusal: the volume is in use and the backend can't freeze it.
        """

    @abc.abstractmethod
    def delete_snapshot(self, context: Context, snapshot: records.Snapshot) -> None:
        """Remove a snapshot; success where there is none."""

    @abc.abstractmethod
    def create_volume_from_snapshot(
        self, context: Context, volume: records.Volume, snapshot: records.Snapshot
    ) -> ModelUpdate:
        """Make a volume with the snapshot's content; it may be larger, then zeros follow."""

    @abc.abstractmethod
    def create_cloned_volume(
        self, context: Context, volume: records.Volume, source: records.Volume
    ) -> ModelUpdate:
        """Make a volume with the content that the source has at one instant of the call."""

    @abc.abstractmethod
    def initialize_connection(
        self, context: Context, volume: records.Volume, connector: records.Connector
    ) -> records.Connection:
        """Make the volume reachable, and say how."""

    @abc.abstractmethod
    def terminate_connection(
        self, context: Context, volume: records.Volume, connector: records.Connector
    ) -> None:
        """Undo ``initialize_connection``; success where nothing was done."""

    def create_consistencygroup(self, context: Context, group: records.Group) -> ModelUpdate:
        """Make an empty group. Most backends have nothing to do."""
        return {}

    @abc.abstractmethod
    def delete_consistencygroup(
        self, context: Context, group: records.Group, volumes: Sequence[records.Volume]
    ) -> GroupUpdate:
        """Remove a group with its volumes (none unless the delete was forced).

        Repeatable: what an earlier run removed counts as removed.
        """

    def update_consistencygroup(
        self,
        context: Context,
        group: records.Group,
        add_volumes: Sequence[records.Volume],
        remove_volumes: Sequence[records.Volume],
    ) -> MembershipUpdate:
        """Change the membership."""
        return MembershipUpdate({}, [{} for _ in add_volumes], [{} for _ in remove_volumes])

    @abc.abstractmethod
    def create_consistencygroup_from_src(
        self,
        context: Context,
        group: records.Group,
        volumes: Sequence[records.Volume],
        cgsnapshot: records.CGSnapshot | None = None,
        snapshots: Sequence[records.Snapshot] | None = None,
        source_cg: records.Group | None = None,
        source_vols: Sequence[records.Volume] | None = None,
    ) -> GroupUpdate:
        """Make the group's volumes from a group snapshot or from another group.

        ``volumes[i]`` comes from ``snapshots[i]`` or ``source_vols[i]``. From a group, the
        content of all sources is that of one instant.
        """

    @abc.abstractmethod
    def create_cgsnapshot(
        self,
        context: Context,
        cgsnapshot: records.CGSnapshot,
        snapshots: Sequence[records.Snapshot],
        volumes: Sequence[records.Volume],
    ) -> GroupUpdate:
        """Take ``snapshots[i]`` of ``volumes[i]``, all of ONE instant.

        :raises DriverRefusal: it can't be of one instant as things are.
        """

    @abc.abstractmethod
    def delete_cgsnapshot(
        self,
        context: Context,
        cgsnapshot: records.CGSnapshot,
        snapshots: Sequence[records.Snapshot],
    ) -> GroupUpdate:
        """Remove a group snapshot and its snapshots. Repeatable."""
