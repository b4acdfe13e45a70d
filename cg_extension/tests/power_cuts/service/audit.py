# SPDX-License-Identifier: Apache-2.0
"""What must hold after a power cut, once the service is ready and has nothing under way.

The requests that were accepted, the rows of the database and the volumes of LVM must agree, each
with the next, in both directions, and usage with the rows; what was taken of several volumes must
be of one instant.
"""

import json
import pathlib
import sqlite3
from collections.abc import Iterator
from typing import Any

from cg_extension.tests import usage, waiting
from cg_extension.tests.lvm import writer
from cg_extension.tests.lvm.base import run
from cg_extension.tests.power_cuts import audit as volume_audit
from cg_extension.tests.power_cuts import machine as volumes_machine
from cg_extension.tests.power_cuts.service import ledger as ledgers
from cg_extension.tests.power_cuts.service import machine
from cg_extension.tests.power_cuts.service import work as works
from cg_extension.tests.power_cuts.service.ledger import CGSNAPSHOTS, GROUPS, SNAPSHOTS, VOLUMES

_GROUP = volumes_machine.GROUP
_GIB = 1 << 30

Row = dict[str, Any]
# By table and id.
Rows = dict[str, dict[str, Row]]


def left_by_the_cut(point: pathlib.Path) -> str:
    """What is under way, in rows and in the volume group; before the service goes on with it."""
    with machine.database(point) as database:
        kinds = [row["kind"] for row in database.execute("SELECT kind FROM operations")]
    return ", ".join([*sorted(kinds), volume_audit.left_by_the_cut()])


def before_the_service(point: pathlib.Path, ledger: ledgers.Ledger) -> Iterator[str]:
    """All that is wrong with what must not need the service to put it right."""
    run("vgck", _GROUP)
    if gap := writer.gap([_device("volume", ledger.called(name)) for name in works.MEMBERS]):
        yield f"the volumes that are written to are {gap} writes apart"
    with machine.database(point) as database:
        for pragma in ("integrity_check", "foreign_key_check"):
            for line in database.execute(f"PRAGMA {pragma}"):
                if tuple(line) != ("ok",):
                    yield f"{pragma}: {tuple(line)}"


def findings(point: pathlib.Path, ledger: ledgers.Ledger, work: works.Work) -> Iterator[str]:
    """All else that is wrong, with the service ready."""
    _wait_for_the_end(point)
    with machine.database(point) as database:
        rows = {kind: _rows(database, kind) for kind in ledgers.KINDS}
    yield from usage.findings_at(f"sqlite:///{machine.database_path(point)}")
    yield from _statuses(rows)
    yield from reconcile(ledger, rows)
    yield from _rows_and_volumes(rows)
    yield from _torn(rows)
    work.probe()
    if tags := run("vgs", "--noheadings", "-o", "vg_tags", _GROUP).strip():
        yield f"the volume group has the tags {tags}"
    run("vgck", _GROUP)
    yield from volume_audit.damage()


def _wait_for_the_end(point: pathlib.Path) -> None:
    """Until all that was accepted has ended, and what the cut left is wiped.

    :raises TimeoutError: something does not end.
    """

    def is_over() -> bool:
        with machine.database(point) as database:
            (count,) = database.execute("SELECT count(*) FROM operations").fetchone()
        names = run("lvs", "--noheadings", "-o", "lv_name", _GROUP)
        return not count and "cggone-" not in names

    waiting.eventually(is_over, "no operation left", machine.OPERATION_LIMIT, pause=1)


def _rows(database: sqlite3.Connection, table: str) -> dict[str, Row]:
    return {row["id"]: dict(row) for row in database.execute(f"SELECT * FROM {table}")}


def _statuses(rows: Rows) -> Iterator[str]:
    for kind, found in rows.items():
        for row in found.values():
            in_use = kind == VOLUMES and row["name"] in works.MEMBERS and not _source(row)
            if row["status"] != ("in-use" if in_use else "available"):
                yield f"{kind} {row['id']} is {row['status']}: {row['status_reason']}"


def _outcome(request: ledgers.Request, rows: Rows) -> str | None:
    """The id of what a request is about, if it was carried out: it need not have been."""
    found = rows[request.kind]
    if request.action == ledgers.DELETE:
        return None if request.name in found else request.name
    return next((each for each, row in found.items() if row["name"] == request.name), None)


def reconcile(ledger: ledgers.Ledger, rows: Rows) -> Iterator[str]:
    """Where requests and rows disagree; settles the request that the cut left open."""
    if ledger.open:
        ledger.settle(_outcome(ledger.open, rows))
    for identity, thing in ledger.there.items():
        row = rows[thing.kind].get(identity)
        if row is None:
            yield f"{thing.kind} {identity} was accepted, and there is no row: {thing.facts}"
            continue
        different = {k: row[k] for k, value in thing.facts.items() if row[k] != value}
        if different:
            yield f"{thing.kind} {identity} has {different}, asked for was {thing.facts}"
    for kind, found in rows.items():
        for identity, row in found.items():
            whole = row["cgsnapshot_id"] if kind == SNAPSHOTS else None
            if kind == VOLUMES and _source(row):
                whole = whole or row["consistencygroup_id"]
            if identity in ledger.gone:
                yield f"{kind} {identity} was deleted, and is there"
            elif identity not in ledger.there and whole not in ledger.there:
                yield f"{kind} {identity} was not asked for: {row['name']}"
    members = sorted(ledger.called(name) for name in works.MEMBERS)
    for identity, row in rows[CGSNAPSHOTS].items():
        parts = sorted(part["volume_id"] for part in _parts(rows, identity))
        if parts != members:
            yield f"group snapshot {identity} ({row['name']}) has snapshots of {parts}"
    for identity, thing in ledger.of_kind(GROUPS).items():
        names = [volume["name"] for volume in _members(rows, identity)]
        if thing.source and names != list(works.MEMBERS):
            yield f"group {identity}, made of {thing.source}, has the volumes {names}"


