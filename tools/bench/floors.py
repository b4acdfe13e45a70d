# SPDX-License-Identifier: Apache-2.0
"""The floor: the least WSGI function over a database driver that does what the API does.

The calls are those that ``floor.py`` times: show, list, list with detail and creation of groups.
What a request may be is not looked at.
"""

import dataclasses
import datetime
import json
import sqlite3
import uuid
from typing import Any

import sqlalchemy as sa

from cg_extension.contract import operations

_COLUMNS = "g.id, g.status, g.availability_zone, g.created_at, g.name, g.description"
_OF_PROJECT = (
    "SELECT {columns} FROM consistencygroups g WHERE g.project_id = %s"
    " ORDER BY g.created_at DESC, g.id DESC LIMIT 1001"
)
_TYPES = "LEFT JOIN consistencygroup_volume_types t ON t.consistencygroup_id = g.id"
SHOW = (
    f"SELECT {_COLUMNS}, t.volume_type_id FROM consistencygroups g {_TYPES}"
    " WHERE g.id = %s ORDER BY t.volume_type_id"
)
LIST = _OF_PROJECT.format(columns="g.id, g.name")
DETAIL = (
    f"SELECT {_COLUMNS}, t.volume_type_id FROM ({_OF_PROJECT.format(columns=_COLUMNS)}) g {_TYPES}"
    " ORDER BY g.created_at DESC, g.id DESC, t.volume_type_id"
)
# The answer has the type's id, and a backend must be known; which of them fits is not asked.
FIND = "SELECT t.id, s.host FROM volume_types t, services s WHERE t.name = %s"
# What limits there are is not asked.
ADD_USAGE = (
    "UPDATE project_quotas SET groups = groups + 1, serial = serial + 1 WHERE project_id = %s"
)
INSERT_GROUP = (
    "INSERT INTO consistencygroups (id, project_id, user_id, name, description, status,"
    " created_at, host, availability_zone) VALUES (%s, %s, %s, %s, %s, 'creating', %s, %s, %s)"
)
INSERT_TYPE = (
    "INSERT INTO consistencygroup_volume_types (consistencygroup_id, volume_type_id)"
    " VALUES (%s, %s)"
)
INSERT_OPERATION = (
    "INSERT INTO operations (id, kind, resource_id, project_id, host, arguments, context, attempts,"
    " run_after, created_at) VALUES (%s, %s, %s, %s, %s, %s, %s, 0, {now}, {now})"
)
_KIND = str(operations.OperationKind.GROUP_CREATE)
_ARGUMENTS = json.dumps({"version": 1, "values": {}})


class Floor:
    """The WSGI function, over one connection in autocommit, written once for all drivers.

    ``mark`` stands for a parameter, ``now`` for the server's clock.
    """

    mark = "%s"
    now: str
    begin = "BEGIN"

    def __init__(self, url: sa.URL) -> None:
        self.conn = self.connect(url)
        self.cursor = self.conn.cursor()
        self.show, self.list, self.detail, self.find = map(self._sql, (SHOW, LIST, DETAIL, FIND))
        self.add_usage = self._sql(ADD_USAGE)
        self.inserts = [
            self._sql(statement.replace("{now}", self.now))
            for statement in (INSERT_GROUP, INSERT_TYPE, INSERT_OPERATION)
        ]

    def connect(self, url: sa.URL) -> Any:
        """A connection of the driver's own."""
        raise NotImplementedError

    def _sql(self, statement: str) -> str:
        return statement.replace("%s", self.mark)

    def __call__(self, environ: dict[str, Any], start_response: Any) -> list[bytes]:
        request_id = f"req-{uuid.uuid4()}"
        _, _, owner, _, *rest = environ["PATH_INFO"].split("/")
        status = "200 OK"
        document: dict[str, Any]
        if environ["REQUEST_METHOD"] == "POST":
            status = "202 Accepted"
            length = int(environ["CONTENT_LENGTH"])
            asked = json.loads(environ["wsgi.input"].read(length))["consistencygroup"]
            document = {"consistencygroup": self._create(owner, request_id, asked)}
        elif not rest:
            self.cursor.execute(self.list, (owner,))
            found = [{"id": row[0], "name": row[1]} for row in self.cursor.fetchall()]
            document = {"consistencygroups": found}
        elif rest == ["detail"]:
            document = {"consistencygroups": self._groups(self.detail, owner)}
        else:
            [group] = self._groups(self.show, rest[0])
            document = {"consistencygroup": group}
        body = json.dumps(document).encode()
        headers = [
            ("Content-Type", "application/json"),
            ("Content-Length", str(len(body))),
            ("x-openstack-request-id", request_id),
        ]
        start_response(status, headers)
        return [body]

    def _groups(self, statement: str, parameter: str) -> list[dict[str, Any]]:
        self.cursor.execute(statement, (parameter,))
        groups: dict[str, dict[str, Any]] = {}
        for id_, status, zone, created_at, name, description, type_id in self.cursor.fetchall():
            if id_ in groups:
                groups[id_]["volume_types"].append(type_id)
            else:
                groups[id_] = {
                    "id": id_,
                    "status": status,
                    "availability_zone": zone,
                    "created_at": self.shown(created_at),
                    "name": name,
                    "description": description,
                    "volume_types": [] if type_id is None else [type_id],
                }
        return list(groups.values())

    def shown(self, created_at: Any) -> str:
        """A time as the API writes it."""
        text: str = created_at.isoformat(timespec="microseconds")
        return text

    def stored(self, created_at: datetime.datetime) -> Any:
        """A time as the driver takes it."""
        return created_at

    def _create(self, owner: str, request_id: str, asked: dict[str, Any]) -> dict[str, Any]:
        id_, operation_id = str(uuid.uuid4()), str(uuid.uuid4())
        created_at = _utcnow()
        name, description = asked["name"], asked["description"]
        zone = asked["availability_zone"]
        execute = self.cursor.execute
        execute(self.find, (asked["volume_types"],))
        type_id, host = self.cursor.fetchone()
        execute(self.begin)
        execute(self.add_usage, (owner,))
        insert_group, insert_type, insert_operation = self.inserts
        stored = self.stored(created_at)
        values = (id_, owner, "user", name, description, stored, host, zone)
        execute(insert_group, values)
        execute(insert_type, (id_, type_id))
        context = json.dumps(_context(owner, request_id))
        execute(insert_operation, (operation_id, _KIND, id_, owner, host, _ARGUMENTS, context))
        execute("COMMIT")
        return {
            "id": id_,
            "status": "creating",
            "availability_zone": zone,
            "created_at": created_at.isoformat(timespec="microseconds"),
            "name": name,
            "description": description,
            "volume_types": [type_id],
        }


