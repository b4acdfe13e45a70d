# SPDX-License-Identifier: Apache-2.0
"""The command line of ``cg-lvm``; its manual page is made of this."""

import argparse
import functools
import importlib
from collections.abc import Callable
from typing import Any, NamedTuple, NoReturn

from cg_extension.conf import bounds
from cg_extension.drivers.lvm import places

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

# Of a selftest.
_MOST_MEMBERS = 32
_MOST_ROUNDS = 1000


class _Common(NamedTuple):
    """Parsers of what several actions have in common."""

    json: argparse.ArgumentParser
    new: argparse.ArgumentParser
    members: argparse.ArgumentParser


def get_parser() -> argparse.ArgumentParser:
    """The parser of all actions; each sets ``function``."""
    parser = argparse.ArgumentParser(
        prog="cg-lvm", description="Snapshots of several LVM volumes, of one instant."
    )
    parser.add_argument("--version", action=_Version, nargs=0, help="print it and exit")
    actions = parser.add_subparsers(required=True, metavar="ACTION")
    common = _common()
    for add in (
        _add_snapshot,
        _add_clone,
        _add_list,
        _add_show,
        _add_delete,
        _add_verify,
        _add_selftest,
        _add_mount,
        _add_umount,
        _add_rollback,
        _add_run,
    ):
        add(actions, common)
    return parser


class _Version(argparse.Action):
    """Print the version; what finds it takes long to import."""

    def __call__(self, parser: argparse.ArgumentParser, *_arguments: Any) -> NoReturn:
        print(importlib.import_module("cg_extension.conf.version").of(parser.prog))
        parser.exit()


def _action(name: str) -> Callable[[argparse.Namespace], dict[str, Any]]:
    """An action, as ``MODULE.FUNCTION`` of this package.

    Its module is imported when it is called: imports are the larger part of what a command takes
    beside LVM's own processes, and each needs but a few of the modules.
    """
    module, _dot, function = name.rpartition(".")
    return functools.partial(_call, module, function)


def _call(module: str, function: str, options: argparse.Namespace) -> dict[str, Any]:
    found = importlib.import_module(f"cg_extension.cmd.lvm.{module}")
    answer: dict[str, Any] = getattr(found, function)(options)
    return answer


def _common() -> _Common:
    json = argparse.ArgumentParser(add_help=False)
    json.add_argument("--json", action="store_true", help="print one JSON object")
    new = argparse.ArgumentParser(add_help=False)
    new.add_argument("--name", required=True, type=_word, help="what to call it")
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
    return _Common(json, new, members)


def _add_snapshot(actions: Any, common: _Common) -> None:
    snapshot = actions.add_parser(
        "snapshot",
        parents=[common.json, common.new, common.members],
        help="take snapshots of volumes, of one instant",
    )
    snapshot.add_argument("members", nargs="+", type=_word, metavar="MEMBER", help=_MEMBER)
    snapshot.add_argument(
        "--cow-percent",
        type=_cow_percent,
        default=bounds.COW_PERCENT.default,
        metavar="PERCENT",
        help="size of a thick snapshot's copy-on-write store (default: %(default)s)",
    )
    snapshot.set_defaults(function=_action("making.take"))


def _add_clone(actions: Any, common: _Common) -> None:
    clone = actions.add_parser(
        "clone",
        parents=[common.json, common.new, common.members],
        help="make new volumes from volumes, at one instant, or from a group snapshot",
        epilog=IDENTIFIERS,
    )
    clone.add_argument(
        "members",
        nargs="+",
        type=_word,
        metavar="MEMBER",
        help=f"{_MEMBER}; with --from just a VG of it",
    )
    clone.add_argument(
        "--from", dest="snapshot", type=_word, help="the group snapshot to make them from"
    )
    clone.set_defaults(function=_action("making.clone"))


def _add_list(actions: Any, common: _Common) -> None:
    listing = actions.add_parser(
        "list",
        parents=[common.json],
        help="list group snapshots and clones with age and space used",
    )
    _add_group(listing)
    listing.set_defaults(function=_action("keeping.list_all"))


def _add_show(actions: Any, common: _Common) -> None:
    show = actions.add_parser(
        "show", parents=[common.json], help="show a group snapshot or clone with its receipt"
    )
    _add_group(show)
    show.add_argument("name", type=_word, metavar="NAME")
    show.set_defaults(function=_action("keeping.show"))


def _add_delete(actions: Any, common: _Common) -> None:
    delete = actions.add_parser("delete", parents=[common.json], help="delete a group snapshot")
    _add_group(delete)
    delete.add_argument("name", type=_word, metavar="NAME")
    delete.set_defaults(function=_action("keeping.delete"))


