# SPDX-License-Identifier: Apache-2.0
"""Whatever cuts a rollback: its volumes are all old or all new, once the next command has run."""

import itertools
import random
from collections.abc import Callable, Sequence
from unittest import mock

from cg_extension.drivers.lvm import engine, errors, exchange, making, rollback, sets
from cg_extension.tests import long
from cg_extension.tests.unit.drivers.lvm import fake_lvm, test_transaction

GROUPS = test_transaction.GROUPS
MANY = test_transaction.MANY
NAMES = [f"v{number}" for number in range(len(test_transaction.PARTS))]
# Of the places at which recovery is cut, how many are tried for each of the call's.
_SECOND_CUTS = 20 if long.WANTED else 1
# Rather more than recovery has steps: it is not always cut.
_RECOVERED = 50


class RollbackBase(test_transaction.JointBase):
    """Four volumes in three volume groups, changed since there are snapshots ``.s`` of them."""

    def _start(self) -> None:
        super()._start()
        self._snapshot()
        for name in NAMES:
            self._volume(name).content = "changed"
        for name in GROUPS:
            self.lvm._flush([f"/dev/{name}"])

    def _volume(self, name: str) -> fake_lvm.Volume | None:
        return next(
            (group.volumes[name] for group in self.lvm.groups.values() if name in group.volumes),
            None,
        )

    def _parts_of(self, names: Sequence[str] = NAMES, keep: str = "k") -> list[making.Part]:
        return [
            eng.part(
                [
                    engine.Copy(
                        source=f"{name}.s",
                        target=f"{name}.new",
                        tags=exchange.tags(
                            name,
                            f"{name}.{keep}" if self._volume(name) else None,
                            True,
                            gets=[f"line={name}"],
                            old_gets=["cg_ext", f"kept={keep}"],
                            old_loses=["gone"],
                        ),
                    )
                ]
            )
            for name, eng in zip(NAMES, self.engines, strict=True)
            if name in names
        ]

    def _roll_back(self) -> None:
        rollback.roll_back(self._parts_of())

    def _boot(self) -> None:
        """Activate all that comes up by itself."""
        for group in self.lvm.groups.values():
            for volume in group.volumes.values():
                volume.active = volume.active or not volume.skips_activation

    def _became(self, where: str) -> str:
        """``old`` or ``new``, if that is what all of them are, with nothing left under way."""
        self._assert_settled(where)
        volumes = [self._volume(name) for name in NAMES]
        self.assertNotIn(None, volumes, where)
        self.assertEqual({True}, {v.active for v in volumes if v}, where)
        contents = {v.content for v in volumes if v}
        self.assertEqual(1, len(contents), f"mixed: {contents}, {where}")
        kept = [self._volume(f"{name}.k") for name in NAMES]
        if contents == {"changed"}:
            self.assertEqual({None}, set(kept), where)
            return "old"
        self.assertIn("data at instant", contents.pop(), where)
        for volume in kept:
            self.assertEqual("changed", volume and volume.content, where)
            self.assertLessEqual({"cg_ext", "kept=k"}, volume.tags, where)
            self.assertFalse(volume.active, where)
        for name in NAMES:
            ours = {t for t in self._volume(name).tags if not t.startswith("cg_ext.set=")}
            self.assertEqual({"cg_ext", f"line={name}"}, ours, where)
        return "new"


