# SPDX-License-Identifier: Apache-2.0
"""The re-take's plans: what is prepared, held and taken."""

import marshal
import pathlib
import subprocess
import sys
import time
from unittest import mock

import fixtures
from oslotest import base

from cg_extension.drivers.lvm import (
    commands,
    device_mapper,
    errors,
    freeze,
    freeze_plan,
    retake,
    thick,
    thin,
)
from cg_extension.tests.unit.drivers.lvm import test_preflight


def _status(text: str) -> mock.Mock:
    control = mock.Mock(spec=device_mapper.Control)
    control.status.return_value = [device_mapper.Target(0, 8, "thin-pool", text)]
    return control


class ThinTest(base.BaseTestCase):
    def test_ids_are_deleted_before_and_made_again_within_the_freeze(self) -> None:
        volumes = {
            name: mock.Mock(spec=commands.LogicalVolume, thin_id=number)
            for name, number in (("a", 1), ("b", 2), ("sa", 11), ("sb", 12))
        }
        plan = thin.steps(volumes, [("a", "sa"), ("b", "sb")], "pool")
        self.assertEqual(
            [["message", "pool", "delete 11"], ["message", "pool", "delete 12"]], plan.prepare
        )
        self.assertEqual(
            [["message", "pool", "create_snap 11 1"], ["message", "pool", "create_snap 12 2"]],
            plan.take,
        )

    def test_a_pool_with_room_passes(self) -> None:
        thin.check_pool(
            _status("2 10/100 50/100 - rw discard_passdown error_if_no_space - 64"),
            "v",
            "p",
            95,
            90,
        )

    def test_an_unfit_pool_is_refused_with_the_reason(self) -> None:
        for text, reason in (
            ("2 10/100 50/100 - ro no_discard_passdown queue_if_no_space - 64", "read-only"),
            (
                "2 10/100 100/100 - out_of_data_space discard_passdown error_if_no_space - 64",
                "data space",
            ),
            ("2 10/100 50/100 - rw discard_passdown queue_if_no_space needs_check 64", "check"),
            ("Fail", "failed"),
            ("Error", "state"),
            ("2 91/100 50/100 - rw discard_passdown queue_if_no_space - 64", "metadata"),
            ("2 10/100 96/100 - rw discard_passdown queue_if_no_space - 64", "data"),
        ):
            refusal = self.assertRaises(
                errors.Refusal, thin.check_pool, _status(text), "v-g", "p-1", 95, 90
            )
            self.assertIn(reason, str(refusal))
            self.assertIn("thin pool v-g/p-1 ", str(refusal))


class ThickTest(base.BaseTestCase):
    def test_a_store_is_started_anew_and_its_table_waits_for_the_freeze(self) -> None:
        volumes = dict([test_preflight._volume("a", None), test_preflight._volume("s", None, "a")])
        table = [device_mapper.Target(0, 32768, "snapshot", "254:4 254:5 P 8")]
        plan = thick.steps(volumes, [("a", "s")], {"vg-s": table}, "zero")
        self.assertEqual(
            [
                ["load", "vg-s", [[0, 32768, "zero", ""]]],
                ["resume", "vg-s"],
                ["suspend", "vg-s"],
                ["clear", "vg-s-cow", 4096],
                ["load", "vg-s", [[0, 32768, "snapshot", "254:4 254:5 P 8"]]],
            ],
            plan.prepare,
        )
        self.assertEqual([["resume", "vg-s"]], plan.take)

    def test_nobody_reads_from_a_snapshot_without_its_table(self) -> None:
        """It is suspended next, and runs again with its table only."""
        volumes = dict([test_preflight._volume("a", None), test_preflight._volume("s", None, "a")])
        table = [device_mapper.Target(0, 32768, "snapshot", "254:4 254:5 P 8")]
        plan = thick.steps(volumes, [("a", "s")], {"vg-s": table}, "zero")
        steps = [step[0] for step in (*plan.prepare, *plan.take) if step[1] == "vg-s"]
        self.assertEqual(["load", "resume", "suspend", "load", "resume"], steps)

    def test_a_device_that_is_no_snapshot_is_not_touched(self) -> None:
        volumes = dict([test_preflight._volume("a", None), test_preflight._volume("s", None, "a")])
        table = [device_mapper.Target(0, 8, "linear", "254:4 0")]
        self.assertRaises(
            errors.LVMError,
            thick.steps,
            volumes,
            [("a", "s")],
            {"vg-s": table},
            "zero",
        )


