# SPDX-License-Identifier: Apache-2.0
"""The command line of ``cg-lvm``; its manual page is made of this."""

import argparse
from collections.abc import Callable
from typing import Any

from cg_extension.cmd.lvm import (
    keeping,
    making,
    mounting,
    profiles,
    rollback,
    selftest,
    verifying,
)
from cg_extension.conf import bounds

# For those who make clones, which are copies to the last block.
IDENTIFIERS = (
    "A clone has the UUIDs and labels of its original: of file systems, swap, LUKS, partitions and "
    "whatever else is in it. /dev/disk/by-uuid may point to either. Mount it by its /dev/mapper "
    "path, or change its UUIDs and labels before anything uses it; never mount a btrfs beside its "
    "original. See docs/clones.md."
)

_MEMBER = (
    "VG/LV, or a path: a mount point, a directory or file, a device; it stands for all logical "
    "volumes that it lies on"
)


def get_parser() -> argparse.ArgumentParser:
    """The parser of all actions; each sets ``function``."""
    parser = argparse.ArgumentParser(
        prog="cg-lvm", description="Snapshots of several LVM volumes, of one instant."
    )
    common = argparse.ArgumentParser(add_help=False)
    common.add_argument("--json", action="store_true", help="print one JSON object")
    new = argparse.ArgumentParser(add_help=False)
    new.add_argument("--name", required=True, help="what to call it")
    new.add_argument(
        *("--deadline", "-d"),
        type=_deadline,
        default=bounds.FREEZE_DEADLINE.default,
        metavar="SECONDS",
        help="give up when writes are held for longer (default: %(default)s)",
    )
    members = argparse.ArgumentParser(add_help=False)
    members.add_argument(
        "--with-submounts",
        action="store_true",
        help="take along what is mounted below a directory; else it is named in a warning",
    )
    actions = parser.add_subparsers(required=True, metavar="ACTION")

    snapshot = actions.add_parser(
        "snapshot", parents=[common, new, members], help="take snapshots of volumes, of one instant"
    )
    snapshot.add_argument("members", nargs="+", metavar="MEMBER", help=_MEMBER)
    snapshot.add_argument(
        "--cow-percent",
        type=_cow_percent,
        default=bounds.COW_PERCENT.default,
        metavar="PERCENT",
        help="size of a thick snapshot's copy-on-write store (default: %(default)s)",
    )
    snapshot.set_defaults(function=making.take)

    clone = actions.add_parser(
        "clone",
        parents=[common, new, members],
        help="make new volumes from volumes, at one instant, or from a group snapshot",
        epilog=IDENTIFIERS,
    )
    clone.add_argument(
        "members", nargs="+", metavar="MEMBER", help=f"{_MEMBER}; with --from just a VG of it"
    )
    clone.add_argument("--from", dest="snapshot", help="the group snapshot to make them from")
    clone.set_defaults(function=making.clone)

    listing = actions.add_parser(
        "list", parents=[common], help="list group snapshots and clones with age and space used"
    )
    _add_group(listing)
    listing.set_defaults(function=keeping.list_all)

    show = actions.add_parser(
        "show", parents=[common], help="show a group snapshot or clone with its receipt"
    )
    _add_group(show)
    show.add_argument("name", metavar="NAME")
    show.set_defaults(function=keeping.show)

    delete = actions.add_parser("delete", parents=[common], help="delete a group snapshot")
    _add_group(delete)
    delete.add_argument("name", metavar="NAME")
    delete.set_defaults(function=keeping.delete)

    verify = actions.add_parser(
        "verify",
        parents=[common],
        help="check that a group snapshot is there, the very same, and whole",
        description="Checks that all members are there, that they are what was taken at the "
        "instant, that no store of a thick one overflowed, and that the pools are healthy and "
        "were not repaired since. The exit status is 0 only if all is right. It changes nothing.",
    )
    _add_group(verify)
    verify.add_argument("name", metavar="NAME")
    verify.add_argument(
        "--deep",
        action="store_true",
        help="check the file systems, too, on copies that are thrown away; ext2 to ext4 and XFS, "
        "and of LUKS its header",
    )
    verify.set_defaults(function=verifying.verify)

    testing = actions.add_parser(
        "selftest",
        parents=[common],
        help="try on this machine, with scratch volumes, that group snapshots are of one instant",
        description="Makes scratch volumes with a writer that goes round them, and takes group "
        "snapshots meanwhile, beside snapshots by lvcreate -s, one after another. Tells how many "
        "were torn, for how long I/O was held, and how long the writer's longest write took. The "
        "scratch volumes are removed at the end; after a kill, the next command does it. The exit "
        "status is 0 only if no group snapshot was torn.",
    )
    testing.add_argument("volume_group", metavar="VG", help="make the scratch volumes in it")
    kind = testing.add_mutually_exclusive_group()
    kind.add_argument(
        "--pool", help="test thin volumes in this pool (default: in the only one, if there is one)"
    )
    kind.add_argument("--thick", action="store_true", help="test thick volumes")
    testing.add_argument(
        "--members",
        type=_number(2, selftest.MOST_MEMBERS),
        default=2,
        metavar="N",
        help="how many volumes (default: %(default)s)",
    )
    testing.add_argument(
        "--rounds",
        type=_number(1, selftest.MOST_ROUNDS),
        default=10,
        metavar="N",
        help="how many snapshots of each kind (default: %(default)s)",
    )
    testing.set_defaults(function=selftest.test)

    mount = actions.add_parser(
        "mount",
        parents=[common],
        help="mount the file systems of a group snapshot, read-only, for a backup, say",
        description="Mounts the file systems of a group snapshot below a directory as they hung "
        "together when it was taken, read-only. What is mounted are copies that share all data "
        "with the snapshot, which stays as it is; umount throws them away.",
    )
    _add_group(mount)
    mount.add_argument("name", metavar="NAME")
    mount.add_argument("directory", metavar="DIR", help="an empty directory")
    mount.add_argument(
        "--key-file",
        metavar="FILE",
        help="what opens LUKS (default: cryptsetup asks for a passphrase)",
    )
    mount.set_defaults(function=mounting.mount)

    umount = actions.add_parser(
        "umount", parents=[common], help="undo what mount did at a directory"
    )
    umount.add_argument("directory", metavar="DIR")
    umount.set_defaults(function=mounting.umount)

    _add_rollback(actions, common)
    _add_run(actions, common)
    return parser


