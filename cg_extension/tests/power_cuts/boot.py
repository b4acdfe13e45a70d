# SPDX-License-Identifier: Apache-2.0
"""What the guest does from its start: ``python -m cg_extension.tests.power_cuts.boot DISK JOURNAL
SEED thin|thick audit|work``.

The first time it makes the volumes. Otherwise it audits what the last cut has left, and with
``audit`` that is all; with ``work`` it goes on until the next cut.
"""

import pathlib
import random
import sys

from cg_extension.tests.lvm import base, run
from cg_extension.tests.power_cuts import audit, machine, work
from cg_extension.tests.power_cuts import journal as journals


def main() -> int:
    """The command line; 1 if the audit found something."""
    print(run.platform_line(), flush=True)
    disk, journal_path, seed, kind, task = sys.argv[1:]
    if pathlib.Path(disk).is_file():
        disk = base.run("losetup", "--find", "--show", disk).strip()
    journal = journals.FileJournal(pathlib.Path(journal_path))
    if machine.is_new(disk):
        machine.make(disk, kind == "thin")
    else:
        print(f"left: {audit.left_by_the_cut()}", flush=True)
        has_unit = random.Random(f"{seed} boots").choice([True, False])
        print(f"put right by: {'cg-lvm finish' if has_unit else 'what comes next'}", flush=True)
        if found := list(audit.findings(journal, has_unit)):
            print(*found, sep="\n", flush=True)
            return 1
    print("audited", flush=True)
    if task == "work":
        work.work(journal, seed)
    return 0


if __name__ == "__main__":
    sys.exit(main())