def _add_verify(actions: Any, common: _Common) -> None:
    verify = actions.add_parser(
        "verify",
        parents=[common.json],
        help="check that a group snapshot is there, the very same, and whole",
        description="Checks that all members are there, that they are what was taken at the "
        "instant, that no store of a thick one overflowed, and that the pools are healthy and "
        "were not repaired since. The exit status is 0 only if all is right. It changes nothing.",
    )
    _add_group(verify)
    verify.add_argument("name", type=_word, metavar="NAME")
    verify.add_argument(
        "--deep",
        action="store_true",
        help="check the file systems, too, on copies that are thrown away; ext2 to ext4, XFS and "
        "btrfs, and of LUKS its header",
    )
    verify.set_defaults(function=_action("verifying.verify"))


def _add_selftest(actions: Any, common: _Common) -> None:
    testing = actions.add_parser(
        "selftest",
        parents=[common.json],
        help="try on this machine, with scratch volumes, that group snapshots are of one instant",
        description="Makes scratch volumes with a writer that goes round them, and takes group "
        "snapshots meanwhile, beside snapshots by lvcreate -s, one after another. Tells how many "
        "were torn, for how long I/O was held, and how long the writer's longest write took. The "
        "scratch volumes are removed at the end; after a kill, the next command does it. The exit "
        "status is 0 only if no group snapshot was torn.",
    )
    testing.add_argument(
        "volume_group", type=_group_name, metavar="VG", help="make the scratch volumes in it"
    )
    kind = testing.add_mutually_exclusive_group()
    kind.add_argument(
        "--pool",
        type=_word,
        help="test thin volumes in this pool (default: in the only one, if there is one)",
    )
    kind.add_argument("--thick", action="store_true", help="test thick volumes")
    testing.add_argument(
        "--members",
        type=_number(2, _MOST_MEMBERS),
        default=2,
        metavar="N",
        help="how many volumes (default: %(default)s)",
    )
    testing.add_argument(
        "--rounds",
        type=_number(1, _MOST_ROUNDS),
        default=10,
        metavar="N",
        help="how many snapshots of each kind (default: %(default)s)",
    )
    testing.set_defaults(function=_action("selftest.test"))


def _add_mount(actions: Any, common: _Common) -> None:
    mount = actions.add_parser(
        "mount",
        parents=[common.json],
        help="mount the file systems of a group snapshot, read-only, for a backup, say",
        description="Mounts the file systems of a group snapshot below a directory as they hung "
        "together when it was taken, read-only. What is mounted are copies that share all data "
        "with the snapshot, which stays as it is; umount throws them away.",
    )
    _add_group(mount)
    mount.add_argument("name", type=_word, metavar="NAME")
    mount.add_argument("directory", type=_word, metavar="DIR", help="an empty directory")
    mount.add_argument(
        "--key-file",
        type=_word,
        metavar="FILE",
        help="what opens LUKS (default: cryptsetup asks for a passphrase on the terminal)",
    )
    mount.set_defaults(function=_action("mounting.mount"))


def _add_umount(actions: Any, common: _Common) -> None:
    umount = actions.add_parser(
        "umount", parents=[common.json], help="undo what mount did at a directory"
    )
    umount.add_argument("directory", type=_word, metavar="DIR")
    umount.set_defaults(function=_action("mounting.umount"))


def _add_rollback(actions: Any, common: _Common) -> None:
    back = actions.add_parser(
        "rollback",
        parents=[common.json],
        help="make volumes again what they were in a group snapshot, all or none",
        epilog="No volume may be in use. What they are now is kept, as a group snapshot to which "
        "one can roll back again. Thin volumes are not copied; thick ones are, and their volume "
        "group needs as much free space as they are large. See docs/cg-lvm-rollback.md.",
    )
    _add_group(back)
    back.add_argument(
        "name", type=_word, metavar="NAME", help="the group snapshot; it stays as it is"
    )
    back.add_argument(
        "--keep-as",
        type=_word,
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
    back.set_defaults(function=_action("rollback.roll_back"))

    finish = actions.add_parser(
        "finish",
        parents=[common.json],
        help="put right what a crash left, and finish rollbacks that it cut short; the boot does, "
        "and so does the next command on their volume groups",
    )
    finish.add_argument(
        "--at-boot",
        action="store_true",
        help="carry out those that wait for the boot as well (cg-lvm-rollback.service)",
    )
    finish.set_defaults(function=_action("rollback.finish"))


def _add_run(actions: Any, common: _Common) -> None:
    run = actions.add_parser(
        "run",
        parents=[common.json],
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
        type=_word,
        metavar="PROFILE",
        help="NAME of /etc/cg-lvm/NAME.toml, or the path of such a file, with a / in it",
    )
    run.set_defaults(function=_action("profiles.running.run"))


def _add_group(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "volume_group",
        metavar="VG",
        nargs="?",
        type=_group_name,
        help="look in this volume group (default: in all)",
    )


def _word(text: str) -> str:
    """What must not be left empty, as it is by a script whose variable is not set."""
    if not text:
        raise argparse.ArgumentTypeError("it is empty")
    return text


def _group_name(text: str) -> str:
    """A name: LVM would take others for options of its own, tags, or a single volume."""
    if not places.is_name(text):
        raise argparse.ArgumentTypeError(f"{text!r} is no name of a volume group")
    return text


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
