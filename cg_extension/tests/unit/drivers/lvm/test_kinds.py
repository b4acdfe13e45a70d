# SPDX-License-Identifier: Apache-2.0
"""Which kinds of volumes can be members, by reports of those that tests can't make for real.

Those that they can are in tests/lvm/test_special_volumes.py.
"""

import pathlib

from oslotest import base

from cg_extension.drivers.lvm import kinds, reports

# As LVM 2.03.16 reports a linear volume.
PLAIN = {
    "lv_name": "v",
    "lv_size": "33554432",
    "lv_tags": "",
    "segtype": "linear",
    "origin": "",
    "origin_size": "",
    "pool_lv": "",
    "thin_id": "",
    "lv_dm_path": "/dev/mapper/vg-v",
    "lv_kernel_major": "254",
    "lv_kernel_minor": "8",
    "vg_tags": "",
    "lv_layout": "linear",
    "lv_role": "public",
    "lv_modules": "",
    **dict.fromkeys(reports.TRAITS.values(), "0"),
}


REPORTS = pathlib.Path(__file__).parent / "reports"


def _obstacle(**fields: str) -> str:
    return kinds.obstacle(reports.volume({**PLAIN, **fields}).traits) or "none"


class KindsTest(base.BaseTestCase):
    def test_what_every_release_reports_of_a_kind_decides_alike(self) -> None:
        """Of the recorded reports, those with volumes of the kinds that are told apart."""
        decisions = {
            "cache": {"cached": "none", "pooled": "none"},
            "writecache": {"written": "none"},
            "raid": {"mirror": "none", "raid1": "none", "striped": "none"},
            "raid-partial": {"mirror": "lacks", "raid1": "lacks", "striped": "lacks"},
            "thick": {"origin": "none", "origin-snapshot": "thick snapshot"},
            "thick-merging": {"origin": "none", "other": "being merged"},
            "thin": {"thin": "none", "clone": "none", "pool": "is a pool", "pool_tdata": "part"},
            "thin-merging": {"thin": "none", "copy": "being merged"},
        }
        releases = sorted(REPORTS.iterdir())
        self.assertGreater(len(releases), 1)
        for release in releases:
            for state, expected in decisions.items():
                output = (release / f"{state}.lvs.json").read_text()
                rows = {row["lv_name"].strip("[]"): row for row in reports.rows(output, "lv")}
                for name, decision in expected.items():
                    self.assertIn(decision, _obstacle(**rows[name]), (release.name, state, name))

    def test_a_plain_volume_can_be_a_member(self) -> None:
        self.assertEqual("none", _obstacle())

    def test_raid_of_every_level_can_be_one(self) -> None:
        for layout in ("raid,raid1", "raid,raid5,raid5_ls", "raid,raid6,raid6_zr", "raid,raid10"):
            self.assertEqual("none", _obstacle(lv_layout=layout, lv_modules="raid"))

    def test_raid_with_integrity_is_refused(self) -> None:
        self.assertIn("integrity", _obstacle(lv_layout="raid,raid1", lv_modules="integrity,raid"))

    def test_a_vdo_volume_is_refused(self) -> None:
        self.assertIn(
            "VDO", _obstacle(lv_layout="vdo", segtype="vdo", pool_lv="vpool0", lv_modules="vdo")
        )

    def test_a_vdo_pool_is_refused(self) -> None:
        self.assertIn("is a pool", _obstacle(lv_layout="vdo,pool", lv_role="private"))

    def test_a_part_of_a_pool_is_no_pool(self) -> None:
        for role in ("private,thin,pool,data", "private,pool,spare", "private,raid,image"):
            self.assertIn("part of another volume", _obstacle(lv_role=role))

    def test_one_without_data_is_refused_by_either_name_of_it(self) -> None:
        for layout in ("unknown", "error", "zero"):
            self.assertIn("no data", _obstacle(lv_layout=layout, lv_modules=layout))

    def test_a_volume_of_a_shared_group_is_refused(self) -> None:
        self.assertIn("shared", _obstacle(vg_shared="1"))

    def test_a_removed_volume_is_refused(self) -> None:
        self.assertIn("was removed", _obstacle(lv_role="public,historical"))

    def test_one_that_is_being_converted_is_refused(self) -> None:
        self.assertIn("converted", _obstacle(lv_converting="1"))

    def test_one_of_a_kind_that_is_new_to_us_is_refused_and_the_kind_named(self) -> None:
        self.assertIn("never tried: holographic", _obstacle(lv_layout="holographic"))

    def test_what_stands_in_the_way_of_the_whole_group_comes_first(self) -> None:
        self.assertIn("lacks", _obstacle(lv_layout="thin,pool", lv_role="private", vg_partial="1"))

    def test_only_a_cache_volume_needs_arguments_of_its_own(self) -> None:
        self.assertEqual([], kinds.snapshot_arguments(frozenset(["cache", "public"])))
        self.assertEqual(
            ["--config", 'global/cache_check_executable=""'],
            kinds.snapshot_arguments(frozenset(["cache", "cachevol"])),
        )
