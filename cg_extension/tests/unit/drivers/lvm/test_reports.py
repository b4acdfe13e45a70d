# SPDX-License-Identifier: Apache-2.0
"""What LVM and device-mapper say becomes records; a form that is not known is an error."""

from oslotest import base

from cg_extension.drivers.lvm import device_mapper, errors, reports

ROW = {
    "lv_name": "s",
    "lv_size": "37748736",
    "lv_tags": "cg_ext,cg=1",
    "segtype": "linear",
    "origin": "v",
    "origin_size": "33554432",
    "pool_lv": "",
    "thin_id": "",
    "lv_dm_path": "/dev/mapper/vg--a-s",
    "lv_kernel_major": "254",
    "lv_kernel_minor": "8",
    "vg_tags": "",
    "lv_layout": "linear",
    "lv_role": "public,snapshot,thicksnapshot",
    "lv_modules": "snapshot",
    **dict.fromkeys(reports.TRAITS.values(), "0"),
}


class ReportTest(base.BaseTestCase):
    def test_disks_in_what_lvms_shell_prints_are_all_told_or_none(self) -> None:
        made = '  Logical volume "a" created.\n'
        first, second = (
            f"  LVM2_PV_NAME='/dev/{name}' LVM2_VG_SEQNO='12'\n" for name in ("sda", "mapper/b c")
        )
        self.assertEqual((12, ["/dev/sda"]), reports.disks(made + first))
        self.assertEqual((12, ["/dev/sda", "/dev/mapper/b c"]), reports.disks(first + second))
        missing = first.replace("/dev/sda", "[unknown]")
        for output in ("", made, missing, second + missing, first.replace("'", ""), "LVM2_"):
            self.assertIsNone(reports.disks(output), output)
        self.assertIsNone(reports.disks(first + second.replace("12", "13")))

    def test_a_thick_snapshot_has_the_size_of_its_origin(self) -> None:
        volume = reports.volume(ROW)
        self.assertEqual((33554432, 37748736), (volume.size, volume.allocated))
        self.assertEqual(("254:8", "/dev/mapper/vg--a-s"), (volume.number, volume.path))
        self.assertEqual({"cg_ext", "cg=1"}, volume.tags)

    def test_a_thin_volume_has_its_own_size_not_that_of_its_external_origin(self) -> None:
        thin = {"lv_layout": "thin,sparse", "lv_role": "public,snapshot,thinsnapshot"}
        volume = reports.volume({**ROW, **thin, "pool_lv": "pool"})
        self.assertEqual((37748736, "v", "pool"), (volume.size, volume.origin, volume.pool))

    def test_a_cached_volume_is_neither_a_snapshot_nor_in_a_thin_pool(self) -> None:
        for kind in ("cache", "writecache"):
            names = {"origin": "[s_corig]", "pool_lv": "[fast_cvol]", "origin_size": ""}
            words = {"lv_layout": kind, "lv_role": "public"}
            volume = reports.volume({**ROW, **names, **words})
            self.assertEqual((None, None), (volume.origin, volume.pool))
            self.assertEqual({kind, "cachevol", "public"}, volume.traits)

    def test_a_hidden_volume_has_its_name_without_brackets(self) -> None:
        self.assertEqual("s_rimage_0", reports.volume({**ROW, "lv_name": "[s_rimage_0]"}).name)

    def test_yes_and_no_are_told_from_what_means_neither(self) -> None:
        self.assertIn("merging", reports.volume({**ROW, "lv_merging": "1"}).traits)
        for word in ("", "-1", "merging"):
            row = {**ROW, "lv_merging": word}
            self.assertIn(
                "lv_merging", str(self.assertRaises(errors.LVMError, reports.volume, row))
            )

    def test_an_inactive_volume_has_no_device_number(self) -> None:
        volume = reports.volume({**ROW, "lv_kernel_major": "-1", "lv_kernel_minor": "-1"})
        self.assertEqual((None, False), (volume.number, volume.active))

    def test_how_full_a_volume_is_is_told_where_that_was_asked_for_and_can_be_known(self) -> None:
        self.assertIsNone(reports.volume(ROW).data_percent)
        for reported, percent in (("", None), ("0.00", 0.0), ("12.34", 12.34)):
            row = {**ROW, "data_percent": reported}
            self.assertEqual(percent, reports.volume(row).data_percent)

    def test_a_form_that_is_not_known_names_field_and_value(self) -> None:
        for field, value in (
            ("lv_size", "36.00m"),
            ("lv_size", ""),
            ("lv_kernel_major", ""),
            ("lv_kernel_minor", "-1"),
            ("thin_id", "-1"),
            ("lv_dm_path", ""),
            ("segtype", ""),
            ("lv_snapshot_invalid", "invalid"),
            ("data_percent", "12,34"),
        ):
            error = self.assertRaises(reports.UnknownForm, reports.volume, {**ROW, field: value})
            self.assertIn(f"{field} as {value!r}", str(error))

    def test_a_field_that_is_missing_is_named(self) -> None:
        for field in ROW:
            row = {name: value for name, value in ROW.items() if name != field}
            self.assertIn(field, str(self.assertRaises(errors.LVMError, reports.volume, row)))

    def test_a_report_of_another_layout_is_an_error(self) -> None:
        for output in ("", "{}", '{"report": []}', '{"report": [{"vg": []}]}'):
            self.assertRaises(reports.UnknownForm, reports.rows, output, "lv")

    def test_a_disk_is_a_path_or_missing(self) -> None:
        self.assertEqual("/dev/sda", reports.device({"pv_name": "/dev/sda"}))
        self.assertIsNone(reports.device({"pv_name": "[unknown]"}))
        self.assertRaises(reports.UnknownForm, reports.device, {"pv_name": "sda"})

    def test_a_setting_is_read_from_its_line_alone(self) -> None:
        self.assertEqual("/run/lvm", reports.setting('locking_dir="/run/lvm"\n', "locking_dir"))
        for output in ("", "locking_dir=/run/lvm", 'WARNING\nlocking_dir="/run/lvm"'):
            self.assertRaises(reports.UnknownForm, reports.setting, output, "locking_dir")

    def test_whether_a_pool_zeroes_new_blocks_is_yes_or_no(self) -> None:
        row = {"lv_size": "1", "data_percent": "", "metadata_percent": "", "zero": "1"}
        self.assertTrue(reports.pool_usage(row).zeroes_new_blocks)
        self.assertFalse(reports.pool_usage({**row, "zero": "0"}).zeroes_new_blocks)
        for word in ("", "-1", "zero"):
            self.assertRaises(reports.UnknownForm, reports.pool_usage, {**row, "zero": word})


