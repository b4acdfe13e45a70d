# SPDX-License-Identifier: Apache-2.0
"""Runs seeds one after another, and prints for each what happened and what the audit found."""

import argparse
import collections
import contextlib
import dataclasses
import logging
import pathlib
import shutil
import sys
import tempfile
import time
import traceback
import warnings
from collections.abc import Callable, Iterator, Mapping

import sqlalchemy as sa

from cg_extension.reference.db import tables
from cg_extension.tests import waiting
from cg_extension.tests.chaos import audit, faults, journal, workload
from cg_extension.tests.deployment import deployment, processes, servers, standby
from cg_extension.tests.galera import cluster

PROJECTS = ("red", "blue")
CLIENTS_PER_PROJECT = 2
# Seconds after the last fault within which everything that was accepted must have ended.
PATIENCE = 120


@dataclasses.dataclass
class Report:
    """What one seed gave."""

    seed: int
    answers: dict[int | None, int]
    faults: dict[str, int]
    summary: dict[str, dict[str, int]]
    findings: list[str]
    seconds_to_end: float

    def __str__(self) -> str:
        lines = [
            f"seed {self.seed}: {len(self.findings)} findings; "
            f"all ended {self.seconds_to_end:.1f} s after the last fault",
            f"  answers {self.answers}",
            f"  faults  {self.faults}",
            f"  rows    {self.summary}",
            *(f"  FOUND {finding}" for finding in self.findings),
        ]
        return "\n".join(lines)


Database = servers.DatabaseServer | standby.PostgreSQLPair | cluster.Cluster
DATABASES: Mapping[str, Callable[[], Database]] = {
    **servers.DATABASE_SERVERS,
    "standby": standby.PostgreSQLPair,
    "galera": cluster.Cluster,
}


@contextlib.contextmanager
def crashable_servers(kind: str) -> Iterator[tuple[Database, servers.RabbitMQ]]:
    """Private servers, to be used by one seed after another; ``kind`` is of ``DATABASES``."""
    with DATABASES[kind]() as database, servers.RabbitMQ() as broker:
        yield database, broker


def run_seed(
    seed: int,
    seconds: float,
    database: Database,
    broker: servers.RabbitMQ,
    directory: pathlib.Path,
) -> Report:
    """Start a deployment on a new database, and put it through ``seconds`` of chaos.

    :param directory: an existing empty one for configuration, logs and volumes.
    """
    log = journal.Journal()
    running = deployment.Deployment(
        database.new_database(), broker=broker.url, driver="slow", directory=directory
    )
    with running:
        types = _create_types(running)
        workers = [
            workload.Worker(f"{seed} {project} {number}", running.connect(project), types, log)
            for project in PROJECTS
            for number in range(CLIENTS_PER_PROJECT)
        ]
        troubles = faults.Faults(seed, running, database, broker)
        for worker in workers:
            worker.start()
        troubles.start()
        time.sleep(seconds)
        for worker in workers:
            worker.stop()
        for worker in workers:
            worker.join()
        troubles.stop()
        for process in running.all_processes():
            if not process.is_running():  # As an init system does.
                process.start()
        started = time.monotonic()
        running.wait_until_up(PATIENCE)
        with contextlib.suppress(TimeoutError):  # The audit tells what has not ended.
            waiting.eventually(lambda: _is_idle(running), "the end", PATIENCE, 0.2)
        ended = time.monotonic() - started
        result = audit.Audit(running, log)
        return Report(
            seed,
            dict(log.answers),
            dict(collections.Counter(name for _when, name in troubles.history)),
            result.summary(),
            result.findings(),
            ended,
        )


def _create_types(running: deployment.Deployment) -> list[str]:
    """One type a backend, so that each gets its part of the work."""
    admin = running.connect("admin")
    names = sorted(running.backend_names())
    for name in names:
        specs = {"volume_backend_name": name}
        admin.post("/types", {"volume_type": {"name": name, "extra_specs": specs}})
    return names


def _is_idle(running: deployment.Deployment) -> bool:
    engine = sa.create_engine(running.database_url, poolclass=sa.pool.NullPool)
    with engine.connect() as conn:
        return conn.execute(sa.select(sa.func.count()).select_from(tables.operations)).scalar() == 0


def _seeds(text: str) -> list[int]:
    first, _, last = text.partition("-")
    return list(range(int(first), int(last or first) + 1))


def main() -> None:
    parser = argparse.ArgumentParser(prog="chaos", description=__doc__)
    parser.add_argument("--seeds", type=_seeds, default="1-20", help="such as 7 or 1-20")
    parser.add_argument("--seconds", type=float, default=60, help="of chaos for each seed")
    parser.add_argument("--database", choices=(*DATABASES, "both"), default="both")
    parser.add_argument("--directory", type=pathlib.Path, help="keep logs and volumes there")
    arguments = parser.parse_args()
    warnings.simplefilter("ignore")
    logging.disable()
    processes.end_cleanly_on_sigterm()
    dialects = list(servers.DATABASE_SERVERS)
    if arguments.database != "both":
        dialects = [arguments.database]
    failed = 0
    for dialect in dialects:
        with crashable_servers(dialect) as (database, broker):
            # Each seed on one of the databases, in turn.
            for seed in arguments.seeds[dialects.index(dialect) :: len(dialects)]:
                directory = _directory(arguments.directory, f"{dialect}-{seed}")
                try:
                    report = run_seed(seed, arguments.seconds, database, broker, directory)
                    print(f"{dialect} {report}", flush=True)
                    wrong = bool(report.findings)
                except Exception:
                    traceback.print_exc()
                    wrong = True
                failed += wrong
                if wrong:
                    print(f"  logs are in {directory}", flush=True)
                elif arguments.directory is None:
                    shutil.rmtree(directory)
    print(f"{len(arguments.seeds) - failed} passed, {failed} failed")
    sys.exit(1 if failed else 0)


def _directory(parent: pathlib.Path | None, name: str) -> pathlib.Path:
    if parent is None:
        return pathlib.Path(tempfile.mkdtemp(prefix=f"cg_chaos_{name}_", dir="/var/tmp"))
    (parent / name).mkdir(parents=True)
    return parent / name


if __name__ == "__main__":
    main()
