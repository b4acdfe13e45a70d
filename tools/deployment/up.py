#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Starts a whole deployment of plain processes, says how to use it, and ends it on Ctrl-C.

By default: gunicorn with two workers and a cg-api, two managers with a backend of their own, two
that share one, over PostgreSQL and RabbitMQ: those that CG_TEST_POSTGRESQL_URL (or
CG_TEST_MYSQL_URL) and CG_TEST_RABBIT_URL name, else those of this machine's usual ports, else
private ones. The database is a new one each time. docs/scale-out.md shows the whole.
"""

import argparse
import pathlib
import signal
import sys
import tempfile
import threading

from cg_extension.tests.deployment import deployment


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--database", choices=("postgresql", "mysql"), default="postgresql")
    parser.add_argument("--api", type=int, default=2, help="API processes (default: 2)")
    parser.add_argument("--directory", type=pathlib.Path, help="for configuration, logs, volumes")
    arguments = parser.parse_args()
    directory = arguments.directory or pathlib.Path(tempfile.mkdtemp(prefix="cg_deployment_"))
    directory.mkdir(parents=True, exist_ok=True)
    kinds = [deployment.SERVERS[number % 2] for number in range(arguments.api)]
    running = deployment.Deployment(arguments.database, api_servers=kinds, directory=directory)
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda _number, _frame: stop.set())
    with running:
        for process in running.all_processes():
            print(f"{process.name:8} pid {process.pid:7}  log {process.log}")
        print(f"database {running.database_url}")
        print("\nFor clients:")
        print("export OS_AUTH_TYPE=admin_token OS_TOKEN=admin:demo OS_VOLUME_API_VERSION=3")
        print(f"export OS_ENDPOINT={running.endpoints[0]}/v3/demo")
        print(f"curl -H 'X-Auth-Token: admin:demo' {running.endpoints[-1]}/v3/demo/os-services")
        print("\nCtrl-C ends it.", flush=True)
        stop.wait()
    print(f"Ended; logs and volumes are left in {directory}")


if __name__ == "__main__":
    sys.exit(main())
