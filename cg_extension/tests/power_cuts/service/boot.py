# SPDX-License-Identifier: Apache-2.0
"""What the guest does from its start: ``python -m cg_extension.tests.power_cuts.service.boot DISK
JOURNAL SEED thin|thick audit|work``.

The first time it makes the volume group and has the service make what is worked with. Otherwise it
audits what the last cut has left, and with ``audit`` that is all; with ``work`` it goes on until
the next cut.
"""

import pathlib
import sys
import time

from cg_extension.tests.lvm import base, run
from cg_extension.tests.power_cuts import machine as volumes_machine
from cg_extension.tests.power_cuts.service import audit, machine, work
from cg_extension.tests.power_cuts.service import ledger as ledgers


def main() -> int:
    """The command line; 1 if the audit found something."""
    print(run.platform_line(), flush=True)
    disk, journal, seed, kind, task = sys.argv[1:]
    if pathlib.Path(disk).is_file():
        disk = base.run("losetup", "--find", "--show", disk).strip()
    ledger = ledgers.FileLedger(pathlib.Path(journal))
    log = pathlib.Path(journal).with_name("service.log")
    is_new = volumes_machine.is_new(disk)
    if is_new:
        machine.make(disk, kind == "thin")
    with machine.booted() as point:
        found = []
        if not is_new:
            print(f"left: {audit.left_by_the_cut(point)}", flush=True)
            found += audit.before_the_service(point, ledger)
        started = time.monotonic()
        with machine.serving(point, log) as client:
            ready = time.monotonic()
            worker = work.Work(client, ledger, seed)
            if is_new:
                worker.set_up()
            else:
                found += audit.findings(point, ledger, worker)
                print(
                    f"ready after {ready - started:.0f} s, all done and looked at after "
                    f"{time.monotonic() - ready:.0f} s more, {len(ledger.there)} things there",
                    flush=True,
                )
            if found:
                print(*found, log.read_text(errors="replace")[-6000:], sep="\n", flush=True)
                return 1
            print("audited", flush=True)
            if task == "work":
                worker.go_on()
    return 0


if __name__ == "__main__":
    sys.exit(main())