class CutTest(RollbackBase):
    """A rollback is cut after each of its steps, and the recovery after some of its own."""

    def test_it_is_of_all_volumes_or_of_none(self) -> None:
        outcomes = set()
        chance = random.Random(1)
        for kill in (True, False):
            for cut_at in range(MANY):
                for more in (chance.randrange(_RECOVERED) for _ in range(_SECOND_CUTS)):
                    self._start()
                    cut = self._is_cut(cut_at, kill, self._roll_back)
                    if not kill and cut:  # the power failed: all that comes up by itself is up
                        self._boot()
                    order = chance.sample(GROUPS, 3)
                    self._is_cut(more, kill, lambda: self._recover(order))  # noqa: B023
                    self._recover(order)
                    self._recover(order)
                    where = f"cut after {cut_at} and {more}, then {order}"
                    outcome = self._became(where)
                    outcomes.add(outcome)
                    if not cut:
                        self.assertEqual("new", outcome, where)
                    # The snapshots can be used again, whatever came of it.
                    rollback.roll_back(self._parts_of(keep="again"))
                    self.assertEqual(
                        1, len({v.content for n in NAMES if (v := self._volume(n))}), where
                    )
                if not cut:
                    break
        self.assertEqual({"old", "new"}, outcomes)

    def test_what_the_boot_activates_meanwhile_is_set_aside_inactive(self) -> None:
        """All that comes up by itself does so after any of the commands that finish it."""
        real = fake_lvm.FakeLVM._run
        for number in range(MANY):
            self._start()
            with mock.patch.object(exchange, "finish", side_effect=errors.LVMError("cut")):
                self.assertRaises(rollback.Unfinished, self._roll_back)
            self.lvm.restart()
            count = itertools.count()

            def run(lvm: fake_lvm.FakeLVM, words: list[str]) -> str | None:
                output = real(lvm, words)
                if words[0] not in ("lvs", "vgs") and next(count) == number:  # noqa: B023
                    self._boot()
                return output

            with mock.patch.object(fake_lvm.FakeLVM, "_run", run):
                self._recover()
            self.assertEqual("new", self._became(f"activated after command {number}"))
            if next(count) <= number:
                break


class LosingCutTest(CutTest):
    """The same where some of the groups' disks lose what was not flushed."""

    loses_cache = True


class MissingTest(RollbackBase):
    def test_it_is_finished_when_a_missing_volume_group_is_back(self) -> None:
        for missing, cut_at in itertools.product(GROUPS, range(MANY)):
            self._start()
            cut = self._is_cut(cut_at, True, self._roll_back)
            self._recover_late(missing)
            self._became(f"{missing} missing after {cut_at}")
            if not cut and missing == GROUPS[-1]:
                break