class FreezeTest(base.BaseTestCase):
    """The freeze's program, with the kernel's part played by a list."""

    def setUp(self) -> None:
        super().setUp()
        self.sent: list[str] = []
        self.numbers: list[int] = []
        self.suspended: set[str] = set()
        self.failing: dict[int, int] = {}
        self.let_go_by_others: str | None = None
        self.useFixture(fixtures.MockPatchObject(freeze.fcntl, "ioctl", self._ioctl))

    def _ioctl(self, _fd: int, number: int, content: bytes) -> bytes:
        name = content[48:].split(b"\0")[0].decode()
        self.sent.append(name)
        self.numbers.append(number)
        if (error := self.failing.get(len(self.sent) - 1)) is not None:
            raise OSError(error, "made to fail")
        held = self.suspended
        flags = 0
        if number == device_mapper.DEV_SUSPEND:
            suspend = content[28] & device_mapper.FLAG_SUSPEND
            if not suspend and name in held:
                flags = 1 << 13  # DM_UEVENT_GENERATED_FLAG
            if suspend:
                held.add(name)
            else:
                held.discard(name)
        elif number == device_mapper.TARGET_MSG:
            held.discard(str(self.let_go_by_others))
        return content[:28] + flags.to_bytes(4, sys.byteorder) + content[32:]

    def _freeze(self, **failing: int) -> freeze._Window:
        self.failing = {int(at.removeprefix("at_")): number for at, number in failing.items()}
        plan = freeze_plan.Plan([], ["a", "b"], [["message", "pool", "create_snap 1 2"]], 2.0)
        told = marshal.loads(plan.encoded())
        window = freeze._Window(-1, *(told[key] for key in ("suspend", "take", "resume")))
        window.freeze()
        return window

    def test_all_are_suspended_then_taken_then_resumed(self) -> None:
        window = self._freeze()
        self.assertEqual(("", True, set()), (window.failure, window.all_resumed, self.suspended))
        self.assertEqual(["a", "b", "pool", "b", "a"], self.sent)

    def test_a_failing_suspend_resumes_those_begun_and_takes_nothing(self) -> None:
        self.assertEqual("suspend a: made to fail", self._freeze(at_0=5).failure)
        self.assertEqual(["a", "a"], self.sent)

    def test_a_failing_take_resumes_all(self) -> None:
        window = self._freeze(at_2=5)
        self.assertEqual("message pool: made to fail", window.failure)
        self.assertTrue(window.all_resumed)
        self.assertEqual(["a", "b", "pool", "b", "a"], self.sent)

    def test_a_device_that_someone_else_let_go_fails_it(self) -> None:
        self.let_go_by_others = "a"
        self.assertEqual(
            "resume a: it had been resumed by someone else meanwhile", self._freeze().failure
        )

    def test_a_suspend_that_may_be_under_way_is_resumed_last(self) -> None:
        self._freeze(at_1=5)
        self.assertEqual(["a", "b", "a", "b"], self.sent)

    def test_a_failing_resume_keeps_no_other_from_it_and_is_told(self) -> None:
        window = self._freeze(at_3=5)
        self.assertFalse(window.all_resumed)
        self.assertEqual("a", self.sent[-1])

    def test_all_of_it_is_rehearsed_before_without_a_change(self) -> None:
        self._carry_out()
        rehearsal = self.numbers[: len(self.numbers) // 2]
        self.assertEqual({device_mapper.DEV_STATUS}, set(rehearsal))
        self.assertEqual(self.sent[: len(rehearsal)], self.sent[len(rehearsal) :])

    def _carry_out(self, **failing: int) -> str:
        """The answer of freezer and watchdog, which share this list as it is when they part."""
        self.failing = {int(at.removeprefix("at_")): number for at, number in failing.items()}
        plan = freeze_plan.Plan([], ["a", "b"], [["message", "pool", "create_snap 1 2"]], 2.0)
        with (
            mock.patch.object(freeze.os, "open", return_value=-1),
            mock.patch.object(freeze, "_protect_from_waiting"),
            mock.patch.object(freeze, "_run_before_others"),
            mock.patch.object(freeze, "_run_among_others"),
        ):
            return freeze._carry_out(**marshal.loads(plan.encoded()))

    def test_it_tells_for_how_long_it_held(self) -> None:
        before = time.monotonic()
        word, seconds, since = self._carry_out().split()
        self.assertEqual("held", word)
        self.assertGreater(float(seconds), 0)
        self.assertTrue(before < float(since) < time.monotonic() - float(seconds))

    def test_a_device_that_could_not_be_resumed_is_no_success(self) -> None:
        rehearsed = 5
        self.assertIn("error not all", self._carry_out(**{f"at_{rehearsed + 3}": 5}))

    def test_what_could_not_be_prepared_is_told_and_nothing_held(self) -> None:
        plan = freeze_plan.Plan([["message", "pool", "delete 3"]], ["a"], [], 2.0)
        self.failing = {0: 61}
        with (
            mock.patch.object(freeze.os, "open", return_value=-1),
            mock.patch.object(freeze, "_protect_from_waiting"),
        ):
            answer = freeze._carry_out(**marshal.loads(plan.encoded()))
        self.assertEqual("error message pool: made to fail", answer)
        self.assertEqual(["pool"], self.sent)

    def test_it_loads_little_and_nothing_from_where_it_is_started(self) -> None:
        directory = pathlib.Path(self.useFixture(fixtures.TempDir()).path)
        (directory / "ctypes.py").write_text("raise SystemExit('shadowed')")
        done = subprocess.run(
            [*retake.PROGRAM[:1], "-X", "importtime", *retake.PROGRAM[1:]],
            cwd=directory,
            env={"PYTHONPATH": str(directory)},
            input=retake.program_input(b""),
            stderr=subprocess.PIPE,
            check=False,
        )
        names = [line.rpartition("|")[2].strip() for line in done.stderr.decode().splitlines()]
        # Its last import. What comes then is there to tell that it got no plan.
        loaded = set(names[: names.index("select")])
        self.assertIn("ctypes", loaded)
        heavy = {"signal", "site", "json", "dataclasses", "typing", "contextlib", "cg_extension"}
        self.assertEqual(set(), heavy & loaded)
