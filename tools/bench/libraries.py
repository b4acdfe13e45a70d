#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Times what the libraries alone take for a call that reads one row, with no code of ours.

The least use of each that a WSGI application of WebOb, Routes, oslo.policy and SQLAlchemy makes of
it, as they come: one pattern, one rule, one statement over SQLite, beside the same statement by the
database driver. For docs/bench/floor.md. Figures are processor time, of the fastest turn.
"""

import sqlite3
import tempfile
import time
from collections.abc import Callable
from typing import Any

import machine
import routes
import sqlalchemy as sa
import webob
from oslo_config import cfg
from oslo_context import context
from oslo_policy import policy

_CALLS, _TURNS = 500, 40
_PATH = "/v3/1a/consistencygroups/2b"
_ENVIRON = {
    "REQUEST_METHOD": "GET",
    "PATH_INFO": _PATH,
    "SCRIPT_NAME": "",
    "QUERY_STRING": "",
    "HTTP_HOST": "localhost:8776",
    "wsgi.url_scheme": "http",
}


def _webob() -> Callable[[], object]:
    def call() -> object:
        request = webob.Request(dict(_ENVIRON))
        response = webob.Response(body=b"{}", content_type="application/json")
        return response(request.environ, lambda status, headers: None)

    return call


def _routes() -> Callable[[], object]:
    mapper = routes.Mapper()
    mapper.connect("/v3/{project_id}/consistencygroups/{id}", controller="c", action="show")
    mapper.create_regs()
    return lambda: mapper.match(_PATH)


def _policy() -> Callable[[], object]:
    conf = cfg.ConfigOpts()
    conf([])
    enforcer = policy.Enforcer(conf)
    rule = "role:admin or (role:reader and project_id:%(project_id)s)"
    enforcer.register_default(policy.RuleDefault("get", rule))
    target = {"project_id": "1a"}

    def call() -> object:
        caller = context.RequestContext(project_id="1a", roles=["reader"], overwrite=False)
        return enforcer.authorize("get", target, caller)

    return call


def _statements(path: str) -> dict[str, Callable[[], object]]:
    table = sa.Table("things", sa.MetaData(), sa.Column("id", sa.String(36), primary_key=True))
    engine = sa.create_engine(f"sqlite:///{path}", isolation_level="AUTOCOMMIT")
    table.metadata.create_all(engine)
    with engine.begin() as conn:
        conn.execute(table.insert(), {"id": "2b"})
    select = table.select().where(table.c.id == sa.bindparam("row_id"))
    driver = sqlite3.connect(path)

    def call() -> object:
        with engine.connect() as conn:
            return conn.execute(select, {"row_id": "2b"}).first()

    statement = "SELECT id FROM things WHERE id = ?"
    return {
        "SQLAlchemy, with its connection from a pool": call,
        "(the same statement by the driver)": lambda: driver.execute(statement, ("2b",)).fetchone(),
    }


def measure(call: Callable[[], object]) -> float:
    """Microseconds of one call."""
    turns: list[float] = []
    for _ in range(_TURNS):
        started = time.process_time()
        for _ in range(_CALLS):
            call()
        turns.append((time.process_time() - started) / _CALLS * 1e6)
    return min(turns)


def main() -> None:
    """Print a table."""
    noise = machine.Noise(time.process_time)
    with tempfile.NamedTemporaryFile() as file:
        calls: dict[str, Any] = {
            "WebOb: a request, a response": _webob(),
            "Routes: a match": _routes(),
            "oslo.policy and oslo.context: one rule, one caller": _policy(),
            **_statements(file.name),
        }
        took = {name: measure(call) for name, call in calls.items()}
    print(f"{machine.description()}; {_TURNS} turns of {_CALLS} calls.\n")
    print("| | µs |\n| --- | ---: |")
    for name, each in took.items():
        print(f"| {name} | {each:.0f} |")
    print(f"| all libraries | {sum(v for n, v in took.items() if n[0] != '('):.0f} |\n\n{noise}")


if __name__ == "__main__":
    main()
