# SPDX-License-Identifier: Apache-2.0
"""Over several volume groups, whatever cuts in: sets are complete in all or gone in all."""

import itertools
import random
from collections.abc import Callable, Iterable
from unittest import mock

from oslotest import base

from cg_extension.drivers.lvm import at_work, engine, errors, sets, together, transaction
from cg_extension.tests import long
from cg_extension.tests.unit.drivers.lvm import fake_lvm

# By volume group: the engine's pool, and the volume in it. The first by name decides.
PARTS = [("a", "pool"), ("a", None), ("b", "pool"), ("c", None)]
GROUPS = ["a", "b", "c"]
# More than any call has steps.
MANY = 200
# Of the places at which recovery is cut, how many are tried for each of the call's.
_SECOND_CUTS = 40 if long.WANTED else 1


class JointBase(base.BaseTestCase):
    """Engines of three volume groups, thin and thick."""

    loses_cache = False

    def _start(self) -> None:
        self.lvm = self.useFixture(fake_lvm.FakeLVM(thin=False, groups=GROUPS))
        for group in ("a", "b"):
            self.lvm.groups[group].volumes["pool"] = fake_lvm.Volume(set(), is_pool=True)
        self.engines = [
            engine.Engine(engine.Settings(volume_group=group, pool=pool)) for group, pool in PARTS
        ]
        for number, eng in enumerate(self.engines):
            eng.create_volume(f"v{number}", fake_lvm.MIB)
            self._volumes(eng)[f"v{number}"].content = "data"

    def _volumes(self, eng: engine.Engine) -> dict[str, fake_lvm.Volume]:
        return self.lvm.groups[eng.group.name].volumes

    def _parts(self, suffix: str, source: str = "") -> list:
        return [
            eng.part([engine.Copy(source=f"v{n}{source}", target=f"v{n}{suffix}")])
            for n, eng in enumerate(self.engines)
        ]

    def _snapshot(self) -> None:
        together.snapshot_group(self._parts(".s"))

    def _clone(self) -> None:
        together.clone_group(self._parts(".c"))

    def _restore(self) -> None:
        together.restore_group(self._parts(".c", ".s"))

    def _delete(self) -> None:
        wanted: dict[str, list[str]] = {}
        for number, eng in enumerate(self.engines):
            wanted.setdefault(eng.group.name, []).append(f"v{number}.s")
        by_group = {eng.group.name: eng for eng in self.engines}
        transaction.delete([(by_group[g].maker.removal, names) for g, names in wanted.items()])

    def _recover(self, groups: Iterable[str] = GROUPS) -> None:
        by_group = {eng.group.name: eng for eng in self.engines}
        for group in groups:
            by_group[group].wipe(by_group[group].recover())

    def _there(self, suffix: str) -> list[fake_lvm.Volume]:
        return [
            volume
            for eng, number in zip(self.engines, itertools.count())
            if (volume := self._volumes(eng).get(f"v{number}{suffix}"))
        ]

    def _is_cut(self, steps: int, kill: bool, call: Callable[[], object]) -> bool:
        loses = GROUPS[: steps % 4] if self.loses_cache else ()
        return self.lvm.is_cut(steps, kill, call, loses)

    def _recover_late(self, missing: str) -> None:
        """Put right twice what is there without a volume group, and twice what is with it."""
        self.lvm.missing = {missing}
        for _ in range(2):
            self._recover([name for name in GROUPS if name != missing])
        self.lvm.missing = set()
        for _ in range(2):
            self._recover()

    def _assert_settled(self, where: str) -> None:
        """Nothing is under way, and nothing is there of what was."""
        for name, group in self.lvm.groups.items():
            self.assertEqual(set(), group.tags, f"{name}: {where}")
            known = {f"v{n}" for n in range(len(PARTS))} | {"pool"}
            left = {v for v in group.volumes if v.partition(".")[0] not in known}
            self.assertEqual(set(), left, where)
        for suffix in (".s", ".c"):
            there = self._there(suffix)
            self.assertIn(len(there), (0, len(PARTS)), where)
            self.assertLessEqual(len({volume.content for volume in there}), 1, where)
            for volume in there:
                self.assertIn("data at instant", volume.content, where)


class CutTest(JointBase):
    """Every call is cut after each of its steps, and the recovery after some of its own."""

    def _assert_all_or_nothing(
        self, call: Callable[[], object], prepare: Callable[[], object] = lambda: None
    ) -> None:
        outcomes = set()
        chance = random.Random(1)
        for kill in (True, False):
            for steps in range(MANY):
                for more in [MANY, *(chance.randrange(30) for _ in range(_SECOND_CUTS))]:
                    self._start()
                    prepare()
                    cut = self._is_cut(steps, kill, call)
                    order = chance.sample(GROUPS, 3)
                    self._is_cut(more, kill, lambda: self._recover(order))  # noqa: B023
                    # The deciding one closes what the others have settled.
                    self._recover(order)
                    self._recover(order)
                    self._assert_settled(f"cut after {steps} and {more}, then {order}")
                    outcomes.add((len(self._there(".s")), len(self._there(".c"))))
                    call()
                    self._assert_settled("made anew")
                if not cut:
                    break
        self.assertEqual(2, len(outcomes), outcomes)

    def test_taking_snapshots(self) -> None:
        self._assert_all_or_nothing(self._snapshot)

    def test_cloning_volumes(self) -> None:
        self._assert_all_or_nothing(self._clone)

    def test_restoring_snapshots(self) -> None:
        self._assert_all_or_nothing(self._restore, self._snapshot)

    def test_deleting_a_set(self) -> None:
        self._assert_all_or_nothing(self._delete, self._snapshot)


