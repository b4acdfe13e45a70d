# SPDX-License-Identifier: Apache-2.0
"""What ``cg-lvm verify`` concludes from what LVM, the pool and the tools say."""

import pathlib
from collections.abc import Mapping, Sequence

import fixtures
from oslotest import base

from cg_extension.cmd.lvm import file_systems, mount_points, programs, text, verifying
from cg_extension.drivers.lvm import machine, reports
from cg_extension.tests.unit.drivers.lvm import reported

_POOLS = {"pool": verifying.Pool(None, created={1: 0, 7: 4, 8: 5})}


def _volume(**facts: object) -> reports.LogicalVolume:
    known: dict[str, object] = {
        "tags": frozenset(["cg_ext.of=uuid", "cg-lvm.source=data"]),
        "origin": "data",
        "pool": "pool",
        "thin_id": 7,
        "number": "252:1",
    }
    return reported.volume("data.one", **{**known, **facts})


class CompareTest(base.BaseTestCase):
    """What makes a volume wrong, and what does not."""

    def _compare(
        self,
        volume: reports.LogicalVolume,
        uuids: Mapping[str, str] | None = None,
        pools: Mapping[str, verifying.Pool] | None = None,
    ) -> verifying.Findings:
        return verifying.compare(volume, uuids or {"data": "uuid"}, pools or _POOLS)

    def test_what_is_as_it_was_is_right(self) -> None:
        self.assertEqual(verifying.Findings(), self._compare(_volume()))
        thick = _volume(pool=None, thin_id=None)
        self.assertEqual(verifying.Findings(), self._compare(thick))

    def test_a_source_may_be_renamed_or_removed(self) -> None:
        renamed = self._compare(_volume(origin="new"), {"new": "uuid"})
        self.assertEqual([], renamed.wrong)
        self.assertIn("called new now", renamed.notes[0])
        removed = self._compare(_volume(origin=None), {"other": "another"})
        self.assertEqual([], removed.wrong)
        self.assertIn("is gone", removed.notes[0])

    def test_a_snapshot_of_another_volume_is_not_the_one(self) -> None:
        found = self._compare(_volume(), {"data": "another"})
        self.assertIn("not of the volume that its receipt names", found.wrong[0])

    def test_what_an_earlier_version_made_has_no_receipt_and_may_be_right(self) -> None:
        found = self._compare(_volume(tags=frozenset()))
        self.assertEqual(([], 1), (found.wrong, len(found.notes)))

    def test_an_overflowed_or_inactive_thick_snapshot_is_wrong(self) -> None:
        for facts, said in (
            ({"invalid": True}, "overflowed"),
            ({"number": None}, "not active"),
            ({"origin": None}, "no snapshot any more"),
        ):
            volume = _volume(pool=None, thin_id=None, **facts)
            uuids = {} if "origin" in facts else {"data": "uuid"}
            found = verifying.compare(volume, uuids, {})
            self.assertIn(said, " ".join(found.wrong))

    def test_what_a_rollback_set_aside_is_no_snapshot_and_right(self) -> None:
        # After a second one it is also a snapshot of what the first was rolled back to.
        for facts in ({"origin": None}, {"origin": "data.zero"}, {"pool": None, "number": None}):
            found = self._compare(_volume(**facts), {"data.one": "uuid", "data.zero": "another"})
            self.assertEqual([], found.wrong)
            self.assertIn("set it aside", found.notes[0])

    def test_a_missing_disk_is_told(self) -> None:
        found = self._compare(_volume(traits=frozenset(["partial"])))
        self.assertIn("lacks a disk", found.wrong[0])

    def test_what_the_pool_says_counts(self) -> None:
        for pool, said in (
            (verifying.Pool("needs a check"), "its pool pool needs a check"),
            (verifying.Pool(None, created={8: 5}), "no volume with its id 7"),
            (verifying.Pool(None, ["pool_meta0"], {7: 4}), "was repaired since"),
        ):
            (wrong,) = self._compare(_volume(), pools={"pool": pool}).wrong
            self.assertIn(said, wrong)

    def test_a_repair_before_the_snapshot_counts_for_nothing(self) -> None:
        tags = frozenset(["cg_ext.of=uuid", "cg-lvm.source=data", "cg_ext.backup=pool_meta0"])
        pools = {"pool": verifying.Pool(None, ["pool_meta0"], {7: 4})}
        self.assertEqual([], self._compare(_volume(tags=tags), pools=pools).wrong)

    def test_volumes_of_one_instant_were_made_one_right_after_another(self) -> None:
        two = [_volume(thin_id=7), _volume(thin_id=8)]
        self.assertIsNone(verifying.not_at_once(two, {7: 5, 8: 4, 9: 6}))
        self.assertIn("at the instant", verifying.not_at_once(two, {7: 4, 8: 6}) or "")


class TextTest(base.BaseTestCase):
    """What is printed for people."""

    def test_the_verdict_comes_first_and_reasons_below_their_volumes(self) -> None:
        content = {"kind": "ext4", "state": "sound", "text": "e2fsck finds nothing wrong"}
        volumes = [
            {
                "volume_group": "vg",
                "volume": f"{name}.one",
                "ok": not wrong,
                "wrong": wrong,
                "notes": [],
                "content": None if wrong else content,
            }
            for name, wrong in (("a", []), ("b", ["its store overflowed"]))
        ]
        told = text.text(
            {"verified": "one", "ok": False, "deep": True, "wrong": [], "volumes": volumes}
        )
        self.assertEqual(
            [
                "group snapshot one: NOT RIGHT",
                "vg/a.one: right",
                "  ext4: e2fsck finds nothing wrong",
                "vg/b.one: WRONG",
                "  its store overflowed",
            ],
            told.splitlines(),
        )


