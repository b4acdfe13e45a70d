# SPDX-License-Identifier: Apache-2.0
"""Every release's reports, as tools/guest/record_reports.py recorded them, mean the same."""

import pathlib
from collections.abc import Iterator

from oslotest import base

from cg_extension.drivers.lvm import device_mapper, reports

RECORDED = pathlib.Path(__file__).parent / "reports"
MIB = 1 << 20


def _volumes(directory: pathlib.Path, state: str) -> dict[str, reports.LogicalVolume]:
    output = (directory / f"{state}.lvs.json").read_text()
    return {volume.name: volume for volume in map(reports.volume, reports.rows(output, "lv"))}


def _targets(file: pathlib.Path) -> dict[str, list[device_mapper.Target]]:
    """The targets of each device in what dmsetup prints."""
    found: dict[str, list[device_mapper.Target]] = {}
    for line in file.read_text().splitlines():
        name, colon, rest = line.partition(": ")
        if colon:
            start, length, kind, *parameters = rest.split()
            target = device_mapper.Target(int(start), int(length), kind, " ".join(parameters))
            found.setdefault(name, []).append(target)
    return found


class RecordedTest(base.BaseTestCase):
    def _each(self) -> Iterator[pathlib.Path]:
        releases = sorted(path for path in RECORDED.iterdir() if path.is_dir())
        self.assertGreaterEqual(len(releases), 2)
        for directory in releases:
            with self.subTest(directory.name):
                yield directory

    def test_every_report_is_read(self) -> None:
        for directory in self._each():
            for file in directory.glob("*.lvs.json"):
                for row in reports.rows(file.read_text(), "lv"):
                    reports.volume(row)
                    if row["segtype"] == "thin-pool":
                        reports.pool_usage(row)
            for file in directory.glob("*.vgs.json"):
                for row in reports.rows(file.read_text(), "vg"):
                    self.assertGreater(reports.group_usage(row).size, 0)
            version = (directory / "version").read_text()
            self.assertTrue(reports.version(version).startswith(directory.name))

    def test_thin_volumes(self) -> None:
        for directory in self._each():
            volumes = _volumes(directory, "thin")
            thin, snapshot, pool = volumes["thin"], volumes["copy"], volumes["pool"]
            self.assertEqual((True, False), (pool.is_pool, thin.is_pool))
            self.assertEqual(("pool", None, True), (thin.pool, thin.origin, thin.active))
            self.assertEqual(("pool", "thin"), (snapshot.pool, snapshot.origin))
            self.assertEqual((False, {"a=b", "c"}), (snapshot.active, snapshot.tags))
            self.assertEqual({"of-group"}, snapshot.group_tags)
            self.assertNotEqual(thin.thin_id, snapshot.thin_id)
            self.assertRegex(str(thin.number), r"^\d+:\d+$")
            for volume in _volumes(directory, "thin-inactive").values():
                self.assertIsNone(volume.number, volume.name)

    def test_thick_snapshots(self) -> None:
        for directory in self._each():
            for state, lost in (("thick", False), ("thick-overflowed", True)):
                volumes = _volumes(directory, state)
                snapshot, other = volumes["origin-snapshot"], volumes["other-snapshot"]
                self.assertEqual(("origin", None), (snapshot.origin, snapshot.pool))
                self.assertEqual((16 * MIB, 8 * MIB), (snapshot.size, snapshot.allocated))
                self.assertEqual((lost, False), (snapshot.invalid, other.invalid))
                for name in ("origin", "other", "plain"):
                    self.assertEqual((None, False), (volumes[name].origin, volumes[name].invalid))

    def test_what_cached_volumes_call_origin_and_pool_is_neither(self) -> None:
        for directory in self._each():
            for state in ("cache", "writecache"):
                for volume in _volumes(directory, state).values():
                    self.assertEqual((None, None), (volume.origin, volume.pool), volume.name)

    def test_the_states_of_a_pool(self) -> None:
        for directory in self._each():
            for state, unfit in (("thin", None), ("thin-full", "is out of data space")):
                targets = _targets(directory / f"{state}.status")["vg-pool-tpool"]
                status = reports.pool_status(targets)
                self.assertEqual(unfit, status.unfit)
                if not unfit:
                    self.assertGreater(status.metadata_total, status.metadata_used)

    def test_the_tables_of_snapshots(self) -> None:
        for directory in self._each():
            tables = _targets(directory / "thick.table")
            _target, chunk = reports.snapshot_table(tables["vg-other--snapshot"])
            self.assertEqual(8, chunk)

    def test_the_directory_of_locks(self) -> None:
        for directory in self._each():
            lines = (directory / "lvmconfig").read_text().splitlines(keepends=True)
            (line,) = [line for line in lines if "locking_dir=" in line]
            self.assertEqual("/run/lock/lvm", reports.setting(line, "locking_dir"))
