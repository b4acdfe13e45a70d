# SPDX-License-Identifier: Apache-2.0
"""After the chaos: did every accepted request reach its end, and do all sides agree?

Reads the database and the backends' directories directly, and the quotas through the API.
"""

import collections
import pathlib
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import sqlalchemy as sa
from oslo_utils import units

from cg_extension.reference.db import tables
from cg_extension.tests import usage
from cg_extension.tests.chaos import journal
from cg_extension.tests.deployment import deployment

_TABLES = {
    journal.GROUPS: tables.consistencygroups,
    journal.CGSNAPSHOTS: tables.cgsnapshots,
    journal.VOLUMES: tables.volumes,
    journal.SNAPSHOTS: tables.snapshots,
}
_TERMINAL = frozenset({"available", "error", "error_deleting"})
# The only error that the faults may cause: the manager was killed again and again.
_HONEST_REASON = re.compile(r"The manager ended in the middle of it \d+ times")
_FILE = re.compile(r"(volume|snapshot)-([0-9a-f-]{36})")

Rows = Mapping[str, Any]


class Audit:
    """The state of everything at one moment, when nothing is under way any more."""

    def __init__(self, running: deployment.Deployment, log: journal.Journal) -> None:
        self._running = running
        self._journal = log
        engine = sa.create_engine(running.database_url, poolclass=sa.pool.NullPool)
        with engine.connect() as conn:
            self._operations = conn.execute(sa.select(tables.operations)).all()
            self._rows: dict[str, Rows] = {
                collection: {row.id: row for row in conn.execute(sa.select(table))}
                for collection, table in _TABLES.items()
            }
            self._usage = usage.findings(conn)

    def findings(self) -> list[str]:
        """What is wrong, a sentence each; empty: nothing."""
        checks = (
            self._answers,
            self._unfinished,
            self._created,
            self._deleted,
            self._errors,
            self._cgsnapshots,
            self._objects,
            self._quotas,
        )
        return [finding for check in checks for finding in check()]

    def summary(self) -> dict[str, dict[str, int]]:
        """How many rows of each collection are in each status."""
        return {
            collection: dict(collections.Counter(row.status for row in rows.values()))
            for collection, rows in self._rows.items()
        }

    def _answers(self) -> Iterator[str]:
        yield from self._journal.failures

    def _unfinished(self) -> Iterator[str]:
        for operation in self._operations:
            yield f"operation {operation.kind} of {operation.resource_id} has not ended"
        for collection, rows in self._rows.items():
            for row in rows.values():
                if row.status not in _TERMINAL:
                    yield f"{collection} {row.id} is {row.status} and nobody will change that"

    def _created(self) -> Iterator[str]:
        for each in self._journal.created:
            if each.id not in self._rows[each.collection] and not self._journal.may_be_gone(each):
                yield f"{each.collection} {each.id} was accepted and is not there"

    def _deleted(self) -> Iterator[str]:
        for each in self._journal.deleted:
            row = self._rows[each.collection].get(each.id)
            if row is not None and row.status != "error_deleting":
                yield f"{each.collection} {each.id} was deleted and is {row.status}"

    def _errors(self) -> Iterator[str]:
        for collection, rows in self._rows.items():
            for row in rows.values():
                failed = row.status in ("error", "error_deleting")
                if failed and not _HONEST_REASON.match(row.status_reason or ""):
                    yield f"{collection} {row.id} is {row.status}: {row.status_reason}"

    def _cgsnapshots(self) -> Iterator[str]:
        of_cgsnapshot = collections.defaultdict(list)
        for snapshot in self._rows[journal.SNAPSHOTS].values():
            of_cgsnapshot[snapshot.cgsnapshot_id].append(snapshot.status)
        for row in self._rows[journal.CGSNAPSHOTS].values():
            found = of_cgsnapshot[row.id]
            if row.status == "available" and set(found) != {"available"}:
                yield f"cgsnapshot {row.id} is available, its snapshots are {found}"

    def _objects(self) -> Iterator[str]:
        """Every row has its object on its backend, and every object its row."""
        hosts: dict[str, str] = {row.id: row.host for row in self._rows[journal.VOLUMES].values()}
        for snapshot in self._rows[journal.SNAPSHOTS].values():
            hosts[snapshot.id] = hosts[snapshot.volume_id]
        for host, directory in self._running.backends().items():
            mine = {identity for identity, own_host in hosts.items() if own_host == host}
            yield from self._objects_of_backend(directory, mine)

    def _objects_of_backend(self, directory: pathlib.Path, mine: set[str]) -> Iterator[str]:
        sizes = {}
        for path in directory.iterdir() if directory.exists() else ():
            found = _FILE.fullmatch(path.name)
            if found is None or found.group(2) not in mine:
                yield f"{path} belongs to nothing"
            else:
                sizes[found.group(2)] = path.stat().st_size
        for collection, column in ((journal.VOLUMES, "size"), (journal.SNAPSHOTS, "volume_size")):
            for row in self._rows[collection].values():
                if row.id not in mine:
                    continue
                wanted = getattr(row, column) * units.Gi
                if row.status == "available" and sizes.get(row.id) != wanted:
                    yield f"{collection} {row.id} has {sizes.get(row.id)} bytes, not {wanted}"
                if row.status == "error" and row.id in sizes:
                    yield f"{collection} {row.id} is in error and was not cleaned"

    def _quotas(self) -> Iterator[str]:
        yield from self._usage
        for project_id in {row.project_id for rows in self._rows.values() for row in rows.values()}:
            admin = self._running.connect(project_id)
            told_usage = admin.get(f"/os-quota-sets/{project_id}?usage=True")["quota_set"]
            for resource, counted in self._counted(project_id).items():
                told = told_usage[resource]["in_use"]
                if told != counted:
                    yield f"quota of {resource} of {project_id}: {told} in use, {counted} counted"

    def _counted(self, project_id: str) -> dict[str, int]:
        def own(collection: str) -> Sequence[Any]:
            rows = self._rows[collection].values()
            return [row for row in rows if row.project_id == project_id]

        volumes, snapshots = own(journal.VOLUMES), own(journal.SNAPSHOTS)
        return {
            "volumes": len(volumes),
            "snapshots": len(snapshots),
            "groups": len(own(journal.GROUPS)),
            "gigabytes": sum(row.size for row in volumes)
            + sum(row.volume_size for row in snapshots),
        }
