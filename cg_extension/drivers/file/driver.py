# SPDX-License-Identifier: Apache-2.0
"""The ``file`` driver: volumes and snapshots as sparse files in one directory, without root.

It can't hold a volume's writes. What it copies is of one instant because nobody writes meanwhile:
it refuses attached volumes and files that a local process has open for writing.
"""

import contextlib
import errno
import functools
import os
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import ParamSpec, TypeVar

from oslo_config import cfg
from oslo_log import log as logging
from oslo_utils import units

from cg_extension.conf import file as file_options
from cg_extension.contract import records, statuses
from cg_extension.drivers import base, exceptions
from cg_extension.drivers.file import copying, leases, storage

LOG = logging.getLogger(__name__)

P = ParamSpec("P")
R = TypeVar("R")

_NO_SPACE = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})


def _as_driver_error(method: Callable[P, R]) -> Callable[P, R]:
    """Let an OSError leave the driver as a DriverError that says what to do about it."""

    @functools.wraps(method)
    def wrapper(*args: P.args, **kwargs: P.kwargs) -> R:
        try:
            return method(*args, **kwargs)
        except OSError as error:
            if error.errno in _NO_SPACE:
                raise exceptions.DriverError(
                    f"No space left in file_path: {error}. Free some, or raise the quota or file "
                    "size limit of the service's user; nothing of this operation was kept."
                ) from error
            raise exceptions.DriverError(f"File system error: {error}") from error

    return wrapper


def _volume(volume: records.Volume) -> str:
    return f"volume-{volume.id}"


def _snapshot(snapshot: records.Snapshot) -> str:
    return f"snapshot-{snapshot.id}"