def _add_rollback(actions: Any, common: argparse.ArgumentParser) -> None:
    back = actions.add_parser(
        "rollback",
        parents=[common],
        help="make volumes again what they were in a group snapshot, all or none",
        epilog="No volume may be in use. What they are now is kept, as a group snapshot to which "
        "one can roll back again. Thin volumes are not copied; thick ones are, and their volume "
        "group needs as much free space as they are large. See docs/cg-lvm-rollback.md.",
    )
    _add_group(back)
    back.add_argument("name", metavar="NAME", help="the group snapshot; it stays as it is")
    back.add_argument(
        "--keep-as",
        metavar="NAME",
        help="what to call the state before (default: before-rollback-TIME)",
    )
    back.add_argument(
        "--at-boot",
        action="store_true",
        help="do it at the next boot, before file systems are mounted (cg-lvm-rollback.service)",
    )
    back.add_argument(
        "--cancel", action="store_true", help="call off what --at-boot has noted for NAME"
    )
    back.set_defaults(function=rollback.roll_back)

    finish = actions.add_parser(
        "finish",
        parents=[common],
        help="put right what a crash left, and finish rollbacks that it cut short; the boot does, "
        "and so does the next command on their volume groups",
    )
    finish.add_argument(
        "--at-boot",
        action="store_true",
        help="carry out those that wait for the boot as well (cg-lvm-rollback.service)",
    )
    finish.set_defaults(function=rollback.finish)


def _add_run(actions: Any, common: argparse.ArgumentParser) -> None:
    run = actions.add_parser(
        "run",
        parents=[common],
        help="take a group snapshot as a profile says, and delete those that it does not keep",
        epilog="Exit statuses: 1: nothing was taken, and nothing deleted; 3: the profile is wrong; "
        "4: another run of it is under way; 5: a pool is above its limit; 6: it was taken, but an "
        "after-hook failed, something was not deleted, or figures were not written.",
    )
    what = run.add_mutually_exclusive_group()
    what.add_argument(
        "--dry-run",
        action="store_true",
        help="check the profile, and print what would be taken, kept and deleted",
    )
    what.add_argument(
        "--after-hooks",
        action="store_true",
        help="only run the after-hooks that a run which was killed has left, if any",
    )
    run.add_argument(
        "profile",
        metavar="PROFILE",
        help="NAME of /etc/cg-lvm/NAME.toml, or the path of such a file, with a / in it",
    )
    run.set_defaults(function=profiles.run)


def _add_group(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "volume_group", metavar="VG", nargs="?", help="look in this volume group (default: in all)"
    )


def _number(least: int, most: int) -> Callable[[str], int]:
    """What reads a whole number within bounds."""

    def number(text: str) -> int:
        if not (text.isascii() and text.isdigit() and least <= int(text) <= most):
            raise argparse.ArgumentTypeError(f"{text}: not a number from {least} to {most}")
        return int(text)

    return number


def _deadline(text: str) -> float:
    return float(_value(bounds.FREEZE_DEADLINE, text))


def _cow_percent(text: str) -> int:
    return int(_value(bounds.COW_PERCENT, text))


def _value(allowed: bounds.Bounds, text: str) -> float:
    """The number that a text stands for."""
    try:
        return allowed.number(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"{text}: {error}") from error