class LosingCutTest(CutTest):
    """The same where some of the groups' disks lose what was not flushed."""

    loses_cache = True


class MissingTest(JointBase):
    """A volume group that is missing at recovery, and comes back."""

    def _assert_settled_late(
        self, call: Callable[[], object], prepare: Callable[[], object] = lambda: None
    ) -> None:
        for missing in GROUPS:
            for kill in (True, False):
                for steps in range(MANY):
                    self._start()
                    prepare()
                    cut = self._is_cut(steps, kill, call)
                    self._recover_late(missing)
                    self._assert_settled(f"{missing} missing after {steps}")
                    if not cut:
                        break

    def test_after_a_cut_while_it_was_made_it_is_whole_or_gone(self) -> None:
        self._assert_settled_late(self._snapshot)

    def test_after_a_cut_while_it_was_deleted_it_is_whole_or_gone(self) -> None:
        self._assert_settled_late(self._delete, self._snapshot)

    def test_what_became_complete_while_recovery_waited_for_commands_is_kept(self) -> None:
        self._start()
        self._snapshot()
        (name,) = sets.names(self.engines[2].volumes()["v2.s"])
        tags = self.lvm.groups["b"].tags
        tags.add(f"cg_ext.begun={name}:0-1-0:{fake_lvm.uuid_of('a')}")
        # The killed process had it taken off; then a recovery of the other removed its record.
        waits = [lambda: None, tags.clear]
        with mock.patch.object(at_work, "wait_for_all", lambda: waits.pop(0)()):
            self._recover(["b"])
        self.assertEqual([], waits)
        self._assert_settled("completed meanwhile")
        self.assertEqual(len(PARTS), len(self._there(".s")))

    def test_while_the_deciding_one_is_missing_nothing_is_made_of_the_rest(self) -> None:
        self._start()
        self._snapshot()
        (name,) = sets.names(self.engines[2].volumes()["v2.s"])
        mark = f"cg_ext.begun={name}:0-1-0:{fake_lvm.uuid_of('a')}"
        self.lvm.groups["b"].tags = {mark}
        self.lvm.missing = {"a"}
        self._recover(["b"])
        self.assertEqual({mark}, self.lvm.groups["b"].tags)
        copies = [engine.Copy(source="v2.s", target="v2.c")]
        self.assertRaises(errors.Refusal, self.engines[2].restore_group, copies)


class FailureTest(JointBase):
    """A command that fails in one of the groups."""

    def _fail(self, group: str, *words: str, late: bool = False) -> None:
        """Let the next such command fail; ``late``: although it has done its work."""
        real = self.lvm._run

        def run(command: list[str]) -> str | None:
            if group in command and all(word in " ".join(command) for word in words):
                self.lvm._run = real
                if late:
                    real(command)
                raise errors.LVMError("made to fail")
            return real(command)

        self.lvm._run = run

    def test_what_can_not_be_decided_goes_in_all_groups(self) -> None:
        failing = [("a", "made="), ("b", "begun="), ("c", "begun=")]
        for (group, word), late in itertools.product(failing, (False, True)):
            self._start()
            self._fail(group, "vgchange", word, late=late)
            self.assertRaises(errors.LVMError, self._snapshot)
            self._assert_settled(group)
            self.assertEqual([], self._there(".s"))

    def test_a_delete_of_what_is_in_use_is_refused_whole_or_finished_later(self) -> None:
        self._start()
        self._snapshot()
        for unseen in (False, True):
            self.lvm.in_use = {"v0.s"}
            if unseen:
                with self.lvm.unseen_use():
                    self.assertRaises(errors.LVMError, self._delete)
            else:
                self.assertRaises(errors.LVMError, self._delete)
            self.lvm.in_use = set()
            self.lvm.restart()
            self._recover()
            self._recover()
            self._assert_settled(f"unseen: {unseen}")
            # A thick one was wiped before LVM found the thin one in use.
            self.assertEqual(0 if unseen else len(PARTS), len(self._there(".s")))

    def test_a_delete_that_can_not_be_decided_changes_nothing(self) -> None:
        failing = [("a", "deleted="), ("b", "going="), ("c", "going=")]
        for (group, word), late in itertools.product(failing, (False, True)):
            self._start()
            self._snapshot()
            self._fail(group, "vgchange", "--addtag", word, late=late)
            self.assertRaises(errors.LVMError, self._delete)
            self._assert_settled(group)
            self.assertEqual(len(PARTS), len(self._there(".s")))

    def test_what_is_decided_stays_although_another_group_can_not_be_told(self) -> None:
        self._start()
        self._fail("b", "vgchange", "--deltag", "begun=")
        self._snapshot()
        self.lvm.restart()
        self._recover()
        self._assert_settled("told later")
        self.assertEqual(len(PARTS), len(self._there(".s")))