class StatusTest(base.BaseTestCase):
    def _pool(self, text: str) -> reports.PoolStatus:
        return reports.pool_status([device_mapper.Target(0, 8, "thin-pool", text)])

    def test_every_word_of_a_pools_status_is_known(self) -> None:
        good = "2 10/100 20/200 - rw no_discard_passdown queue_if_no_space - 64"
        self.assertEqual(
            reports.PoolStatus(metadata_used=10, metadata_total=100, data_used=20, data_total=200),
            self._pool(good),
        )
        for old, new, reason in (
            (" rw ", " ro ", "read-only"),
            (" rw ", " out_of_data_space ", "out of data space"),
            (" - 64", " needs_check 64", "needs a check"),
        ):
            self.assertIn(reason, self._pool(good.replace(old, new)).unfit)
        for old, new in (
            (" rw ", " rx "),
            (" - 64", " must_check 64"),
            ("no_discard", "some_discard"),
            ("queue_if", "weep_if"),
            (" - rw", " rw"),
            (" 64", " sixty-four"),
        ):
            self.assertRaises(reports.UnknownForm, self._pool, good.replace(old, new))

    def test_a_status_of_another_target_is_an_error(self) -> None:
        for targets in ([], [device_mapper.Target(0, 8, "error", "")]):
            self.assertRaises(reports.UnknownForm, reports.pool_status, targets)

    def test_a_snapshots_table_tells_the_size_of_its_chunks(self) -> None:
        for text in ("254:4 254:5 P 8", "254:4 254:5 PO 8 2 discard_zeroes_cow"):
            table = [device_mapper.Target(0, 8, "snapshot", text)]
            self.assertEqual((table[0], 8), reports.snapshot_table(table))
        for text in ("254:4 254:5 N 8", "254:4 254:5 P", "a b P 8"):
            table = [device_mapper.Target(0, 8, "snapshot", text)]
            self.assertRaises(reports.UnknownForm, reports.snapshot_table, table)
