# SPDX-License-Identifier: Apache-2.0
"""Tells others what happens to resources, through oslo.messaging's notifier.

Event types are the operation's kind with ``.start``, ``.end`` or ``.error``. Best effort: a crash
or a broker that stays away loses some, and an operation that runs again may repeat them.
"""

import contextlib
import dataclasses
from collections.abc import Mapping
from concurrent import futures
from typing import Any

import futurist
import futurist.rejection
import oslo_messaging
from oslo_config import cfg
from oslo_log import log as logging

from cg_extension.conf import check, errors
from cg_extension.contract import context as cg_context
from cg_extension.contract import records

LOG = logging.getLogger(__name__)

# Notifications that wait for the broker; what comes on top is dropped.
_BACKLOG = 1000
# Seconds that a stop waits for them.
_PATIENCE = 3.0

_SECTION = "oslo_messaging_notifications"
# oslo.messaging's driver that chooses others, by a file that an option of oslo.config's global
# object names; without it, it raises an error for each notification.
_ROUTING = "routing"

_NAMES = {
    records.Group: "consistencygroup",
    records.CGSnapshot: "cgsnapshot",
    records.Volume: "volume",
    records.Snapshot: "snapshot",
}
# Not for the ears of a message bus's listeners: what a user wrote, and where things are.
_LEFT_OUT = frozenset({"id", "project_id", "description", "metadata", "attachments"}) | {
    "provider_location",
    "status_reason",
}


def payload(resource: records.Resource, status: str, reason: str | None) -> dict[str, Any]:
    """What a notification says: ``<kind>_id``, ``tenant_id``, the record's fields, ``status``.

    ``reason`` is there in ``.error`` notifications only. Times are ISO 8601.
    """
    values = {
        field.name: getattr(resource, field.name)
        for field in dataclasses.fields(resource)
        if field.name not in _LEFT_OUT
    }
    for key in ("created_at", "updated_at"):
        values[key] = values[key] and values[key].isoformat()
    values[f"{_NAMES[type(resource)]}_id"] = resource.id
    values["tenant_id"] = resource.project_id
    values["status"] = status
    if reason is not None:
        values["reason"] = reason
    return values


class _ContextSerializer(oslo_messaging.NoOpSerializer):  # type: ignore[misc]  # untyped
    """Sends what oslo.messaging lets through of a request's context."""

    def serialize_context(self, ctxt: Any) -> dict[str, Any]:
        return dict(ctxt.to_dict())


class Notifications:
    """Sends from a thread of its own, so that no operation waits for the broker.

    :raises errors.StartError: ``[oslo_messaging_notifications]`` can't work.
    """

    def __init__(self, conf: cfg.ConfigOpts, host: str) -> None:
        with errors.blaming(f"[{_SECTION}] transport_url, or transport_url"):
            transport = oslo_messaging.get_notification_transport(conf)
        check.check_installed(conf, "driver", _SECTION, "oslo.messaging.notify.drivers")
        if _ROUTING in conf[_SECTION].driver:
            raise errors.StartError(
                f"{check.describe(conf, 'driver', _SECTION)}: {_ROUTING} reads its routing_config"
                " from a configuration that this service does not have; name the drivers"
                " themselves, such as messagingv2"
            )
        self._notifier = oslo_messaging.Notifier(
            transport, f"cg-manager.{host}", serializer=_ContextSerializer(), retry=1
        )
        self._executor = _executor()

    def start(
        self, kind: str, context: cg_context.RequestContext, resource: records.Resource
    ) -> None:
        self._send("info", f"{kind}.start", context, payload(resource, resource.status, None))

    def end(
        self,
        kind: str,
        context: cg_context.RequestContext,
        resource: records.Resource,
        status: str,
    ) -> None:
        self._send("info", f"{kind}.end", context, payload(resource, status, None))

    def error(
        self,
        kind: str,
        context: cg_context.RequestContext,
        resource: records.Resource,
        status: str,
        reason: str,
    ) -> None:
        self._send("error", f"{kind}.error", context, payload(resource, status, reason))

    def stop(self) -> None:
        """Send what waits, for a few seconds at most, and then no more."""
        with contextlib.suppress(futures.TimeoutError, futurist.RejectedSubmission, RuntimeError):
            self._executor.submit(lambda: None).result(timeout=_PATIENCE)
        self._executor.shutdown(wait=False)

    def _send(
        self,
        priority: str,
        event_type: str,
        context: cg_context.RequestContext,
        values: Mapping[str, Any],
    ) -> None:
        try:
            self._executor.submit(self._deliver, priority, event_type, context, values)
        except futurist.RejectedSubmission:
            LOG.warning("Dropped the notification %s: the broker does not keep up", event_type)
        except RuntimeError as error:  # It was stopped, or there is no thread to be had.
            LOG.warning("Dropped the notification %s: %s", event_type, error)
            if self._executor.alive:
                # It would count on the thread that it could not start.
                self._executor = _executor()

    def _deliver(
        self,
        priority: str,
        event_type: str,
        context: cg_context.RequestContext,
        values: Mapping[str, Any],
    ) -> None:
        try:
            getattr(self._notifier, priority)(context, event_type, values)
        except Exception as error:
            LOG.warning("Could not send the notification %s: %s", event_type, error)


def _executor() -> futurist.ThreadPoolExecutor:
    return futurist.ThreadPoolExecutor(
        max_workers=1, check_and_reject=futurist.rejection.reject_when_reached(_BACKLOG)
    )
