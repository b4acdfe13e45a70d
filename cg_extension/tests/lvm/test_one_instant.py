# SPDX-License-Identifier: Apache-2.0
"""Group snapshots and clones under a live writer are of one instant, and keep every block."""

import hashlib
import os
import time

from cg_extension.drivers.lvm import engine, errors, sets
from cg_extension.tests.lvm import base, writer


class OneInstant:
    """The rules, for thin and for thick volumes."""

    thin: bool

    def _assert_never_torn(self, count: int, rounds: int) -> None:
        eng = self.use_engine(self.thin)
        names, devices = self.make_volumes(eng, count)
        with writer.Writer(devices):
            for turn in range(rounds):
                copies = self.copies(names, f"s{turn}-")
                time.sleep(0.05)
                eng.snapshot_group(copies)
                targets = [copy.target for copy in copies]
                self.assertEqual(0, writer.gap(self.readable(eng, targets)))
                eng.delete(targets)
        self.assert_sound(eng, names)

    def test_snapshots_of_two_volumes_are_never_torn(self) -> None:
        self._assert_never_torn(count=2, rounds=5)

    def test_snapshots_of_eight_volumes_are_never_torn(self) -> None:
        self._assert_never_torn(count=8, rounds=3)

    def test_one_after_another_they_would_be_torn(self) -> None:
        """The judge itself: what the engine does without the re-take is torn."""
        eng = self.use_engine(self.thin)
        names, devices = self.make_volumes(eng, 2)
        with writer.Writer(devices):
            for name in names:
                eng.snapshot_group(self.copies([name], "s-"))
            self.assertGreater(writer.gap(self.readable(eng, ["s-v0", "s-v1"])), 0)

    def test_clones_of_a_group_are_never_torn(self) -> None:
        eng = self.use_engine(self.thin)
        names, devices = self.make_volumes(eng, 2)
        with writer.Writer(devices):
            for turn in range(3):
                copies = self.copies(names, f"c{turn}-")
                eng.clone_group(copies)
                targets = [copy.target for copy in copies]
                self.assertEqual(0, writer.gap([eng.device_path(name) for name in targets]))
                eng.delete(targets)
        self.assert_sound(eng, names)

    def test_a_restored_group_has_every_block_of_the_instant(self) -> None:
        eng = self.use_engine(self.thin)
        names, devices = self.make_volumes(eng, 3)
        for device in devices:
            _fill(device, 10 * base.MIB)
        before = [_digest(device) for device in devices]
        eng.snapshot_group(self.copies(names, "s-"))
        for device in devices:
            _fill(device, 16 * base.MIB)
        restored = [
            engine.Copy(source=f"s-{name}", target=f"r-{name}", size=20 * base.MIB)
            for name in names
        ]
        eng.restore_group(restored)
        for name, digest in zip(names, before, strict=True):
            path = eng.device_path(f"r-{name}")
            self.assertEqual(digest, _digest(path, 16 * base.MIB))
            self.assertEqual(bytes(4 * base.MIB), _read(path, 16 * base.MIB, 4 * base.MIB))
        self.assert_sound(eng, [*names, *(f"{p}-{n}" for p in "rs" for n in names)])

    def test_a_new_volume_reads_as_zeros_where_others_were(self) -> None:
        eng = self.use_engine(self.thin, clear_size=None)
        _names, (device,) = self.make_volumes(eng, 1)
        _fill(device, 16 * base.MIB)
        eng.delete(["v0"])
        eng.create_volume("w", 16 * base.MIB)
        self.assertEqual(bytes(16 * base.MIB), _read(eng.device_path("w"), 0, 16 * base.MIB))

    def test_all_calls_can_be_repeated(self) -> None:
        eng = self.use_engine(self.thin)
        names, _devices = self.make_volumes(eng, 2)
        for _ in range(2):
            eng.create_volume("v0", 16 * base.MIB)
            eng.snapshot_group(self.copies(names, "s-"))
            eng.restore_group([engine.Copy(source="s-v0", target="r")])
            eng.clone_group(self.copies(names, "c-"))
        self.assert_sound(eng, ["v0", "v1", "s-v0", "s-v1", "r", "c-v0", "c-v1"])
        for _ in range(2):
            eng.delete(["c-v0", "c-v1", "r", "s-v0", "s-v1", "v0", "v1"])
        self.assert_sound(eng, [])

    def test_nothing_is_made_of_what_is_half_made(self) -> None:
        eng = self.use_engine(self.thin)
        names, _devices = self.make_volumes(eng, 1)
        eng.snapshot_group(self.copies(names, "s-"))
        (name,) = sets.names(eng.volumes()["s-v0"])
        eng.group.change_tags(add=[sets.mark(sets.GOING, name)])
        restore = [engine.Copy(source="s-v0", target="r")]
        self.assertIn(
            "half-made", str(self.assertRaises(errors.Refusal, eng.restore_group, restore))
        )

    def test_a_group_that_was_made_in_part_is_made_anew(self) -> None:
        eng = self.use_engine(self.thin)
        names, devices = self.make_volumes(eng, 2)
        eng.snapshot_group(self.copies(names[:1], "s-"))
        with writer.Writer(devices):
            time.sleep(0.1)
            eng.snapshot_group(self.copies(names, "s-"))
        self.assertEqual(0, writer.gap(self.readable(eng, ["s-v0", "s-v1"])))


class ThinTest(OneInstant, base.LVMTestCase):
    thin = True


class ThickTest(OneInstant, base.LVMTestCase):
    thin = False


def _fill(device: str, size: int) -> None:
    with open(device, "r+b") as file:
        file.write(os.urandom(size))
        os.fsync(file.fileno())


def _read(device: str, offset: int, size: int) -> bytes:
    with open(device, "rb") as file:
        file.seek(offset)
        return file.read(size)


def _digest(device: str, size: int = 16 * base.MIB) -> str:
    return hashlib.sha256(_read(device, 0, size)).hexdigest()