def _context(owner: str, request_id: str) -> dict[str, Any]:
    """What a manager is to know of the caller."""
    return {
        "user": "user",
        "project_id": owner,
        "system_scope": None,
        "project": owner,
        "domain": None,
        "user_domain": None,
        "project_domain": None,
        "is_admin": False,
        "read_only": False,
        "show_deleted": False,
        "request_id": request_id,
        "global_request_id": None,
        "resource_uuid": None,
        "roles": ["member"],
        "user_identity": f"user {owner} - - -",
        "is_admin_project": True,
    }


class SQLiteFloor(Floor):
    """SQLite keeps times as text, and its clock is this machine's."""

    mark = "?"
    now = "cg_utcnow()"
    begin = "BEGIN IMMEDIATE"

    def connect(self, url: sa.URL) -> Any:
        conn = sqlite3.connect(str(url.database), isolation_level=None)
        conn.execute("PRAGMA journal_mode = WAL")
        conn.execute("PRAGMA synchronous = FULL")
        conn.execute("PRAGMA foreign_keys = ON")
        conn.create_function("cg_utcnow", 0, lambda: self.stored(_utcnow()))
        return conn

    def shown(self, created_at: str) -> str:
        return created_at.replace(" ", "T")

    def stored(self, created_at: datetime.datetime) -> str:
        return created_at.isoformat(" ", "microseconds")


class PostgreSQLFloor(Floor):
    now = "timezone('utc', statement_timestamp())"

    def connect(self, url: sa.URL) -> Any:
        conn = _connect(url)
        conn.autocommit = True
        return conn


class MariaDBFloor(Floor):
    now = "utc_timestamp(6)"

    def connect(self, url: sa.URL) -> Any:
        return _connect(url, charset="utf8mb4", autocommit=True)


def _connect(url: sa.URL, **options: Any) -> Any:
    """A connection of the driver that the URL names."""
    dialect = url.get_dialect()
    _, arguments = dialect().create_connect_args(url)
    return dialect.import_dbapi().connect(**{**arguments, **options})  # type: ignore[attr-defined]


def _utcnow() -> datetime.datetime:
    return datetime.datetime.now(datetime.UTC).replace(tzinfo=None)


@dataclasses.dataclass(frozen=True)
class Driver:
    """A database by one of its drivers: its dialect for the tests' databases, and the floor's."""

    title: str
    dialect: str
    drivername: str
    floor: type[Floor]


DRIVERS = {
    "sqlite": Driver("SQLite", "sqlite", "sqlite", SQLiteFloor),
    "psycopg2": Driver(
        "PostgreSQL (psycopg2)", "postgresql", "postgresql+psycopg2", PostgreSQLFloor
    ),
    "pymysql": Driver("MariaDB (PyMySQL)", "mysql", "mysql+pymysql", MariaDBFloor),
    "mysqldb": Driver("MariaDB (mysqlclient)", "mysql", "mysql+mysqldb", MariaDBFloor),
}
