# SPDX-License-Identifier: Apache-2.0
"""Group snapshots, clones and deletes under writers, one after another, until the power goes."""

import itertools
import random
import sys

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


def take(journal: journals.Journal, action: str, name: str, words: list[str]) -> None:
    """Run a command of ``cg-lvm``, and have the journal tell of it."""
    journal.note("begin", action, name)
    if not cg_lvm(action, *words):
        sys.exit(f"cg-lvm {action} {words} failed")
    journal.note("done", action, name)


def remove(journal: journals.Journal, name: str) -> None:
    """Remove a group snapshot, or a clone as one removes volumes."""
    if journal.kinds[name] == journals.SNAPSHOT:
        take(journal, journals.DELETE, name, [machine.GROUP, name])
        return
    journal.note("begin", journals.DELETE, name)
    run("lvremove", "-f", "-y", *(f"{machine.GROUP}/{v}.{name}" for v in machine.VOLUMES))
    journal.note("done", journals.DELETE, name)


def snapshot_or_clone(journal: journals.Journal, action: str, name: str) -> None:
    """A set of the volumes themselves, which are written to."""
    members = [f"{machine.GROUP}/{volume}" for volume in machine.VOLUMES]
    take(journal, action, name, [*members, "--name", name])


def copy(journal: journals.Journal, source: str, name: str) -> None:
    """A clone of a group snapshot."""
    take(journal, journals.CLONE, name, [machine.GROUP, "--from", source, "--name", name])


def act(journal: journals.Journal, chance: random.Random, name: str) -> None:
    """One action, chosen by chance; a set that is made is called ``name``."""
    snapshots = [s for s in journal.there if journal.kinds[s] == journals.SNAPSHOT]
    choices = [journals.SNAPSHOT, journals.SNAPSHOT, journals.CLONE]
    choices += [_COPY] * bool(snapshots)
    if len(journal.there) >= _MOST:
        choices = [journals.DELETE]
    match chance.choice(choices):
        case journals.DELETE:
            remove(journal, chance.choice(sorted(journal.there)))
        case action if action == _COPY:
            copy(journal, chance.choice(sorted(snapshots)), name)
        case action:
            snapshot_or_clone(journal, action, name)


def work(journal: journals.Journal, seed: str) -> None:
    """Go on for ever; the seed chooses what is done, and makes names that were not used before."""
    chance = random.Random(seed)
    with machine.written_to():
        print("at work", flush=True)
        for number in itertools.count(1):
            act(journal, chance, f"{seed}-{number}")
