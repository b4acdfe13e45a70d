# SPDX-License-Identifier: Apache-2.0
"""Cinder's tables in SQLite and the plugin's calls on them, in one process.

For what depends on rows that other calls of Cinder's leave there, and on what happens between two
steps of a call. No other process of Cinder's is there: messages to one are mocks.
"""

import unittest
import uuid
from unittest import mock

import sqlalchemy as sa
from cinder import context, objects
from oslo_config import cfg

objects.register_all()  # Modules of Cinder name its objects when they are loaded.

from cg_extension.cinder import context as our_context  # noqa: E402
from cg_extension.cinder import groups, service  # noqa: E402
from cg_extension.cinder.database import api as db  # noqa: E402
from cg_extension.cinder.database import models  # noqa: E402

HOST = "here@lvm#pool"


class RowsCase(unittest.TestCase):
    """An empty database but for the group type, and a service of which ``calls`` is the core."""

    def setUp(self) -> None:
        cfg.CONF.set_override("connection", "sqlite://", "database")
        self.addCleanup(cfg.CONF.clear_override, "connection", "database")
        engine = sa.create_engine("sqlite://", poolclass=sa.StaticPool)
        self.addCleanup(db.main_context_manager.patch_engine(engine))
        models.BASE.metadata.create_all(engine)
        # Policy is not what is tested here.
        allowed = mock.patch.object(context.RequestContext, "authorize")
        allowed.start()
        self.addCleanup(allowed.stop)
        self.everybody = context.get_admin_context()
        self.group_type = self.new_group_type("default_cgsnapshot_type")
        self.volume_type = db.volume_type_create(self.everybody, {"name": "gold"})["id"]
        self.project = uuid.uuid4().hex
        # Its constructor wants a message broker.
        self.calls = groups.GroupAPI.__new__(groups.GroupAPI)
        self.calls.db = db
        self.calls.volume_rpcapi = mock.Mock()
        self.calls.scheduler_rpcapi = mock.Mock()
        self.calls.volume_api = mock.Mock()
        self.calls.volume_api.create_snapshots_in_db.return_value = []
        self.service = service.CinderService.__new__(service.CinderService)
        self.service._api = self.calls

    def new_group_type(self, name: str) -> str:
        return str(db.group_type_create(self.everybody, {"name": name})["id"])

    def caller(
        self, *, is_admin: bool = False, project: str | None = None
    ) -> our_context.RequestContext:
        """A user, of the project to whom all rows belong if of no other; "": of none."""
        if project is None:
            project = self.project
        return our_context.RequestContext(
            context.RequestContext("user", project or None, is_admin=is_admin)
        )

    def new_group(self, **more: str) -> objects.Group:
        return self._new(
            objects.Group,
            host=HOST,
            availability_zone="nova",
            **{"group_type_id": self.group_type, "volume_type_ids": [self.volume_type], **more},
        )

    def new_volume(self, group: objects.Group | None) -> objects.Volume:
        return self._new(
            objects.Volume,
            host=HOST,
            size=1,
            attach_status="detached",
            volume_type_id=self.volume_type,
            group_id=group and group.id,
        )

    def new_group_snapshot(
        self, group: objects.Group, *volumes: objects.Volume
    ) -> tuple[objects.GroupSnapshot, list[objects.Snapshot]]:
        taken = self._new(objects.GroupSnapshot, group_id=group.id, group_type_id=self.group_type)
        return taken, [self.new_snapshot(each, group_snapshot_id=taken.id) for each in volumes]

    def new_snapshot(self, volume: objects.Volume, **more: str) -> objects.Snapshot:
        return self._new(
            objects.Snapshot,
            volume_id=volume.id,
            volume_size=1,
            volume_type_id=self.volume_type,
            **more,
        )

    def _new(self, kind: type, **values: object) -> objects.base.CinderObject:
        row = kind(
            self.everybody, user_id="user", project_id=self.project, status="available", **values
        )
        row.create()
        return row

    def status(self, row: objects.base.CinderObject) -> str:
        """What the database has now."""
        return str(type(row).get_by_id(self.everybody, row.id).status)
