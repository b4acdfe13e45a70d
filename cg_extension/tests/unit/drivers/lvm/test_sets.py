# SPDX-License-Identifier: Apache-2.0
"""Whatever cuts in: at the next start sets are complete or gone, and every name is free."""

import os
from collections.abc import Callable, Iterator
from typing import Any
from unittest import mock

from oslotest import base

from cg_extension.drivers.lvm import contents, engine, errors, reports, sets
from cg_extension.tests.unit.drivers.lvm import fake_lvm, reported

NAMES = ["v0", "v1"]
SNAPSHOTS = [f"{name}.s" for name in NAMES]
COPIES = [f"{name}.c" for name in NAMES]
# More than any call has steps.
MANY = 100


def _copies(sources: list[str], targets: list[str], *tags: str) -> list[engine.Copy]:
    return [
        engine.Copy(source=source, target=target, tags=tags, size=2 * fake_lvm.MIB)
        for source, target in zip(sources, targets, strict=True)
    ]


class CutBase(base.BaseTestCase):
    """An engine on a fake LVM with two volumes."""

    # Whether the disks have caches of their own, that every cut empties, and every answer, too.
    loses_cache = False

    def _each_way(self) -> Iterator[tuple[bool, bool]]:
        for thin in (True, False):
            for kill in (True, False):
                with self.subTest(thin=thin, kill=kill):
                    yield thin, kill

    def _start(self, thin: bool, prepare: Callable[[engine.Engine], object]) -> engine.Engine:
        self.lvm = self.useFixture(fake_lvm.FakeLVM(thin))
        settings = engine.Settings(volume_group="vg", pool="pool" if thin else None)
        eng = engine.Engine(settings)
        for name in NAMES:
            eng.create_volume(name, fake_lvm.MIB)
            self.lvm.volumes[name].content = f"data of {name}"
        prepare(eng)
        return eng

    def _recover(self, eng: engine.Engine) -> None:
        eng.wipe(eng.recover())

    def _is_cut(self, steps: int, kill: bool, call: Callable[[], object]) -> bool:
        return self.lvm.is_cut(steps, kill, call, ["vg"] if self.loses_cache else [])


