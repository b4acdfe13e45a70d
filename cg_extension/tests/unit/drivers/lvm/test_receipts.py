# SPDX-License-Identifier: Apache-2.0
"""What was written into tags is read from them, and nothing else."""

import datetime

from oslotest import base

from cg_extension.contract import records
from cg_extension.drivers.lvm import receipts, retake, thin

INSTANT = datetime.datetime(2026, 11, 27, 2, 34, 36, 961880, datetime.UTC)


class ReceiptTest(base.BaseTestCase):
    def test_what_was_written_is_read(self) -> None:
        tags = receipts.tags(retake.Taken(INSTANT, 0.0012))
        self.assertIn("cg_ext.instant=2026-11-27T02:34:36.961880Z", tags)
        self.assertRegex("".join(tags), r"^[A-Za-z0-9_+.\-/=!:&#]*$")  # what LVM takes
        receipt = receipts.read([*tags, receipts.source_tag("uuid"), "a=b", "c"])
        self.assertEqual(receipts.Receipt(INSTANT, 0.0012, "uuid"), receipt)

    def test_the_backups_of_a_pools_metadata_that_were_there_are_read(self) -> None:
        volumes = ["pool", "pool_meta0", "pool_meta12", "pool_metadata", "my_pool_meta0", "v"]
        there = thin.metadata_backups(volumes, "pool")
        self.assertEqual(["pool_meta0", "pool_meta12"], there)
        self.assertEqual([], thin.metadata_backups(volumes, None))
        receipt = receipts.read(["a=b", *receipts.backup_tags(there)])
        self.assertEqual(set(there), receipt.backups)

    def test_other_text_is_no_receipt(self) -> None:
        for tags in (
            [],
            ["cg_ext.instant=monday", "cg_ext.held=0.1"],
            ["cg_ext.instant=2026-11-27T02:34:36", "cg_ext.held=0.1"],
        ):
            self.assertIsNone(receipts.read(tags).instant, tags)

    def test_a_clone_gets_those_tags_alone(self) -> None:
        tags = ["cg_ext", "cg_ext.set=x", "cg_ext.instant=i", "cg_ext.of=u", "cg_ext.held=1"]
        self.assertEqual(
            ["cg_ext.held=1", "cg_ext.instant=i", "cg_ext.of=u"], receipts.of_tags(tags)
        )

    def test_a_service_is_told_in_utc_without_a_zone(self) -> None:
        told = receipts.told(receipts.Receipt(INSTANT, 0.0012, None))
        self.assertEqual(
            records.Receipt(instant=INSTANT.replace(tzinfo=None), held_seconds=0.0012), told
        )

    def test_a_service_is_told_nothing_that_is_no_time(self) -> None:
        for held in ("nan", "inf", "-1"):
            found = receipts.read(
                [*receipts.tags(retake.Taken(INSTANT, 0))[:1], f"cg_ext.held={held}"]
            )
            self.assertIsNone(receipts.told(found), held)
        self.assertIsNone(receipts.told(receipts.read(["cg_ext.held=0.1"])))
