#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Watches the memory of an API process and a manager over many requests.

Rounds of reads, with groups that are created and deleted between them, until the number of
requests or the time is used up; after each round the resident memory of both processes.
"""

import argparse
import itertools
import pathlib
import time

import load

from cg_extension.tests.deployment import deployment, processes

CLIENTS = 8
TYPE = "__DEFAULT__"
PROJECT = "soak"
TOKEN = f"admin:{PROJECT}:admin"
GROUPS = 20


def resident(pid: int) -> float:
    """MB of memory that the process has now."""
    pages = int(pathlib.Path(f"/proc/{pid}/statm").read_text().split()[1])
    return pages * 4096 / 1e6


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    until = parser.add_mutually_exclusive_group()
    until.add_argument("--requests", type=int, help="100,000 if neither is given")
    until.add_argument("--minutes", type=float)
    parser.add_argument("--database", choices=("postgresql", "mysql"), default="postgresql")
    parser.add_argument("--round", type=int, default=5_000, help="requests of a round")
    arguments = parser.parse_args()
    seconds = 60 * (arguments.minutes or float("inf"))
    requests = arguments.requests or (float("inf") if arguments.minutes else 100_000)
    processes.end_cleanly_on_sigterm()
    with deployment.Deployment(
        arguments.database, managers=deployment.MANAGERS[:1], api_servers=["cg-api"]
    ) as running:
        client = running.connect(PROJECT)
        base = f"{running.endpoints[0]}/v3/{PROJECT}/consistencygroups"
        address = [load.target(base)]
        watched = {"API": running.apis["api0"].pid, "manager": running.managers["node1"].pid}
        print("| requests | answers/s | API, MB | manager, MB |\n| ---: | ---: | ---: | ---: |")
        done, started = 0, time.monotonic()
        while done < requests and time.monotonic() - started < seconds:
            groups = [client.begin("consistencygroups", volume_types=TYPE) for _ in range(GROUPS)]
            for group_id in groups:
                client.wait_for(f"/consistencygroups/{group_id}", "available")
            rates = []
            for url in (f"{base}/{groups[0]}", base, f"{base}/detail?limit=10"):
                payload = load.request("GET", url, TOKEN)
                count = arguments.round // 3
                result = load.run(
                    address, itertools.repeat(payload), clients=CLIENTS, requests=count
                )
                assert result.statuses == {200: count}, result.statuses
                rates.append(result.rate)
                done += count
            for group_id in groups:
                client.delete(f"/consistencygroups/{group_id}")
            for group_id in groups:
                client.wait_for(f"/consistencygroups/{group_id}", "gone")
            memory = " | ".join(f"{resident(pid):.1f}" for pid in watched.values())
            print(f"| {done:,} | {sum(rates) / len(rates):.0f} | {memory} |", flush=True)


if __name__ == "__main__":
    main()
