# SPDX-License-Identifier: Apache-2.0
"""Choice of a backend for something new: by zone, types' extra specs and free capacity.

A backend that is down, disabled or frozen gets nothing new. What is known of backends comes from
their heartbeats; nothing here asks a driver.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import sqlalchemy as sa
from oslo_config import cfg
from oslo_utils import strutils

from cg_extension.contract import exceptions, records
from cg_extension.reference.db import services

# Scope of extra specs that are meant for the scheduler; other scopes are a driver's own.
_SCOPE = "capabilities"


def list_services(
    conn: sa.Connection,
    conf: cfg.ConfigOpts,
    *,
    host: str | None = None,
    binary: str | None = None,
) -> list[records.Service]:
    """Services, all or those of a host or binary, with their state by the database's clock."""
    down_time = conf.service_down_time
    return [
        records.Service(
            host=row.host,
            binary=row.binary,
            availability_zone=row.availability_zone,
            is_up=services.is_up(row, now=row.now, down_time=down_time),
            disabled=row.disabled,
            disabled_reason=row.disabled_reason,
            frozen=row.frozen,
            stats=services.stats(row),
            created_at=row.created_at,
            updated_at=row.heartbeat_at,
        )
        for row in services.find(conn, host=host, binary=binary)
    ]


def default_zone(conf: cfg.ConfigOpts) -> str:
    """The zone for requests that name none."""
    return str(conf.default_availability_zone or conf.storage_availability_zone)


def zones(backends: Iterable[records.Service], conf: cfg.ConfigOpts) -> dict[str, bool]:
    """The zones there are, and whether one of their backends takes something new."""
    found = {default_zone(conf): False}
    for service in backends:
        usable = found.get(service.availability_zone, False) or takes_new(service)
        found[service.availability_zone] = usable
    return found


def checked_zone(
    backends: Iterable[records.Service], conf: cfg.ConfigOpts, zone: str | None
) -> str:
    """``zone``, or the default if it is None.

    :raises InvalidInput: there is no such zone.
    """
    known = zones(backends, conf)
    if zone is None:
        return default_zone(conf)
    if zone not in known:
        raise exceptions.InvalidInput(
            reason=f"availability zone {zone} is unknown; known are: {', '.join(sorted(known))}"
        )
    return zone


def takes_new(service: records.Service) -> bool:
    """Whether something new may be put on that backend."""
    return service.is_up and not service.disabled and not service.frozen


def choose(
    backends: Sequence[records.Service],
    zone: str,
    extra_specs: Sequence[Mapping[str, str]],
    size: int = 0,
) -> str:
    """The ``host@backend`` with most room of those that fit.

    :param extra_specs: of each type that the backend must satisfy.
    :param size: GiB that must be free there.
    :raises InvalidInput: no backend of the zone satisfies the types.
    :raises ServiceUnavailable: those that do are down, disabled, frozen or full.
    """
    fitting = [
        service
        for service in backends
        if service.availability_zone == zone
        # Of one that has not been up yet nothing is known.
        and (not service.stats or all(satisfies(service.stats, specs) for specs in extra_specs))
    ]
    usable = [service for service in fitting if takes_new(service)]
    if backends and not fitting:
        raise exceptions.InvalidInput(
            reason=f"no backend in availability zone {zone} has what the volume types ask for"
        )
    roomy = [service for service in usable if free_gigabytes(service.stats) >= size]
    if not roomy:
        state = f"has {size} GiB free" if usable else "is up and enabled"
        raise exceptions.ServiceUnavailable(
            reason=f"No backend in availability zone {zone} that fits {state}; try again later."
        )
    return max(roomy, key=lambda service: free_gigabytes(service.stats)).host


def require(backends: Iterable[records.Service], host: str, size: int) -> records.Service:
    """The backend, when what is new can't be anywhere else.

    :param size: GiB that must be free there.
    :raises ServiceUnavailable: it is down, disabled, frozen or full.
    """
    state = "is down, disabled or frozen"
    for service in backends:
        if service.host == host and takes_new(service):
            if free_gigabytes(service.stats) >= size:
                return service
            state = f"has no {size} GiB free"
    raise exceptions.ServiceUnavailable(
        reason=f"The backend of the source or group {state}; try again later."
    )


def check_not_frozen(conn: sa.Connection, host: str) -> None:
    """Refuse what Cinder refuses on a frozen backend: deletions, snapshots, groups from a source.

    A backend that is down takes them, and carries them out when it is up again.

    :raises InvalidState: it is frozen.
    """
    if services.is_frozen(conn, host):
        raise exceptions.InvalidState(
            reason="The backend is frozen by an administrator: until it is thawed, nothing can be "
            "deleted there, and no snapshot or copy can be taken."
        )


def free_gigabytes(stats: Mapping[str, Any]) -> float:
    """GiB that may still be given out, over-subscription counted in."""
    total = float(stats.get("total_capacity_gb", 0))
    reserved = total * float(stats.get("reserved_percentage", 0)) / 100
    if stats.get("thin_provisioning_support"):
        ratio = float(stats.get("max_over_subscription_ratio", 1))
        promised = float(stats.get("provisioned_capacity_gb", 0))
        return (total - reserved) * ratio - promised
    return float(stats.get("free_capacity_gb", 0)) - reserved


def satisfies(stats: Mapping[str, Any], extra_specs: Mapping[str, str]) -> bool:
    """Whether a backend has what a type's extra specs ask for, by Cinder's notation.

    Keys are names of statistics or capabilities, alone or with the scope ``capabilities:``.
    """
    offered = {**stats, **stats.get("capabilities", {})}
    for key, wanted in extra_specs.items():
        scope, separator, name = key.rpartition(":")
        if separator and scope != _SCOPE:
            continue
        if name not in offered or not _matches(offered[name], wanted):
            return False
    return True


def _matches(value: Any, wanted: str) -> bool:
    """Cinder's operators ``<is>``, ``<in>`` and ``<or>``; otherwise equality as text."""
    operator, _, operand = wanted.strip().partition(" ")
    if operator == "<is>":
        return strutils.bool_from_string(value) == strutils.bool_from_string(operand)
    if operator == "<in>":
        return operand.strip() in str(value)
    if operator == "<or>":
        return str(value) in [choice.strip() for choice in operand.split("<or>")]
    return (
        str(value).lower() == wanted.strip().lower()
        if isinstance(value, bool)
        else (str(value) == wanted.strip())
    )
