#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Shows what ``cg-lvm-rollback.service`` does as a machine boots, and cuts its power meanwhile.

``boot_rollback.py [--release R] [--cuts N] [--seed S]``: a QEMU guest with systemd has the unit as
our package installs it. Three volumes are mounted by its /etc/fstab: two thin ones, with ext4 and
XFS, and a thick one in another volume group. They are rolled back at boot; so they are when the
power goes while the unit works; and a rollback of unmounted ones that was cut is finished, or
undone, before anything is mounted. Prints the platform, what held, and
``N passed, N failed, 0 skipped``.
"""

import argparse
import functools
import pathlib
import random
import sys
import tempfile
import time
from collections.abc import Callable

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))

from guest import qemu, tree

# Seconds for one step in a guest whose processors are translated.
PATIENCE = 1200
_SIZES = (2 << 30, 1 << 30)  # bytes of the disks
_BEGUN, _ENDED = "the rollback begins", "the rollback has ended"

_SITE = f"{pathlib.PurePath(tree.PYTHON).parents[1]}/lib/python3*/site-packages"
# The package as well, since the checkout may lie where the boot mounts something.
_INSTALL = f"""
        cp -r cg_extension "$(echo {_SITE})"
        ln -s {pathlib.PurePath(tree.PYTHON).parent}/cg-lvm /usr/bin/cg-lvm
        cp etc/systemd/cg-lvm/*.service /usr/lib/systemd/system
        while read -r target link; do
            mkdir -p "$(dirname "/$link")"
            ln -s "/$target" "/$link"
        done <debian/cg-lvm.links
        mkdir /etc/systemd/system/cg-lvm-rollback.service.d
        printf '%s\\n' "[Service]" \\
            "ExecStartPre=/bin/sh -c 'echo {_BEGUN} >/dev/console'" \\
            "ExecStartPost=/bin/sh -c 'echo {_ENDED} >/dev/console'" \\
            >/etc/systemd/system/cg-lvm-rollback.service.d/told.conf
"""
_MAKE = """
        vgcreate -q fast /dev/vdb
        vgcreate -q slow /dev/vdc
        lvcreate -q --type thin-pool -L 1G -n pool fast
        lvcreate -q -V 64M --thinpool pool -n home fast
        lvcreate -q -V 320M --thinpool pool -n var fast
        lvcreate -q -L 32M -n conf slow
        mkfs.ext4 -q /dev/fast/home
        mkfs.xfs -q /dev/fast/var
        mkfs.ext4 -q /dev/slow/conf
        for device in fast/home fast/var slow/conf; do
            mkdir /srv/${device#*/}
            echo "/dev/$device /srv/${device#*/} auto defaults 0 2" >>/etc/fstab
        done
        systemctl daemon-reload
        mount -a
"""
_WRITE = """
        for name in home var conf; do echo {state} >/srv/$name/state; done
        sync
"""
_SNAPSHOT = "cg-lvm snapshot fast/home fast/var slow/conf --name one"
# What must hold after each boot, whatever the volumes are at.
_IN_ORDER = """
        systemctl status cg-lvm-rollback || true
        lvs -a -o vg_name,name,attr,tags
        for name in home var conf; do
            findmnt -n -o SOURCE /srv/$name | grep -x "/dev/mapper/.*-$name"
        done
        test -z "$(ls -A /etc/cg-lvm/rollbacks)"
        cg-lvm finish  # The boot does not wait for half-made thick volumes to be wiped.
        vgs --noheadings -o vg_name,vg_tags | fails grep cg_ext
        lvs --noheadings -o lv_name,lv_tags | fails grep -e cgback -e cg_ext.takes
        dmsetup info -c --noheadings -o name,suspended | fails grep ':Suspended'
        test -z "$(systemctl --failed --no-legend)"
"""
# As after a change of /etc/fstab, and an upgrade of the package: the wish waits all the same.
_START_AGAIN = """
        systemctl start local-fs.target
        systemctl try-restart cg-lvm-rollback
        while systemctl is-active cg-lvm-rollback | grep -x activating; do sleep 1; done
        cg-lvm finish --json | grep '"waiting_for_the_boot": "one"'
