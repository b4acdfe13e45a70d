# SPDX-License-Identifier: Apache-2.0
"""Group snapshots, clones, deletes and rollbacks, one after another, until the power goes."""

import itertools
import random
import sys
from collections.abc import Sequence

from cg_extension.cmd import lvm
from cg_extension.tests.lvm.base import run
from cg_extension.tests.power_cuts import journal as journals
from cg_extension.tests.power_cuts import machine

# Sets at a time; the disk has room for some more.
_MOST = 3
_COPY = "copy"


def cg_lvm(*words: str) -> bool:
    """``cg-lvm``, in this process: on slow machines its start takes longer than its work."""
    return lvm.main(words) == 0


def take(journal: journals.Journal, action: str, names: Sequence[str], words: list[str]) -> None:
    """Run a command of ``cg-lvm``, and have the journal tell of it."""
    print(f"at work: {action}", flush=True)
    journal.note("begin", action, *names)
    if not cg_lvm(action, *words):
        sys.exit(f"cg-lvm {action} {words} failed")
    journal.note("done", action, *names)


def remove(journal: journals.Journal, name: str) -> None:
    """Remove a group snapshot, or a clone as one removes volumes."""
    if journal.kinds[name] == journals.SNAPSHOT:
        take(journal, journals.DELETE, [name], [machine.GROUP, name])
        return
    journal.note("begin", journals.DELETE, name)
    run("lvremove", "-f", "-y", *(f"{machine.GROUP}/{v}.{name}" for v in machine.VOLUMES))
    journal.note("done", journals.DELETE, name)


def snapshot_or_clone(journal: journals.Journal, action: str, name: str) -> None:
    """A set of the volumes themselves, which are written to."""
    members = [f"{machine.GROUP}/{volume}" for volume in machine.VOLUMES]
    take(journal, action, [name], [*members, "--name", name])


def copy(journal: journals.Journal, source: str, name: str) -> None:
    """A clone of a group snapshot."""
    take(journal, journals.CLONE, [name], [machine.GROUP, "--from", source, "--name", name])


def roll_back(journal: journals.Journal, source: str, name: str) -> None:
    """Make the volumes, which nobody uses, what they were; the state before is called ``name``."""
    words = [machine.GROUP, source, "--keep-as", name]
    take(journal, journals.ROLLBACK, [name, source], words)


def act(journal: journals.Journal, chance: random.Random, action: str, name: str) -> None:
    """One action, on a set chosen by chance; one that is made is called ``name``."""
    match action:
        case journals.DELETE:
            remove(journal, chance.choice(removable(journal)))
        case journals.ROLLBACK:
            roll_back(journal, chance.choice(_snapshots(journal)), name)
        case _ if action == _COPY:
            copy(journal, chance.choice(_snapshots(journal)), name)
        case _:
            snapshot_or_clone(journal, action, name)


def choose(journal: journals.Journal, chance: random.Random) -> str:
    """What to do next: of five actions two or so are deletes, and one is a rollback."""
    if len(journal.there) >= _MOST:
        return journals.DELETE
    choices = [journals.SNAPSHOT, journals.SNAPSHOT, journals.CLONE]
    if _snapshots(journal):
        choices += [_COPY, *[journals.ROLLBACK] * 3]
    return chance.choice(choices)


def _snapshots(journal: journals.Journal) -> list[str]:
    return sorted(s for s in journal.there if journal.kinds[s] == journals.SNAPSHOT)


def removable(journal: journals.Journal) -> list[str]:
    """Sets that no thick snapshots were taken of, as they were of a state before a rollback."""
    needed = machine.origins()
    return [
        name
        for name in sorted(journal.there)
        if not needed.intersection(f"{volume}.{name}" for volume in machine.VOLUMES)
    ]


def work(journal: journals.Journal, seed: str) -> None:
    """Go on for ever; the seed chooses what is done, and makes names that were not used before."""
    chance = random.Random(seed)
    names = (f"{seed}-{number}" for number in itertools.count(1))
    while True:
        with machine.written_to():
            print("at work", flush=True)
            while (action := choose(journal, chance)) != journals.ROLLBACK:
                act(journal, chance, action, next(names))
            machine.wait_for_writes()  # else old volumes among new ones might not show
        act(journal, chance, action, next(names))
