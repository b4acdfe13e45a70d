# SPDX-License-Identifier: Apache-2.0
"""What a driver may give back, and that whatever else it gives is said to be wrong."""

import dataclasses
import datetime
import math
from typing import Any

from oslotest import base

from cg_extension.contract import records
from cg_extension.drivers import answers
from cg_extension.drivers import base as driver_base

STATS = driver_base.VolumeStats(
    volume_backend_name="one",
    vendor_name="test",
    driver_version="1",
    storage_protocol="test",
    total_capacity_gb=100,
    free_capacity_gb=-0.5,
    provisioned_capacity_gb=0.0,
    capabilities={"tier": "gold"},
    pool_usage={"data": driver_base.PoolUse(used_percent=1.0, limit_percent=90)},
)
RECEIPT = records.Receipt(instant=datetime.datetime(2026, 1, 2), held_seconds=0.5)
AWARE = datetime.datetime(2026, 1, 2, tzinfo=datetime.UTC)


class AnswersTest(base.BaseTestCase):
    def assertWrong(self, check: Any, *given: Any) -> None:
        error = self.assertRaises(TypeError, check, *given)
        self.assertIn("; it must be ", str(error))

    def test_an_update_is_a_mapping_with_a_short_text(self) -> None:
        for update in ({}, {"provider_location": None}, {"provider_location": "x" * 255}):
            self.assertEqual(update, answers.model_update(update))
        for update in (
            None,
            "here",
            [],
            *({"provider_location": x} for x in (1, "a\0", "x" * 256)),
        ):
            self.assertWrong(answers.model_update, update)

    def test_a_group_update_has_one_for_each_member(self) -> None:
        for update in (({}, [{}]), ({}, ({},), 0.0, None, RECEIPT), ({}, [{}], 0.1, 1)):
            self.assertEqual(driver_base.GroupUpdate(*update), answers.group_update(update, 1))
        for update in (None, {}, ({},), (None, None), ({}, []), ({}, [{}, {}]), ({}, [None])):
            self.assertWrong(answers.group_update, update, 1)

    def test_times_are_numbers_and_a_receipt_is_one(self) -> None:
        for held in (None, "0.1", -1, math.nan, math.inf):
            self.assertWrong(answers.group_update, ({}, [], held), 0)
        for receipt in (
            "2026-01-02",
            *(
                dataclasses.replace(RECEIPT, **wrong)
                for wrong in (
                    {"instant": "2026-01-02"},
                    {"instant": AWARE},
                    {"held_seconds": math.nan},
                    {"consistency": ""},
                    {"consistency": "x" * 256},
                )
            ),
        ):
            self.assertWrong(answers.group_update, ({}, [], 0.0, None, receipt), 0)

    def test_a_membership_update_has_one_for_each_volume(self) -> None:
        update = ({}, [{}], [])
        self.assertEqual(
            driver_base.MembershipUpdate(*update), answers.membership_update(update, 1, 0)
        )
        for update in (None, ({}, []), ({}, None, None), ({}, [], [{}])):
            self.assertWrong(answers.membership_update, update, 1, 0)

    def test_figures_are_finite_numbers(self) -> None:
        self.assertEqual(STATS, answers.volume_stats(STATS))
        for stats in (None, dataclasses.asdict(STATS)):
            self.assertWrong(answers.volume_stats, stats)
        for field, value in (
            ("total_capacity_gb", "infinite"),
            ("free_capacity_gb", math.inf),
            ("provisioned_capacity_gb", math.nan),
            ("reserved_percentage", None),
            ("volume_backend_name", None),
            ("thin_provisioning_support", "True"),
            ("capabilities", {"tier": {1}}),
            ("capabilities", None),
            ("pool_usage", {"data": 5}),
            ("pool_usage", {"data": driver_base.PoolUse(used_percent=math.nan, limit_percent=1)}),
        ):
            self.assertWrong(answers.volume_stats, dataclasses.replace(STATS, **{field: value}))

    def test_lost_snapshots_have_reasons(self) -> None:
        for reasons in ({}, {"id": "overflowed"}):
            self.assertEqual(reasons, answers.lost_snapshots(reasons))
        for reasons in (None, ["id"], {"id": None}):
            self.assertWrong(answers.lost_snapshots, reasons)

    def test_a_connection_has_a_type_and_data_for_json(self) -> None:
        connection = {"driver_volume_type": "local", "data": {"device_path": "/dev/x"}}
        self.assertEqual(connection, answers.connection(connection))
        for given in (None, {}, {**connection, "data": None}, {**connection, "data": {"a": b""}}):
            self.assertWrong(answers.connection, given)