class FailureTest(RollbackBase):
    """What can't be is refused, or undone, and named."""

    def _refusal(self, parts: Sequence[making.Part] | None = None) -> str:
        before = {name: dict(group.volumes) for name, group in self.lvm.groups.items()}
        refusal = self.assertRaises(errors.Refusal, rollback.roll_back, parts or self._parts_of())
        after = {name: dict(group.volumes) for name, group in self.lvm.groups.items()}
        self.assertEqual(before, after)
        self.assertEqual("old", self._became("refused"))
        return str(refusal)

    def test_volumes_in_use_are_refused(self) -> None:
        self._start()
        self.lvm.in_use = {"v2"}
        self.assertIn("b/v2 is in use", self._refusal())

    def test_a_thick_volume_with_a_snapshot_in_use_is_refused(self) -> None:
        self._start()
        self.lvm.in_use = {"v3.s"}
        self.assertIn("c/v3.s, a snapshot of c/v3, is in use", self._refusal())

    def test_who_opens_a_volume_meanwhile_keeps_all_as_they_are(self) -> None:
        self._start()
        self.lvm.in_use = {"v2"}
        with self.lvm.unseen_use():
            self.assertRaises(errors.LVMError, self._roll_back)
        self.lvm.in_use = set()
        self.assertEqual("old", self._became("opened meanwhile"))

    def test_thick_volumes_without_room_for_copies_are_refused_with_the_numbers(self) -> None:
        self._start()
        self.lvm.free = fake_lvm.MIB // 2
        self.assertIn("volume group a has 0 MiB free", self._refusal())

    def test_a_pool_without_room_is_refused(self) -> None:
        self._start()

        def check(group: str, pool: str, *_limits: float) -> None:
            if (group, pool) == ("b", "pool"):
                raise errors.Refusal("the thin pool is read-only")

        with mock.patch.object(rollback, "_check_pool", check):
            self.assertIn("the thin pool is read-only", self._refusal())

    def test_a_lost_snapshot_is_refused(self) -> None:
        self._start()
        self._volume("v3.s").invalid = True
        self.assertIn("store of v3.s overflowed", self._refusal())

    def test_a_name_for_the_state_before_that_is_there_is_refused(self) -> None:
        self._start()
        self.engines[1].create_volume("v0.k", fake_lvm.MIB)
        refusal = self.assertRaises(errors.Refusal, self._roll_back)
        self.assertIn("there already: v0.k in a", str(refusal))

    def test_volumes_that_are_not_plain_are_refused_if_thick(self) -> None:
        self._start()
        self._volume("v1").layout = "raid,raid1"
        self.assertIn("a/v1 is not a plain thick volume (raid, raid1)", self._refusal())

    def test_a_volume_that_was_removed_is_made_again(self) -> None:
        self._start()
        del self.lvm.groups["b"].volumes["v2"]
        self._roll_back()
        self.assertIn("data at instant", self._volume("v2").content)
        self.assertIsNone(self._volume("v2.k"))

    def test_what_was_made_in_the_place_of_a_removed_volume_is_not_touched(self) -> None:
        self._start()
        del self.lvm.groups["b"].volumes["v2"]
        parts = self._parts_of()
        with self._after_the_decision(lambda: self.engines[2].create_volume("v2", fake_lvm.MIB)):
            error = self.assertRaises(rollback.Unfinished, rollback.roll_back, parts)
        self.assertIn("b/v2 has appeared", str(error))
        self.lvm.groups["b"].volumes["other"] = self.lvm.groups["b"].volumes.pop("v2")
        self.lvm.restart()
        self._recover()
        self.assertIn("data at instant", self._volume("v2").content)

    def _after_the_decision(self, change: Callable[[], object]) -> mock.Mock:
        real = exchange.finish

        def finish(*arguments: object) -> None:
            change()
            real(*arguments)

        return mock.patch.object(exchange, "finish", finish)

    def test_a_command_that_fails_leaves_all_old_or_is_gone_on_with(self) -> None:
        """Each command of LVM fails once, with and without having done its work."""
        real = fake_lvm.FakeLVM._run
        outcomes = set()
        for number, late in itertools.product(range(MANY), (False, True)):
            self._start()
            count = itertools.count()

            def run(lvm: fake_lvm.FakeLVM, words: list[str]) -> str | None:
                # What can't be activated is rolled back all the same, and told.
                harmless = words[0] in ("lvs", "vgs") or "--activate y" in " ".join(words)
                fails = not harmless and next(count) == number  # noqa: B023
                if fails and not late:  # noqa: B023
                    raise errors.LVMError("made to fail")
                output = real(lvm, words)
                if fails:
                    raise errors.LVMError("made to fail")
                return output

            with mock.patch.object(fake_lvm.FakeLVM, "_run", run):
                try:
                    self._roll_back()
                except errors.LVMError:
                    failed = True
                else:
                    failed = False
            self.lvm.restart()
            self._recover()
            self._recover()
            where = f"command {number} failed, late: {late}"
            outcomes.add((failed, self._became(where)))
            if next(count) <= number:
                break
        self.assertLessEqual({(True, "old"), (True, "new"), (False, "new")}, outcomes)


class TagsTest(RollbackBase):
    def test_a_volume_tells_in_whose_place_it_stands(self) -> None:
        once = exchange.line_tags("one", ["x"])
        self.assertEqual({"one", "two"}, exchange.line("two", once))
        twice = exchange.line_tags("two", [*once, "cg_ext.set=s"])
        self.assertEqual({"one", "two", "three"}, exchange.line("three", twice))

    def test_the_work_of_a_living_process_is_left_alone(self) -> None:
        self._start()
        mark = sets.mark(sets.BACK, "s")
        self.lvm.groups["a"].tags = {mark}
        self._recover()
        self.assertEqual({mark}, self.lvm.groups["a"].tags)
        self.lvm.restart()
        self._recover()
        self.assertEqual(set(), self.lvm.groups["a"].tags)

    def test_what_waits_for_the_boot_counts_no_more_once_it_is_done(self) -> None:
        self._start()
        self.lvm.groups["a"].tags.add(exchange.wanted_tag("s", "k"))
        self._roll_back()
        self.assertEqual("new", self._became("wanted"))
