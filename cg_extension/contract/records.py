# SPDX-License-Identifier: Apache-2.0
"""Frozen records that cross the seams: service to API, manager to driver.

Sizes are in GiB, times are naive UTC datetimes, ids are UUID strings. A record is a picture of a
row at one moment; nothing is loaded lazily behind it.
"""

import dataclasses
import datetime
from collections.abc import Mapping
from typing import Generic, NamedTuple, Protocol, TypedDict, TypeVar

from cg_extension.contract.consistency import CRASH_CONSISTENT


# What lists are made of is a tuple: making one takes a third of the time.
class Name(NamedTuple):
    """A resource in a list without detail."""

    id: str
    name: str | None


class ListedGroup(NamedTuple):
    """A consistency group in a list with detail: what the API tells of it, see :class:`Group`."""

    id: str
    name: str | None
    description: str | None
    status: str
    status_reason: str | None
    created_at: datetime.datetime
    availability_zone: str
    volume_types: tuple[str, ...]


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Resource:
    """What every stored resource has."""

    id: str
    project_id: str
    user_id: str | None = None
    name: str | None = None
    description: str | None = None
    status: str
    status_reason: str | None = None
    created_at: datetime.datetime
    updated_at: datetime.datetime | None = None


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Group(Resource):
    """A consistency group. ``host`` is where all its volumes are, ``host@backend``. In Cinder it
    is ``host@backend#pool``, and None until the scheduler has found a place for the group.

    ``volume_types`` are ids, sorted. At most one of ``cgsnapshot_id`` and ``source_cgid`` is set:
    what the group was made from.
    """

    host: str | None = None
    availability_zone: str
    volume_types: tuple[str, ...] = ()
    cgsnapshot_id: str | None = None
    source_cgid: str | None = None


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class CGSnapshot(Resource):
    """A group snapshot: one snapshot for each volume that the group had, all of one instant."""

    consistencygroup_id: str


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Receipt:
    """What a backend tells of a group snapshot that it took.

    What was written before ``instant`` is in it, and nothing that was begun after
    ``instant + held_seconds``, the time for which I/O was held. ``consistency`` says what the
    content is worth, a word of ``contract.consistency`` or the driver's own of 255 characters at
    most.
    """

    instant: datetime.datetime
    held_seconds: float
    consistency: str = CRASH_CONSISTENT


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Attachment:
    """One attachment of a volume to an instance or to a host (one of the two is set)."""

    id: str
    volume_id: str
    instance_uuid: str | None = None
    attached_host: str | None = None
    mountpoint: str | None = None
    mode: str = "rw"
    attached_at: datetime.datetime


# What a machine that is to be connected to a volume says about itself: ``host``, ``ip``, …
Connector = Mapping[str, object]


class Connection(TypedDict):
    """How a machine reaches a volume; ``data`` depends on ``driver_volume_type``.

    ``driver_volume_type`` ``local`` has ``data = {"device_path": …}``, a path on this host.
    """

    driver_volume_type: str
    data: Mapping[str, object]


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Volume(Resource):
    """A volume of ``size`` GiB. ``provider_location`` is the driver's own note of where it is."""

    size: int
    host: str
    availability_zone: str
    volume_type_id: str | None = None
    consistencygroup_id: str | None = None
    snapshot_id: str | None = None
    source_volid: str | None = None
    provider_location: str | None = None
    metadata: Mapping[str, str] = dataclasses.field(default_factory=dict)
    attachments: tuple[Attachment, ...] = ()


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot(Resource):
    """A snapshot of one volume, of ``volume_size`` GiB."""

    volume_id: str
    volume_size: int
    cgsnapshot_id: str | None = None
    provider_location: str | None = None
    metadata: Mapping[str, str] = dataclasses.field(default_factory=dict)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class VolumeType:
    """A volume type. ``extra_specs`` steer the choice of a backend (``volume_backend_name``)."""

    id: str
    name: str
    description: str | None = None
    is_public: bool = True
    extra_specs: Mapping[str, str] = dataclasses.field(default_factory=dict)
    created_at: datetime.datetime
    updated_at: datetime.datetime | None = None


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Service:
    """A manager's backend. ``host`` is ``host@backend``, ``updated_at`` its last heartbeat.

    ``stats`` are the fields of ``drivers.base.VolumeStats`` at that heartbeat.
    """

    host: str
    binary: str
    availability_zone: str
    is_up: bool
    disabled: bool
    disabled_reason: str | None = None
    frozen: bool
    stats: Mapping[str, object] = dataclasses.field(default_factory=dict)
    created_at: datetime.datetime
    updated_at: datetime.datetime | None = None


@dataclasses.dataclass(frozen=True, slots=True)
class QuotaUsage:
    """A project's limit of one resource (-1: none) and how much of it is used."""

    limit: int
    in_use: int


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class ListQuery:
    """What a list call asks for, checked and with defaults filled in by the API.

    At most ``limit`` rows after skipping ``offset``; ``marker`` is the id of the previous page's
    last row; ``sort`` is ``((key, "asc" | "desc"), …)``, to which the service adds the id to make
    it total; ``filters`` are the values that fields of the record must have.
    """

    limit: int
    offset: int = 0
    marker: str | None = None
    sort: tuple[tuple[str, str], ...] = (("created_at", "desc"),)
    filters: Mapping[str, object] = dataclasses.field(default_factory=dict)
    all_tenants: bool = False


class Identified(Protocol):
    """What a list can hold: anything with an id, the marker from which the next page goes on."""

    @property
    def id(self) -> str: ...


R = TypeVar("R", bound=Identified, covariant=True)


@dataclasses.dataclass(frozen=True, slots=True)
class Page(Generic[R]):
    """One page of a list; ``has_more`` tells whether another page follows."""

    items: tuple[R, ...]
    has_more: bool