"""
_IS_AT = """
        for name in home var conf; do grep -x {state} /srv/$name/state; done
"""
_HAS_BEFORE = """
        lvs fast/home.{before} fast/var.{before} slow/conf.{before}
        cg-lvm list | grep '^{before} *snapshot *3 .*complete'
"""
_HAS_NOT_BEFORE = """
        lvs --noheadings -o lv_name | fails grep -F '.{before}'
"""
_CAME_FIRST = """
        systemctl is-active cg-lvm-rollback | grep -x active
        at() { systemctl show --value -p $1TimestampMonotonic $2; }
        for name in home var conf; do
            test "$(at ExecMainExit cg-lvm-rollback)" -lt "$(at InactiveExit srv-$name.mount)"
        done
"""
# ``cg-lvm`` in a process that ends at a step, as by kill -9.
_DIE_AT = """
import sys
from cg_extension.cmd import lvm
from cg_extension.drivers import steps
class Guard:
    kind = "test"
    def check(self):
        pass
with steps.guarded(Guard()):
    lvm.main(sys.argv[1:])
"""
_CUT_AT = """
        umount /srv/home /srv/var /srv/conf
        echo test/lvm.{step}:1 >/run/fault
        export CG_EXTENSION_FAULT_FILE=/run/fault
        fails python -c "$0" rollback one --keep-as {step}
        vgs --noheadings -o vg_tags fast | grep cg_ext.back
"""
_PLATFORM = """
        python -c 'from cg_extension.tests.lvm import run; print(run.platform_line())'