class CutTest(CutBase):
    """Every call is cut after each of its steps, and the recovery after each of its own."""

    def _assert_all_or_nothing(
        self,
        call: Callable[[engine.Engine], object],
        targets: list[str],
        prepare: Callable[[engine.Engine], object] = lambda eng: None,
    ) -> None:
        """The targets of a call, which makes or deletes them, are there or not, as one."""
        for thin, kill in self._each_way():
            outcomes = set()
            for steps in range(MANY):
                for more in range(MANY):
                    eng = self._start(thin, prepare)
                    at_first = set(self.lvm.volumes)
                    cut = self._is_cut(steps, kill, lambda: call(eng))  # noqa: B023
                    cut_again = self._is_cut(more, kill, lambda: self._recover(eng))  # noqa: B023
                    self._recover(eng)
                    where = f"cut after {steps} and {more}"
                    there = [name for name in targets if name in self.lvm.volumes]
                    self.assertIn(there, ([], targets), where)
                    if not cut:  # what was answered lasts
                        done = [] if set(targets) <= at_first else targets
                        self.assertEqual(done, there, where)
                    outcomes.add(bool(there))
                    self._assert_sound(targets, at_first, where)
                    call(eng)
                    self._assert_sound(targets, at_first, where)
                    if not cut_again:
                        break
                if not cut:
                    break
            self.assertGreater(steps, 3)
            if not kill:
                self.assertEqual({True, False}, outcomes)

    def _assert_sound(self, targets: list[str], at_first: set[str], where: str) -> None:
        volumes = self.lvm.volumes
        self.assertEqual(set(), self.lvm.tags, where)
        self.assertEqual(at_first - set(targets), set(volumes) - set(targets), where)
        for name in NAMES:
            if name in volumes:
                self.assertEqual(f"data of {name}", volumes[name].content, where)
        there = [volumes[name].content for name in targets if name in volumes]
        if there and there[0] != "zeros":
            self.assertEqual(1, len({content.partition(" at ")[2] for content in there}), where)
            for content, name in zip(there, NAMES, strict=True):
                self.assertTrue(content.startswith(f"data of {name}"), where)

    def test_taking_snapshots(self) -> None:
        copies = _copies(NAMES, SNAPSHOTS)
        self._assert_all_or_nothing(lambda eng: eng.snapshot_group(copies), SNAPSHOTS)

    def test_cloning_volumes(self) -> None:
        copies = _copies(NAMES, COPIES)
        self._assert_all_or_nothing(lambda eng: eng.clone_group(copies), COPIES)

    def test_restoring_snapshots(self) -> None:
        self._assert_all_or_nothing(
            lambda eng: eng.restore_group(_copies(SNAPSHOTS, COPIES)),
            COPIES,
            lambda eng: eng.snapshot_group(_copies(NAMES, SNAPSHOTS)),
        )

    def test_deleting_a_set(self) -> None:
        self._assert_all_or_nothing(
            lambda eng: eng.delete(SNAPSHOTS),
            SNAPSHOTS,
            lambda eng: eng.snapshot_group(_copies(NAMES, SNAPSHOTS)),
        )

    def test_deleting_parts_of_several_sets(self) -> None:
        def prepare(eng: engine.Engine) -> None:
            eng.snapshot_group(_copies(NAMES, SNAPSHOTS))
            eng.snapshot_group(_copies(NAMES, COPIES))

        chosen = [SNAPSHOTS[0], COPIES[1]]
        for thin, kill in self._each_way():
            for steps in range(MANY):
                eng = self._start(thin, prepare)
                rest = set(self.lvm.volumes) - set(chosen)
                cut = self._is_cut(steps, kill, lambda: eng.delete(chosen))  # noqa: B023
                self._recover(eng)
                self.assertIn(set(self.lvm.volumes) - rest, (set(), set(chosen)))
                self.assertEqual(rest, set(self.lvm.volumes) - set(chosen))
                self.assertEqual(set(), self.lvm.tags)
                if not cut:
                    break

    def test_making_a_volume(self) -> None:
        for thin, kill in self._each_way():
            for steps in range(MANY):
                eng = self._start(thin, lambda _eng: None)
                cut = self._is_cut(
                    steps,
                    kill,
                    lambda: eng.create_volume("new", fake_lvm.MIB),  # noqa: B023
                )
                self._recover(eng)
                self.assertEqual(set(), self.lvm.tags)
                eng.create_volume("new", fake_lvm.MIB)
                self.assertEqual("zeros", self.lvm.volumes["new"].content)
                if not cut:
                    break


class LosingCutTest(CutTest):
    """The same on disks that lose what was not flushed, also after the answer."""

    loses_cache = True


