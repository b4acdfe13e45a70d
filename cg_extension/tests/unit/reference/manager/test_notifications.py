# SPDX-License-Identifier: Apache-2.0
"""What notifications say, and that nobody waits for them."""

import threading
import time
from unittest import mock

import oslo_messaging
from oslo_messaging.notify import _impl_test

from cg_extension.conf import errors
from cg_extension.reference.db import tables
from cg_extension.reference.manager import load, notifications
from cg_extension.reference.service import manager_client
from cg_extension.tests.unit.reference.manager import base


class NotificationsTest(base.ManagerTestCase):
    def notifier(self, driver: str, url: str = "fake:/") -> notifications.Notifications:
        manager_client.is_local(self.conf)  # Registers transport_url.
        self.conf.set_override("transport_url", url)
        # The first notifier registers the options.
        oslo_messaging.Notifier(oslo_messaging.get_notification_transport(self.conf))
        self.conf.set_override("driver", [driver], group="oslo_messaging_notifications")
        return notifications.Notifications(self.conf, self.conf.host)

    def test_a_payload_has_the_record_and_leaves_private_parts_out(self) -> None:
        volume = self.create_volume(name="name", description="hidden", metadata={"key": "hidden"})
        with self.database.reader() as conn:
            record = load.volume(conn, volume)
        payload = notifications.payload(record, "available", None)
        self.assertNotIn("hidden", str(payload))
        self.assertEqual(
            (volume, "p", "u", "name", 1, "available", record.created_at.isoformat()),
            tuple(
                payload[key]
                for key in (
                    "volume_id",
                    "tenant_id",
                    "user_id",
                    "name",
                    "size",
                    "status",
                    "created_at",
                )
            ),
        )

    def test_the_driver_that_takes_a_file_of_its_own_is_refused(self) -> None:
        error = self.assertRaises(errors.StartError, self.notifier, "routing")
        self.assertIn("[oslo_messaging_notifications] driver = ", str(error))
        self.assertIn("routing_config", str(error))

    def test_every_kind_of_resource_has_a_payload(self) -> None:
        volume = self.create_volume()
        self.run_queue()
        group = self.create_group([volume])
        made = self.service.create_cgsnapshot(
            self.context, group_id=group, name=None, description=None
        )
        self.run_queue()
        with self.database.reader() as conn:
            snapshot = conn.execute(tables.snapshots.select()).one().id
            for record, key in (
                (load.group(conn, group), "consistencygroup_id"),
                (load.cgsnapshot(conn, made.id), "cgsnapshot_id"),
                (load.snapshot(conn, snapshot), "snapshot_id"),
            ):
                payload = notifications.payload(record, "error", "why")
                self.assertEqual((record.id, "why"), (payload[key], payload["reason"]))

    def test_the_configured_driver_gets_it_with_the_requests_context(self) -> None:
        _impl_test.reset()
        notifier = self.notifier("test")
        with self.database.reader() as conn:
            record = load.volume(conn, self.create_volume())
        notifier.end("volume.create", self.context, record, "available")
        notifier.stop()
        ((context, message, _priority, _retry),) = _impl_test.NOTIFICATIONS
        self.assertEqual(self.context.request_id, context["request_id"])
        self.assertEqual(
            ("volume.create.end", "INFO", f"cg-manager.{self.conf.host}"),
            (message["event_type"], message["priority"], message["publisher_id"]),
        )

    def test_a_broker_that_is_away_keeps_nobody_waiting(self) -> None:
        notifier = self.notifier("messagingv2", "rabbit://nobody:nothing@127.0.0.1:9/")
        with self.database.reader() as conn:
            record = load.volume(conn, self.create_volume())
        begin = time.monotonic()
        for _ in range(20):
            notifier.start("volume.create", self.context, record)
        # The broker's library takes a second or more for each try to reach it.
        self.assertLess(time.monotonic() - begin, 10)
        notifier.stop()
        self.assertLess(time.monotonic() - begin, 20)

    def test_they_go_on_when_there_is_a_thread_again(self) -> None:
        _impl_test.reset()
        notifier = self.notifier("test")
        with self.database.reader() as conn:
            record = load.volume(conn, self.create_volume())
        refusal = RuntimeError("can't start new thread")
        with mock.patch.object(threading.Thread, "start", side_effect=refusal):
            notifier.start("volume.create", self.context, record)
        notifier.end("volume.create", self.context, record, "available")
        notifier.stop()
        sent = [message["event_type"] for _, message, *_ in _impl_test.NOTIFICATIONS]
        self.assertEqual(["volume.create.end"], sent)

    def test_a_stop_that_finds_no_thread_is_one(self) -> None:
        notifier = self.notifier("test")
        refusal = RuntimeError("can't start new thread")
        with mock.patch.object(threading.Thread, "start", side_effect=refusal):
            notifier.stop()