def _rows_and_volumes(rows: Rows) -> Iterator[str]:
    report = run(
        *("lvs", "--reportformat", "json", "--units", "b", "--nosuffix"),
        *("-o", "lv_name,lv_size,origin,origin_size,lv_tags", _GROUP),
    )
    there = {each["lv_name"]: each for each in json.loads(report)["report"][0]["lv"]}
    expected: dict[str, tuple[int, str, set[str]]] = {}
    for row in rows[VOLUMES].values():
        group = row["consistencygroup_id"]
        tags = {f"cg={group}"} if group else set()
        expected[f"volume-{row['id']}"] = (row["size"], _origin(row), tags)
    for row in rows[SNAPSHOTS].values():
        tags = set()
        if whole := rows[CGSNAPSHOTS].get(row["cgsnapshot_id"]):
            tags = {f"cg={whole['consistencygroup_id']}", f"cgsnapshot={whole['id']}"}
        origin = f"volume-{row['volume_id']}"
        expected[f"_snapshot-{row['id']}"] = (row["volume_size"], origin, tags)
    others = {machine.STATE, volumes_machine.POOL}
    if left := sorted(there.keys() - expected.keys() - others):
        yield f"without a row: {left}"
    for name, (size, origin, tags) in expected.items():
        volume = there.get(name)
        if volume is None:
            yield f"there is no {name}, for which there is a row"
            continue
        # The size of a thick snapshot is that of its copy-on-write store.
        is_store = name.startswith("_snapshot-") and not _is_thin()
        found_size = volume["origin_size" if is_store else "lv_size"]
        if int(found_size) != size * _GIB:
            yield f"{name} has {found_size} bytes instead of {size} GiB"
        # A thin copy has its source as its origin, while that is there; a thick one has none.
        is_copy = name.startswith("volume-")
        if volume["origin"] != origin and not (
            is_copy and not volume["origin"] and (origin not in there or not _is_thin())
        ):
            yield f"{name} has the origin {volume['origin']!r} instead of {origin!r}"
        found = {tag for tag in volume["lv_tags"].split(",") if tag.startswith("cg")}
        found = {tag for tag in found if not tag.startswith("cg_ext")}
        if found != tags:
            yield f"{name} has the tags {sorted(found)} instead of {sorted(tags)}"


def _torn(rows: Rows) -> Iterator[str]:
    """What is not of one instant, by the stamps of the writer to the volumes."""
    order = {
        row["id"]: works.MEMBERS.index(row["name"])
        for row in rows[VOLUMES].values()
        if row["name"] in works.MEMBERS and not _source(row)
    }
    for identity in rows[CGSNAPSHOTS]:
        parts = sorted(_parts(rows, identity), key=lambda part: order[part["volume_id"]])
        yield from _apart(f"group snapshot {identity}", "_snapshot", parts)
    for identity, group in rows[GROUPS].items():
        if _source(group):
            yield from _apart(f"group {identity}", "volume", _members(rows, identity))


def _apart(what: str, prefix: str, rows: list[Row]) -> Iterator[str]:
    names = [f"{_GROUP}/{prefix}-{row['id']}" for row in rows]
    try:
        if prefix == "_snapshot" and _is_thin():  # All others are active.
            run("lvchange", "-ay", "-K", *names)
        if gap := writer.gap([_device(prefix, row["id"]) for row in rows]):
            yield f"{what} is torn: {gap} writes apart"
        if prefix == "_snapshot" and _is_thin():
            run("lvchange", "-an", *names)
    except (AssertionError, OSError) as error:
        yield f"{what}: {error}"


def _parts(rows: Rows, cgsnapshot: str) -> list[Row]:
    return [row for row in rows[SNAPSHOTS].values() if row["cgsnapshot_id"] == cgsnapshot]


def _members(rows: Rows, group: str) -> list[Row]:
    found = [row for row in rows[VOLUMES].values() if row["consistencygroup_id"] == group]
    return sorted(found, key=lambda row: row["name"])


def _source(row: Row) -> Any:
    """The id of what a volume or a group was made of, if of something."""
    columns = ("snapshot_id", "source_volid", "cgsnapshot_id", "source_cgid")
    return next((row[each] for each in columns if row.get(each)), None)


def _origin(volume: Row) -> str:
    if volume["snapshot_id"]:
        return f"_snapshot-{volume['snapshot_id']}"
    return f"volume-{volume['source_volid']}" if volume["source_volid"] else ""


def _device(prefix: str, identity: str) -> str:
    return volumes_machine.path(f"{prefix}-{identity}")


def _is_thin() -> bool:
    return volumes_machine.has_pool()