class SetsTest(CutBase):
    """What sets mean to the engine's calls."""

    def _taken(self, thin: bool, *tags: str) -> engine.Engine:
        return self._start(thin, lambda eng: eng.snapshot_group(_copies(NAMES, SNAPSHOTS, *tags)))

    def test_a_mark_of_an_earlier_version_on_one_takes_the_whole_set(self) -> None:
        for thin, _kill in self._each_way():
            for own_tags in (True, False):
                eng = self._taken(thin, "cg-lvm.snapshot=monday")
                for name in SNAPSHOTS:
                    if not own_tags:  # made by the earlier version, too
                        self.lvm.volumes[name].tags -= {
                            tag for tag in self.lvm.volumes[name].tags if ".set=" in tag
                        }
                self.lvm.volumes[SNAPSHOTS[1]].tags.add("cg_ext.unfinished=0-1-0")
                restore = _copies(SNAPSHOTS, COPIES)
                self.assertRaises(errors.Refusal, eng.restore_group, restore)
                self._recover(eng)
                self.assertEqual(set(), set(SNAPSHOTS) & set(self.lvm.volumes))
                self.assertEqual(set(), self.lvm.tags)
                eng.snapshot_group(_copies(NAMES, SNAPSHOTS))

    def test_the_work_of_a_living_process_is_left_alone(self) -> None:
        eng = self._taken(True)
        (name,) = sets.names(eng.volumes()[SNAPSHOTS[0]])
        for mark in (
            sets.mark(sets.GOING, name),
            f"cg_ext.going={name}",
            f"cg_ext.going={name}:x-y-z",
            f"cg_ext.gone={name}:0-1-0",
            f"cg_ext.made={name}:0-1-0",
            f"cg_ext.deleted={name}:0-1-0",
            f"cg_ext.begun={name}:0-1-0:a:form:to:come",
        ):
            self.lvm.tags = {mark}
            self._recover(eng)
            self.assertEqual({mark}, self.lvm.tags)
            self.assertLess(set(SNAPSHOTS), set(self.lvm.volumes))

    def test_nothing_is_made_of_a_set_that_is_going(self) -> None:
        eng = self._taken(True)
        (name,) = sets.names(eng.volumes()[SNAPSHOTS[0]])
        for mark in (sets.mark(sets.GOING, name), f"cg_ext.going={name}:0-1-0:a:form:to:come"):
            self.lvm.tags = {mark}
            self.assertRaises(errors.Refusal, eng.restore_group, _copies(SNAPSHOTS, COPIES))

    def test_a_delete_of_what_is_in_use_changes_nothing(self) -> None:
        for thin, _kill in self._each_way():
            eng = self._taken(thin)
            self.lvm.in_use = {SNAPSHOTS[1]}
            before = set(self.lvm.volumes)
            self.assertRaises(errors.LVMError, eng.delete, SNAPSHOTS)
            self.assertEqual((before, set()), (set(self.lvm.volumes), self.lvm.tags))
            self.lvm.in_use = set()
            eng.delete(SNAPSHOTS)
            self.assertEqual(set(), self.lvm.tags)

    def test_what_lvm_would_remove_along_keeps_a_volume_from_being_deleted(self) -> None:
        name = NAMES[0]
        for thin, pool, refused in (
            (False, None, True),  # a thick snapshot
            (False, "pool", True),  # a thin volume of an external origin
            (True, None, True),
            (True, "another", True),
            (True, "pool", False),
        ):
            eng = self._start(thin, lambda _eng: None)
            self.lvm.volumes["of-others"] = fake_lvm.Volume(set(), pool=pool, origin=name)
            if refused:
                refusal = self.assertRaises(errors.Refusal, eng.delete, [name])
                self.assertEqual(f"{name} has a snapshot: of-others", str(refusal))
                self.assertIn(name, self.lvm.volumes)
            else:
                eng.delete([name])
                self.assertNotIn(name, self.lvm.volumes)

    def test_a_new_volume_that_extents_make_larger_shows_nothing_of_before(self) -> None:
        eng = self._taken(False)
        self.lvm.extent = 4 * fake_lvm.MIB
        with mock.patch.object(contents, "clear") as clear:
            eng.create_volume("new", fake_lvm.MIB)
        self.assertEqual((0, 4 * fake_lvm.MIB), clear.call_args.args[1:3])

    def test_what_gets_the_name_of_one_that_is_being_deleted_is_not_that(self) -> None:
        """To wipe the others may take hours."""
        eng = self._taken(False)
        stranger = fake_lvm.Volume(set(), content="another's")
        real = contents.clear

        def clear(*arguments: Any) -> None:
            real(*arguments)
            self.lvm.volumes[SNAPSHOTS[0]] = self.lvm.volumes[SNAPSHOTS[1]] = stranger

        with mock.patch.object(contents, "clear", clear):
            self.assertRaises(errors.LVMError, eng.delete, SNAPSHOTS)
        self.lvm.restart()
        self._recover(eng)
        for name in SNAPSHOTS[:2]:
            self.assertEqual("another's", self.lvm.volumes[name].content)
        self.assertEqual(set(), self.lvm.tags)

    def test_what_gets_the_name_of_one_that_was_wiped_is_not_removed(self) -> None:
        eng = self._taken(False)
        stranger = fake_lvm.Volume(set(), content="another's")
        real = contents.clear

        def clear(path: str, *arguments: Any) -> None:
            real(path, *arguments)
            if path.endswith(SNAPSHOTS[-1]):
                self.lvm.volumes[SNAPSHOTS[0]] = stranger

        with mock.patch.object(contents, "clear", clear):
            eng.delete(SNAPSHOTS)
        self.assertEqual([SNAPSHOTS[0]], [n for n in SNAPSHOTS if n in self.lvm.volumes])

    def test_a_delete_that_fails_half_way_is_finished_later(self) -> None:
        for again in ("delete", "recover"):
            eng = self._taken(True)
            self.lvm.in_use = {SNAPSHOTS[1]}
            with self.lvm.unseen_use():
                self.assertRaises(errors.LVMError, eng.delete, SNAPSHOTS)
            self.lvm.in_use = set()
            self.assertTrue(sets.is_doomed(eng.volumes()[SNAPSHOTS[1]]))
            if again == "delete":
                eng.delete(SNAPSHOTS)
            else:
                self.lvm.restart()
                self._recover(eng)
            self.assertEqual(set(), set(SNAPSHOTS) & set(self.lvm.volumes))
            self.assertEqual(set(), self.lvm.tags)

    def test_a_mark_that_can_not_be_taken_off_does_not_fail_a_delete(self) -> None:
        eng = self._taken(True)
        with self.lvm.failing("--deltag"):
            eng.delete(SNAPSHOTS)
        self.assertEqual(1, len(self.lvm.tags))
        eng.delete(SNAPSHOTS)
        self.assertEqual(set(), self.lvm.tags)

    def test_what_can_not_be_finished_goes(self) -> None:
        eng = self._start(True, lambda _eng: None)
        with self.lvm.failing("--deltag"):
            copies = _copies(NAMES, SNAPSHOTS)
            self.assertRaises(errors.LVMError, eng.snapshot_group, copies)
        self.assertEqual(set(), set(SNAPSHOTS) & set(self.lvm.volumes))

    def test_one_of_an_earlier_version_that_is_in_use_goes_later(self) -> None:
        for thin, _kill in self._each_way():
            eng = self._taken(thin, "cg-lvm.snapshot=monday")
            self.lvm.volumes[SNAPSHOTS[0]].tags.add("cg_ext.unfinished=0-1-0")
            self.lvm.in_use = {SNAPSHOTS[1]}
            self._recover(eng)
            self.assertTrue(sets.is_doomed(eng.volumes()[SNAPSHOTS[1]]))
            self.lvm.in_use = set()
            self.lvm.restart()
            self._recover(eng)
            self.assertEqual(set(), set(SNAPSHOTS) & set(self.lvm.volumes))
            self.assertEqual(set(), self.lvm.tags)

    def test_temporary_snapshots_that_can_not_be_removed_go_before_the_next_delete(self) -> None:
        eng = self._start(False, lambda _eng: None)
        with self.lvm.failing("lvremove"):
            eng.clone_group(_copies(NAMES, COPIES))
        self.assertEqual(2, len([name for name in self.lvm.volumes if name.startswith("cgtmp-")]))
        eng.delete(NAMES)
        self.assertEqual(set(COPIES), set(self.lvm.volumes))
        self.assertEqual(set(), self.lvm.tags)

    def test_names_of_its_own_leave_room_for_a_long_one_of_the_volume_group(self) -> None:
        group = "v" * 90
        lvm = self.useFixture(fake_lvm.FakeLVM(False, [group]))
        eng = engine.Engine(engine.Settings(volume_group=group, pool=None))
        for name in NAMES:
            eng.create_volume(name, fake_lvm.MIB)
        for steps in range(MANY):
            eng.clone_group(_copies(NAMES, COPIES))
            if not lvm.is_cut(steps, True, lambda: eng.delete(COPIES)):
                break
            self._recover(eng)
        self.assertGreater(steps, 3)

    def test_what_lvm_goes_on_making_for_a_killed_helper_goes_as_well(self) -> None:
        eng = self._start(True, lambda _eng: None)
        self.lvm.helper_dies = True
        self.assertRaises(OSError, eng.snapshot_group, _copies(NAMES, SNAPSHOTS))
        self.lvm._wait_for_all()
        self.assertEqual({"pool", *NAMES}, set(self.lvm.volumes))
        self.assertEqual(set(), self.lvm.tags)

    def test_a_mark_of_a_group_without_volumes_is_taken_off(self) -> None:
        self._start(False, lambda eng: eng.delete(NAMES))
        self.lvm.tags = {"cg_ext.begun=abc:0-1-0"}
        eng = engine.Engine(engine.Settings(volume_group="vg"))
        self.assertEqual([], eng.recover())
        self.assertEqual(set(), self.lvm.tags)

    def test_with_nothing_to_put_right_recovery_is_one_process(self) -> None:
        eng = self._taken(True)
        self.lvm.processes = 0
        eng.recover()
        self.assertEqual(1, self.lvm.processes)

    def test_what_is_in_use_keeps_no_one_from_recovery(self) -> None:
        for thin, _kill in self._each_way():
            eng = self._taken(thin)
            (name,) = sets.names(eng.volumes()[SNAPSHOTS[0]])
            self.lvm.tags = {sets.mark(sets.GOING, name)}
            self.lvm.in_use = {SNAPSHOTS[1]}
            self.lvm.restart()
            self._recover(eng)
            left = set(SNAPSHOTS) & set(self.lvm.volumes)
            self.assertEqual({SNAPSHOTS[1]}, left)
            self.lvm.in_use = set()
            self._recover(eng)
            self.assertEqual(set(), set(SNAPSHOTS) & set(self.lvm.volumes))
            self.assertEqual(set(), self.lvm.tags)

    def test_the_number_of_processes_does_not_depend_on_the_number_of_volumes(self) -> None:
        counts = []
        for number in (1, 2):
            eng = self._start(True, lambda _eng: None)
            self.lvm.processes = 0
            eng.snapshot_group(_copies(NAMES[:number], SNAPSHOTS[:number]))
            taken, self.lvm.processes = self.lvm.processes, 0
            eng.delete(SNAPSHOTS[:number])
            counts.append((taken, self.lvm.processes))
        # Beside two reports of the re-take, which is not run here. One goes at once in any case.
        self.assertEqual([(5, 3), (5, 5)], counts)

    def test_the_capacity_of_a_pool_needs_a_listing_that_of_a_volume_group_does_not(self) -> None:
        for thin, processes in ((False, 1), (True, 2)):
            eng = self._start(thin, lambda _eng: None)
            self.lvm.processes = 0
            capacity = eng.capacity()
            self.assertEqual(processes, self.lvm.processes)
            self.assertEqual(thin, capacity.thin)
            if thin:
                self.assertEqual(len(NAMES) * fake_lvm.MIB, capacity.provisioned)


