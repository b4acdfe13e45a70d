# SPDX-License-Identifier: Apache-2.0
"""The machine whose power is cut: a disk with a volume group, which holds the service's state, too.

The file system on the thick volume ``state`` has the configuration and the state directory with the
database; all else in the volume group is the service's.
"""

import contextlib
import pathlib
import sqlite3
from collections.abc import Iterator

from cg_extension.tests import http_client, waiting
from cg_extension.tests.deployment import processes
from cg_extension.tests.lvm.base import run
from cg_extension.tests.power_cuts import machine

STATE = "state"
# Seconds; without KVM a guest is slow, and a lease that the cut has left must run out.
START_LIMIT = 900
OPERATION_LIMIT = 900
_PORT = 8776
# What a deployer writes for the volume group, quotas that are in nobody's way, and a shorter lease:
# after a boot the service waits for the end of those that its last run had.
_CONFIGURATION = f"""\
[DEFAULT]
enabled_backends = lvm
osapi_volume_listen_port = {_PORT}
quota_volumes = 100
quota_snapshots = 100
quota_groups = 100
operation_lease = 15

[lvm]
volume_driver = lvm
volume_group = {machine.GROUP}
lvm_pool_name = {machine.POOL}
snapshot_cow_percent = 10
volume_clear_size = 64
"""


def make(disk: str, thin: bool) -> None:
    """Make the volume group and the state's file system on an empty disk."""
    run("vgcreate", machine.GROUP, disk)
    run(*f"lvcreate --yes --wipesignatures n -L 256M -n {STATE} {machine.GROUP}".split())
    if thin:
        pool = f"{machine.GROUP}/{machine.POOL}"
        run(*f"lvcreate --type thin-pool -L 4G --poolmetadatasize 32M -n {pool}".split())
    run("mkfs.ext4", "-q", machine.path(STATE))
    with machine.mounted(STATE) as point:
        (point / "cg_extension.conf").write_text(_CONFIGURATION)
    run("sync")


@contextlib.contextmanager
def booted() -> Iterator[pathlib.Path]:
    """What a boot does before it starts services: volumes activated, the file system mounted.

    :raises AssertionError: the file system can't be mended without questions.
    """
    run("vgchange", "--activate", "y", machine.GROUP, check=False)  # What is half-made fails.
    run("sh", "-c", f"e2fsck -f -p {machine.path(STATE)} || [ $? = 1 ]")
    with machine.mounted(STATE) as point:
        yield point


def database_path(point: pathlib.Path) -> pathlib.Path:
    """The file of the service's database."""
    return point / "state" / "cg_extension.sqlite"


@contextlib.contextmanager
def database(point: pathlib.Path) -> Iterator[sqlite3.Connection]:
    """The service's database, for a look at its rows."""
    with contextlib.closing(sqlite3.connect(database_path(point), timeout=60)) as connection:
        connection.row_factory = sqlite3.Row
        yield connection


@contextlib.contextmanager
def serving(point: pathlib.Path, log: pathlib.Path) -> Iterator[http_client.Client]:
    """``cg-standalone``, ready for work; stopped in order at the end.

    :param log: where its output goes, outside of the guest.
    :raises RuntimeError: it has ended by itself.
    """
    service = processes.Process(
        "cg-standalone",
        [
            *("cg-standalone", "--config-file", str(point / "cg_extension.conf")),
            *("--state-path", str(point / "state")),
        ],
        log,
    )
    before = log.stat().st_size if log.exists() else 0
    service.start()
    try:

        def is_ready() -> bool:
            service.check()
            return "Ready for work" in log.read_text(errors="replace")[before:]

        waiting.eventually(is_ready, "cg-standalone ready for work", START_LIMIT)
        endpoint = f"http://127.0.0.1:{_PORT}"
        yield http_client.Client(lambda: endpoint, "demo", "user:demo:admin", timeout=300)
    finally:
        service.stop(timeout=300)
