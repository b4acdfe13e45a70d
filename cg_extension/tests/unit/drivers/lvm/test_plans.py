# SPDX-License-Identifier: Apache-2.0
"""The re-take's plans: what is prepared, held and taken."""

from unittest import mock

from oslotest import base

from cg_extension.drivers.lvm import commands, device_mapper, errors, freeze, thick, thin
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
        plan = thin.plan(volumes, [("a", "sa"), ("b", "sb")], "pool", ["vg-a", "vg-b"], 2.0)
        self.assertEqual(
            [["message", "pool", "delete 11"], ["message", "pool", "delete 12"]], plan.prepare
        )
        self.assertEqual(
            [["message", "pool", "create_snap 11 1"], ["message", "pool", "create_snap 12 2"]],
            plan.take,
        )

    def test_a_pool_with_room_passes(self) -> None:
        thin.check_pool(
            _status("2 10/100 50/100 - rw discard_passdown error_if_no_space - 64"), "p", 95, 90
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
            ("2 91/100 50/100 - rw discard_passdown queue_if_no_space - 64", "metadata"),
            ("2 10/100 96/100 - rw discard_passdown queue_if_no_space - 64", "data"),
        ):
            refusal = self.assertRaises(errors.Refusal, thin.check_pool, _status(text), "p", 95, 90)
            self.assertIn(reason, str(refusal))


class ThickTest(base.BaseTestCase):
    def test_a_store_is_started_anew_and_its_table_waits_for_the_freeze(self) -> None:
        volumes = dict([test_preflight._volume("a", None), test_preflight._volume("s", None, "a")])
        table = [device_mapper.Target(0, 32768, "snapshot", "254:4 254:5 P 8")]
        plan = thick.plan(volumes, [("a", "s")], {"vg-s": table}, ["vg-a"], 2.0)
        self.assertEqual(
            [
                ["load", "vg-s", [[0, 32768, "error", ""]]],
                ["resume", "vg-s"],
                ["clear", "vg-s-cow", 4096],
                ["load", "vg-s", [[0, 32768, "snapshot", "254:4 254:5 P 8"]]],
            ],
            plan.prepare,
        )
        self.assertEqual([["resume", "vg-s"]], plan.take)

    def test_a_device_that_is_no_snapshot_is_not_touched(self) -> None:
        volumes = dict([test_preflight._volume("a", None), test_preflight._volume("s", None, "a")])
        table = [device_mapper.Target(0, 8, "linear", "254:4 0")]
        self.assertRaises(
            errors.LVMError, thick.plan, volumes, [("a", "s")], {"vg-s": table}, ["vg-a"], 2.0
        )


class WindowTest(base.BaseTestCase):
    """The order of ioctls in the freeze, with the kernel's part played by a list."""

    def _freeze(self, failing: int | None = None) -> tuple[freeze._Window, int, list[bytes]]:
        sent: list[bytes] = []

        def ioctl(_fd: int, number: int, content: bytes) -> bytes:
            sent.append(content[48:].split(b"\0")[0])
            if failing is not None and len(sent) == failing + 1:
                raise OSError(5, "made to fail")
            return content

        names = ["a", "b"]
        window = freeze._Window(
            -1,
            [device_mapper.suspend(name) for name in names],
            [device_mapper.message("pool", "create_snap 1 2")],
            [device_mapper.resume(name) for name in names],
        )
        with mock.patch.object(freeze.fcntl, "ioctl", ioctl):
            number = window.freeze()
        return window, number, sent

    def test_all_are_suspended_then_taken_then_resumed(self) -> None:
        window, number, sent = self._freeze()
        self.assertEqual((0, True), (number, window.all_resumed))
        self.assertEqual([b"a", b"b", b"pool", b"b", b"a"], sent)

    def test_a_failing_suspend_resumes_those_begun_and_takes_nothing(self) -> None:
        _window, number, sent = self._freeze(failing=0)
        self.assertEqual(5, number)
        self.assertEqual([b"a", b"a"], sent)

    def test_a_failing_take_resumes_all(self) -> None:
        window, number, sent = self._freeze(failing=2)
        self.assertEqual((5, True), (number, window.all_resumed))
        self.assertEqual([b"a", b"b", b"pool", b"b", b"a"], sent)

    def test_a_suspend_that_may_be_under_way_is_resumed_last(self) -> None:
        _window, _number, sent = self._freeze(failing=1)
        self.assertEqual([b"a", b"b", b"a", b"b"], sent)

    def test_a_failing_resume_keeps_no_other_from_it_and_is_told(self) -> None:
        window, _number, sent = self._freeze(failing=3)
        self.assertFalse(window.all_resumed)
        self.assertEqual(b"a", sent[-1])