class ProcessTest(base.BaseTestCase):
    """Who is at work is told from who is gone."""

    def _orphaned(self, process: str) -> bool:
        return bool(sets.orphaned([f"cg_ext.begun=abc:{process}"]))

    def test_a_living_process_is_not_gone(self) -> None:
        self.assertEqual([], sets.orphaned([sets.mark(sets.BEGUN, "abc")]))

    def test_a_process_of_another_boot_or_start_is_gone(self) -> None:
        boot, pid, start = sets.process(os.getpid()).split("-")
        for process in (f"{boot}-4194999-{start}", f"{boot}-{pid}-1", f"00000000-{pid}-{start}"):
            self.assertTrue(self._orphaned(process), process)

    def test_what_others_tagged_alike_names_no_process(self) -> None:
        for process in ("", "x-y-z", "1-2-3-4"):
            self.assertFalse(self._orphaned(process), process)
        self.assertEqual([], sets.orphaned(["cg_ext.begun=", "cg_ext.begun=0-1-0", "begun"]))

    def test_the_set_of_volumes_is_the_one_that_has_no_others(self) -> None:
        def volume(name: str, *names: str) -> reports.LogicalVolume:
            return reported.volume(name, tags=frozenset(map(sets.member_tag, names)))

        a, b, c = volume("a", "one", "two"), volume("b", "one"), volume("c", "two", "three")
        for wanted, found in (([a, b], {"one"}), ([a, c], {"two"}), ([c], {"three"}), ([a], set())):
            self.assertEqual(found, sets.common(wanted, [a, b, c]))