class FakeTools(fixtures.Fixture):
    """Stands in for the system's programs: answers by the first word, and notes the calls."""

    def __init__(self, **answers: tuple[int, str]) -> None:
        self.answers = answers
        self.calls: list[Sequence[str]] = []

    def _setUp(self) -> None:
        self.useFixture(fixtures.MockPatchObject(programs, "result", self._result))

    def _result(self, command: Sequence[str], asks: bool = False) -> tuple[int, str]:
        self.calls.append(command)
        return self.answers.get(command[0], (0, ""))


class CheckTest(base.BaseTestCase):
    """What a check concludes from the exit statuses of the system's tools."""

    def _check(
        self, kind: str, device: str = "/dev/null", **answers: tuple[int, str]
    ) -> file_systems.Verdict:
        self.tools = self.useFixture(FakeTools(blkid=(0, f"TYPE={kind}\nUUID=u\n"), **answers))
        _content, verdict = file_systems.check(device)
        return verdict

    def _btrfs(self, devices: int) -> str:
        """A device with a btrfs on so many."""
        image = pathlib.Path(self.useFixture(fixtures.TempDir()).path, "device")
        image.write_bytes(bytes(0x10000 + 136) + devices.to_bytes(8, "little"))
        return str(image)

    def test_a_sound_one_is_replayed_first_and_then_checked_without_changes(self) -> None:
        self.assertEqual("sound", self._check("ext4").state)
        _blkid, mount, fsck = self.tools.calls
        self.assertEqual(["unshare", "--mount", "mount"], list(mount[:3]))
        self.assertEqual(["e2fsck", "-f", "-n", "/dev/null"], list(fsck))

    def test_damage_is_told_from_a_check_that_failed(self) -> None:
        for kind, answers, state in (
            ("ext4", {"e2fsck": (4, "Block bitmap differences")}, "damaged"),
            ("ext4", {"e2fsck": (12, "Block bitmap differences")}, "damaged"),
            ("ext4", {"e2fsck": (8, "can't be opened")}, "failed"),
            ("ext4", {"unshare": (32, "mount: wrong fs type, bad superblock")}, "damaged"),
            ("ext4", {"unshare": (32, "mount: unknown filesystem type 'ext4'")}, "failed"),
            ("ext4", {"unshare": (1, "unshare failed")}, "failed"),
            ("crypto_LUKS", {"cryptsetup": (1, "not a valid LUKS device")}, "damaged"),
            ("btrfs", {"btrfs": (1, "[1/7] checking root items\nERROR: errors found")}, "damaged"),
            ("btrfs", {"btrfs": (127, "error while loading shared libraries")}, "failed"),
        ):
            device = self._btrfs(1) if kind == "btrfs" else "/dev/null"
            verdict = self._check(kind, device, **answers)
            self.assertEqual(state, verdict.state, answers)
            self.assertNotIn("[1/7]", verdict.text)

    def test_a_btrfs_on_one_device_is_checked_as_it_is(self) -> None:
        device = self._btrfs(1)
        self.assertEqual("sound", self._check("btrfs", device).state)
        self.assertEqual(["btrfs", "check", "--readonly", device], list(self.tools.calls[-1]))
        verdict = self._check("btrfs", self._btrfs(2))
        self.assertEqual("unchecked", verdict.state)
        self.assertIn("a part of it is on another device", verdict.text)

    def test_what_is_not_checked_is_said_and_not_wrong(self) -> None:
        for kind, said in (
            ("crypto_LUKS", "its header can be read; what is in it is not checked"),
            ("swap", "nothing to check"),
            ("ntfs", "ntfs: not checked"),
        ):
            verdict = self._check(kind)
            self.assertEqual(("unchecked", True), (verdict.state, verdict.is_right))
            self.assertIn(said, verdict.text)

    def test_a_file_system_with_its_journal_elsewhere_is_not_mounted(self) -> None:
        verdict = self._check("ext4\nEXT_JOURNAL=v")
        self.assertIn("a part of it is on another device", verdict.text)
        self.assertEqual(1, len(self.tools.calls))

    def test_a_label_is_what_the_file_system_is_called(self) -> None:
        label, printed = "my d$ta\\q", "LABEL=my\\ d\\$ta\\\\q\nTYPE=ext4\n"  # of blkid 2.38
        self.useFixture(FakeTools(blkid=(0, printed)))
        content = file_systems.look("/dev/null")
        self.assertEqual((label, "ext4"), (content.label, content.kind))
        entries = machine.entries(["LABEL=my\\040d$ta\\134q /srv ext4 defaults 0 2\n"])
        self.assertEqual("/srv", mount_points.belongs_at(entries, "vg", "data", content))

    def test_nothing_known_is_said(self) -> None:
        self.useFixture(FakeTools(blkid=(2, "")))
        _content, verdict = file_systems.check("/dev/null")
        self.assertIn("no known kind", verdict.text)

    def test_a_tool_that_is_not_installed_is_named(self) -> None:
        self.useFixture(fixtures.EnvironmentVariable("PATH", "/nowhere"))
        self.useFixture(fixtures.MockPatchObject(programs, "_PATH", ()))
        _content, verdict = file_systems.check("/dev/null")
        self.assertEqual(("failed", "blkid is not installed"), (verdict.state, verdict.text))