class FileDriver(base.Driver):
    """Each volume is the file ``volume-UUID`` in ``file_path``, each snapshot ``snapshot-UUID``.

    A snapshot is a file of its own, so nothing here depends on anything else: a volume and the
    snapshots of it, or what was made from them, can be removed in any order.
    """

    VERSION = "1.0.0"

    _store: storage.FileStore | None = None

    @classmethod
    def get_driver_options(cls) -> Sequence[cfg.Opt]:
        return file_options.OPTS

    def do_setup(self, context: base.Context) -> None:
        if self._store is not None:
            self._store.close()
            self._store = None
        try:
            store = storage.FileStore(self.options.file_path)
            for name in store.remove_leftovers():
                LOG.info("Removed what was left of an interrupted write of %s", name)
        except OSError as error:
            raise exceptions.DriverSetupError(
                f"[{self.backend}] file_path: {error}. It must be a directory that the service's "
                "user can write to, or one that this user can make."
            ) from error
        self._store = store

    def check_for_setup_error(self) -> None:
        if not self.store.is_writable():
            raise exceptions.DriverSetupError(
                f"[{self.backend}] file_path: {self.store.path} is not writable; give it to the "
                "user that the service runs as."
            )
        if self.store.mode() & 0o002:
            raise exceptions.DriverSetupError(
                f"[{self.backend}] file_path: every user can write to {self.store.path}; "
                "remove that permission (chmod o-w)."
            )

    @property
    def store(self) -> storage.FileStore:
        """The directory; there is one from ``do_setup`` on."""
        if self._store is None:
            raise exceptions.DriverSetupError("do_setup has not been called.")
        return self._store

    @_as_driver_error
    def get_volume_stats(self) -> base.VolumeStats:
        # After the next start the volumes would be gone.
        if not self.store.is_in_place():
            raise exceptions.DriverError(
                f"{self.store.path} is not the directory any more that it was at the start: it was "
                "removed, or something was mounted there. Put it right, and start the service anew."
            )
        total, free = self.store.capacity()
        return base.VolumeStats(
            volume_backend_name=self.options.volume_backend_name or self.backend,
            vendor_name="Open Source",
            driver_version=self.VERSION,
            storage_protocol="file",
            total_capacity_gb=total / units.Gi,
            free_capacity_gb=free / units.Gi,
            provisioned_capacity_gb=self.store.promised() / units.Gi,
            reserved_percentage=self.options.reserved_percentage,
            max_over_subscription_ratio=self.options.max_over_subscription_ratio,
            thin_provisioning_support=True,
        )

    @_as_driver_error
    def create_volume(self, context: base.Context, volume: records.Volume) -> base.ModelUpdate:
        if not self._complete([_volume(volume)]):
            with self.store.writing([_volume(volume)]) as files:
                os.ftruncate(files[0], volume.size * units.Gi)
        return {}

    @_as_driver_error
    def delete_volume(self, context: base.Context, volume: records.Volume) -> None:
        self.store.remove([_volume(volume)])

    @_as_driver_error
    def create_snapshot(
        self, context: base.Context, snapshot: records.Snapshot, volume: records.Volume
    ) -> base.ModelUpdate:
        self._copy_volumes([volume], {_snapshot(snapshot): snapshot.volume_size})
        return {}

    @_as_driver_error
    def delete_snapshot(self, context: base.Context, snapshot: records.Snapshot) -> None:
        self.store.remove([_snapshot(snapshot)])

    @_as_driver_error
    def create_volume_from_snapshot(
        self, context: base.Context, volume: records.Volume, snapshot: records.Snapshot
    ) -> base.ModelUpdate:
        self._copy_snapshots([snapshot], [volume])
        return {}

    @_as_driver_error
    def create_cloned_volume(
        self, context: base.Context, volume: records.Volume, source: records.Volume
    ) -> base.ModelUpdate:
        self._copy_volumes([source], {_volume(volume): volume.size})
        return {}

    @_as_driver_error
    def initialize_connection(
        self, context: base.Context, volume: records.Volume, connector: records.Connector
    ) -> records.Connection:
        if not self.store.exists(_volume(volume)):
            raise exceptions.DriverError(f"Volume {volume.id} has no file in {self.store.path}.")
        path = os.path.join(self.store.path, _volume(volume))
        return {"driver_volume_type": "local", "data": {"device_path": path}}

    def terminate_connection(
        self, context: base.Context, volume: records.Volume, connector: records.Connector
    ) -> None:
        """Nothing to undo: a connection is no more than a path."""

    @_as_driver_error
    def delete_consistencygroup(
        self, context: base.Context, group: records.Group, volumes: Sequence[records.Volume]
    ) -> base.GroupUpdate:
        self.store.remove(map(_volume, volumes))
        return base.GroupUpdate({}, [{} for _ in volumes])

    @_as_driver_error
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
        if snapshots is not None:
            self._copy_snapshots(snapshots, volumes)
        else:
            self._copy_volumes(source_vols or [], {_volume(v): v.size for v in volumes})
        return base.GroupUpdate({}, [{} for _ in volumes])

    @_as_driver_error
    def create_cgsnapshot(
        self,
        context: base.Context,
        cgsnapshot: records.CGSnapshot,
        snapshots: Sequence[records.Snapshot],
        volumes: Sequence[records.Volume],
    ) -> base.GroupUpdate:
        self._copy_volumes(volumes, {_snapshot(s): s.volume_size for s in snapshots})
        # Nobody had to wait: had anyone wanted to write, there would be no snapshots.
        receipt = records.Receipt(
            instant=self.store.time_of(_snapshot(snapshots[0])), held_seconds=0.0
        )
        return base.GroupUpdate({}, [{} for _ in snapshots], receipt=receipt)

    @_as_driver_error
    def delete_cgsnapshot(
        self,
        context: base.Context,
        cgsnapshot: records.CGSnapshot,
        snapshots: Sequence[records.Snapshot],
    ) -> base.GroupUpdate:
        self.store.remove(map(_snapshot, snapshots))
        return base.GroupUpdate({}, [{} for _ in snapshots])

    def _complete(self, names: Iterable[str]) -> bool:
        """Whether an earlier run of the same operation gave all files their names, now on disk."""
        if not all(self.store.exists(name) for name in names):
            return False
        self.store.sync()  # Which that run may not have come to.
        return True

    def _copy_snapshots(
        self, snapshots: Sequence[records.Snapshot], volumes: Sequence[records.Volume]
    ) -> None:
        targets = {_volume(volume): volume.size for volume in volumes}
        if self._complete(targets):
            return
        with self.store.writing(targets) as files:
            with self._opened(map(_snapshot, snapshots)) as sources:
                _copy(sources, files, targets.values())

    def _copy_volumes(self, volumes: Sequence[records.Volume], targets: Mapping[str, int]) -> None:
        """Copy volumes as they are at one instant: none is written to while any is copied.

        The copies' files have that instant as their time.

        :param targets: names of the files to make, in the order of the volumes, and sizes in GiB.
        """
        if self._complete(targets):
            return
        with self.store.writing(targets) as files:
            _refuse_attached(volumes)
            with self._opened(map(_volume, volumes)) as sources:
                held = [_lease(*pair) for pair in zip(volumes, sources, strict=True)]
                instant = time.time_ns()
                _copy(sources, files, targets.values())
                _check(held)
                for file in files:
                    os.utime(file, ns=(instant, instant))

    @contextlib.contextmanager
    def _opened(self, names: Iterable[str]) -> Iterator[Sequence[int]]:
        with contextlib.ExitStack() as closing:
            files = []
            for name in names:
                files.append(self.store.open(name))
                closing.callback(os.close, files[-1])
            yield files


def _copy(sources: Sequence[int], files: Sequence[int], sizes: Iterable[int]) -> None:
    """Copy open files to open files, each made as large as its size in GiB says."""
    for source, file, size in zip(sources, files, sizes, strict=True):
        copying.copy(source, file)
        os.ftruncate(file, size * units.Gi)


def _refuse_attached(volumes: Iterable[records.Volume]) -> None:
    attached = [
        volume.id
        for volume in volumes
        if volume.attachments or volume.status == statuses.Status.IN_USE
    ]
    if attached:
        raise exceptions.DriverRefusal(
            f"Attached: {', '.join(attached)}. The file driver can't hold a volume's writes; "
            "detach it first, or keep it on a backend that can (lvm)."
        )


def _lease(volume: records.Volume, file: int) -> leases.ReadLease:
    try:
        return leases.ReadLease(file)
    except leases.WriterPresent as error:
        raise exceptions.DriverRefusal(
            f"Volume {volume.id} is open for writing on this machine. The file driver can't "
            "hold a volume's writes; stop the program that has it open."
        ) from error
    except PermissionError as error:
        raise exceptions.DriverRefusal(
            f"The file of volume {volume.id} belongs to another user, so that nobody can tell "
            "whether it is written to. Give it to the user that the service runs as (chown)."
        ) from error


def _check(held: Iterable[leases.ReadLease]) -> None:
    try:
        for lease in held:
            lease.check()
    except leases.WriterPresent as error:
        raise exceptions.DriverError(
            "A volume was opened for writing on this machine while it was being copied."
        ) from error
