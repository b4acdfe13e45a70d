# SPDX-License-Identifier: Apache-2.0
"""The generic group calls of a Cinder volume driver, on the LVM engine.

Cinder's volume manager makes these calls for groups of every type, consistency groups among
them, and falls back to calls per volume or to ``create_consistencygroup`` and the like only for a
driver that lacks them. Single volumes and snapshots are left to the driver that this is mixed
into.
"""

import contextlib
from collections.abc import Callable, Sequence
from typing import Any, TypeAlias

from cinder import context as cinder_context
from cinder import coordination, objects, utils
from cinder.objects import fields
from oslo_log import log as logging
from oslo_utils import units

from cg_extension.cinder import errors, receipts
from cg_extension.drivers.lvm import engine as lvm_engine
from cg_extension.drivers.lvm import receipts as lvm_receipts

LOG = logging.getLogger(__name__)

Context: TypeAlias = cinder_context.RequestContext
Update = dict[str, Any]


class GroupCalls:
    """A mixin for a subclass of Cinder's LVM driver that has an ``engine``."""

    # Cinder's driver has these.
    remove_export: Callable[[Context, objects.Volume], None]
    delete_volume: Callable[[objects.Volume], None]
    delete_snapshot: Callable[[objects.Snapshot], None]
    _escape_snapshot: Callable[[str], str]

    @property
    def engine(self) -> lvm_engine.Engine:
        """The engine of the backend's volume group."""
        raise NotImplementedError

    def create_group(self, context: Context, group: objects.Group) -> Update:
        """A group of volumes needs nothing in the volume group."""
        return {"status": fields.GroupStatus.AVAILABLE}

    def update_group(
        self,
        context: Context,
        group: objects.Group,
        add_volumes: Sequence[objects.Volume] | None = None,
        remove_volumes: Sequence[objects.Volume] | None = None,
    ) -> tuple[None, None, None]:
        """Membership is Cinder's alone."""
        return None, None, None

    def delete_group(
        self, context: Context, group: objects.Group, volumes: Sequence[objects.Volume]
    ) -> tuple[Update, list[Update]]:
        """Delete a group's volumes, each the way that Cinder deletes it."""

        def delete(volume: objects.Volume) -> None:
            with _unused(volume, "delete_volume"):
                self.remove_export(context, volume)
                self.delete_volume(volume)
            utils.clean_volume_file_locks(volume.id, self)

        return _delete_all(volumes, delete)

    def create_group_snapshot(
        self,
        context: Context,
        group_snapshot: objects.GroupSnapshot,
        snapshots: Sequence[objects.Snapshot],
    ) -> tuple[Update, list[Update]]:
        """Take the snapshots, all of one instant; when one fails, none is kept."""
        with errors.to_cinder():
            taken = self.engine.snapshot_group(
                [
                    lvm_engine.Copy(source=snapshot.volume_name, target=self._lv_name(snapshot))
                    for snapshot in snapshots
                ]
            )
        available = {"status": fields.GroupSnapshotStatus.AVAILABLE}
        of_each = {**available, **receipts.note(lvm_receipts.told(taken.receipt))}
        return available, [{"id": snapshot.id, **of_each} for snapshot in snapshots]

    def delete_group_snapshot(
        self,
        context: Context,
        group_snapshot: objects.GroupSnapshot,
        snapshots: Sequence[objects.Snapshot],
    ) -> tuple[Update, list[Update]]:
        """Delete the snapshots, each the way that Cinder deletes it."""

        def delete(snapshot: objects.Snapshot) -> None:
            with _unused(snapshot, "delete_snapshot"):
                self.delete_snapshot(snapshot)
            utils.clean_snapshot_file_locks(snapshot.id, self)

        return _delete_all(snapshots, delete)

    def create_group_from_src(
        self,
        context: Context,
        group: objects.Group,
        volumes: Sequence[objects.Volume],
        group_snapshot: objects.GroupSnapshot | None = None,
        snapshots: Sequence[objects.Snapshot] | None = None,
        source_group: objects.Group | None = None,
        source_vols: Sequence[objects.Volume] | None = None,
    ) -> tuple[None, None]:
        """Make ``volumes[i]`` from ``snapshots[i]`` or ``source_vols[i]``; all of them or none.

        A volume that is to be larger than its source has zeros behind the source's content.
        The content of source volumes, which may be written to, is that of one instant.
        """
        sources = (snapshots if group_snapshot is not None else source_vols) or ()
        copies = [
            lvm_engine.Copy(
                source=self._lv_name(source), target=volume.name, size=volume.size * units.Gi
            )
            for source, volume in zip(sources, volumes, strict=True)
        ]
        with errors.to_cinder():
            if group_snapshot is not None:
                self.engine.restore_group(copies)
            else:
                self.engine.clone_group(copies)
        return None, None

    def _lv_name(self, resource: objects.Volume | objects.Snapshot) -> str:
        """The name in LVM, which keeps names that begin with ``snapshot`` for itself."""
        return self._escape_snapshot(resource.name)


def _unused(
    member: objects.Volume | objects.Snapshot, call: str
) -> contextlib.AbstractContextManager[Any]:
    """Wait until no volume is being made of a member; none can be while the block runs.

    Cinder's volume manager takes this lock for that, and for deleting single ones. The LVM driver
    wipes what it deletes, even while it is being copied.

    :param call: the volume manager's function that deletes a single one.
    """
    lock: contextlib.AbstractContextManager[Any]
    lock = coordination.COORDINATOR.get_lock(f"{member.id}-{call}")
    return lock


def _delete_all(
    members: Sequence[objects.Volume | objects.Snapshot], delete: Callable[[Any], None]
) -> tuple[Update, list[Update]]:
    """Delete one after the other; what fails is reported, and does not stop the others."""
    updates = []
    status = "deleted"
    for member in members:
        try:
            delete(member)
        except Exception:
            LOG.exception("Could not delete %s", member.name)
            status = "error_deleting"
            updates.append({"id": member.id, "status": "error_deleting"})
        else:
            updates.append({"id": member.id, "status": "deleted"})
    return {"status": status}, updates