"""


class Failure(Exception):
    """What did not hold, as the guest tells it."""


class Machine:
    """The guest, and what is shown on it, one after another."""

    def __init__(self, guest: qemu.Guest, chance: random.Random) -> None:
        """Take one that runs."""
        self._guest = guest
        self._chance = chance
        # Seconds that the unit takes when nobody cuts it.
        self._length = 0.0

    def set_up(self) -> None:
        """Install the unit, make the volumes, and take a group snapshot of state 1."""
        print(self._sh(_PLATFORM).splitlines()[-1], flush=True)
        self._sh(_INSTALL)
        self._sh(_MAKE + _WRITE.format(state=1) + _SNAPSHOT)

    def at_boot(self) -> str:
        """An orderly reboot."""
        self._reboot_with_a_wish("at-boot")
        self._wait_for(_BEGUN)
        began = time.monotonic()
        self._wait_for(_ENDED)
        self._length = time.monotonic() - began
        self._guest.wait_for_boot()
        self._sh(_CAME_FIRST + _IN_ORDER + _IS_AT.format(state=1))
        self._sh(_HAS_BEFORE.format(before="at-boot"))
        return f"in {self._length:.1f} s"

    def cut_at_boot(self, number: int) -> str:
        """The power goes while the unit works."""
        self._reboot_with_a_wish(f"cut-{number}")
        seconds, has_ended = self._cut_unit()
        self._guest.wait_for_boot()
        self._sh(("" if has_ended else _CAME_FIRST) + _IN_ORDER + _IS_AT.format(state=1))
        self._sh(_HAS_BEFORE.format(before=f"cut-{number}"))
        return f"cut {seconds:.1f} s after its start{', when it had ended' * has_ended}"

    def cut_command(self, step: str, is_decided: bool) -> str:
        """The power goes when a rollback of unmounted volumes has come to a step.

        And once more as the boot finishes one that is decided.
        """
        self._sh(_WRITE.format(state=step))
        self._sh(_CUT_AT.format(step=step), _DIE_AT)
        self._guest.reset()
        seconds, has_ended = self._cut_unit() if is_decided else (0.0, False)
        self._guest.wait_for_boot()
        self._sh(("" if has_ended else _CAME_FIRST) + _IN_ORDER)
        if not is_decided:
            self._sh(_IS_AT.format(state=step) + _HAS_NOT_BEFORE.format(before=step))
            return "all are old"
        self._sh(_IS_AT.format(state=1) + _HAS_BEFORE.format(before=step))
        return f"all are new, after a cut {seconds:.1f} s after the start of the unit as well"

    def nothing_to_do(self) -> str:
        """A boot with no note."""
        self._guest.reboot()
        self._guest.wait_for_boot()
        self._sh(_IN_ORDER + "systemctl is-active cg-lvm-rollback | grep -x inactive")
        return ""

    def _reboot_with_a_wish(self, before: str) -> None:
        """Have volumes in use rolled back at boot, and reboot."""
        self._sh(_WRITE.format(state=before))
        self._sh(f"cg-lvm rollback one --at-boot --keep-as {before}")
        self._sh(_START_AGAIN)
        self._sh(_IS_AT.format(state=before))
        self._guest.reboot()

    def _cut_unit(self) -> tuple[float, bool]:
        """Cut the power as the unit works; after how many seconds, and whether it had ended."""
        self._wait_for(_BEGUN)
        seconds = self._chance.uniform(0, self._length)
        time.sleep(seconds)
        has_ended = _ENDED in self._guest.console()
        self._guest.reset()
        return seconds, has_ended

    def _wait_for(self, line: str) -> None:
        limit = time.monotonic() + PATIENCE
        while line not in (told := self._guest.console()):
            if time.monotonic() > limit:
                raise Failure(f"not printed: {line}\n{told[-4000:]}")
            if not self._guest.runs():  # it died as it booted; see qemu.py
                self._guest.reset()
            time.sleep(0.1)

    def _sh(self, script: str, *arguments: str) -> str:
        """Run commands all of which must succeed."""
        status, output = self._guest.run_script(script, PATIENCE, *arguments)
        if status:
            journal = self._guest.run(["journalctl", "-b", "-u", "cg-lvm-rollback"], PATIENCE)[1]
            raise Failure(f"{output}\n{journal}")
        return output


def _steps(machine: Machine, cuts: int) -> list[tuple[str, Callable[[], str]]]:
    """What is shown, in this order: each builds on what those before have left."""
    return [
        ("volumes in use are rolled back at boot, before they are mounted", machine.at_boot),
        ("a boot without a note passes it by", machine.nothing_to_do),
        *(
            (
                f"so they are when the power goes while the unit works ({number})",
                functools.partial(machine.cut_at_boot, number),
            )
            for number in range(1, cuts + 1)
        ),
        *(
            (
                f"a rollback that was cut at {step} is put right before anything is mounted",
                functools.partial(machine.cut_command, step, is_decided),
            )
            for step, is_decided in (("old_inactive", False), ("old_aside", True))
        ),
    ]


def main() -> int:
    """The command line; 1 unless all held."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--release", choices=tree.RELEASES, default="trixie")
    parser.add_argument("--cuts", type=int, default=4, help="while the unit works")
    parser.add_argument("--seed", default=str(int(time.time())))
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="boot_rollback-", dir="/var/tmp") as name:
        disks = [pathlib.Path(name) / f"disk{number}" for number in range(len(_SIZES))]
        for disk, size in zip(disks, _SIZES, strict=True):
            with open(disk, "wb") as file:
                file.truncate(size)
        with qemu.Guest(options.release, disks, reboots=True) as guest:
            machine = Machine(guest, random.Random(options.seed))
            machine.set_up()
            steps = _steps(machine, options.cuts)
            passed = 0
            for shown, show in steps:
                started = time.monotonic()
                try:
                    told = show()
                except (Failure, qemu.GuestDied) as failure:
                    print(f"FAILED {shown}\n{failure}", flush=True)
                    break
                passed += 1
                print(f"ok     {shown}; {told}; {time.monotonic() - started:.0f} s", flush=True)
    print(f"{passed} passed, {len(steps) - passed} failed, 0 skipped; seed {options.seed}")
    return 0 if passed == len(steps) else 1


if __name__ == "__main__":
    sys.exit(main())
