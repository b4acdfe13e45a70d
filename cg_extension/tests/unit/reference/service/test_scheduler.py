# SPDX-License-Identifier: Apache-2.0
"""Tests of reference.service.scheduler: the rules alone, and their effect on new groups."""

import datetime
from typing import Any

import sqlalchemy as sa
from oslotest import base as oslotest_base

from cg_extension.contract import exceptions, records
from cg_extension.reference.db import tables
from cg_extension.reference.service import scheduler
from cg_extension.tests.unit.reference.service import base


def _service(host: str, **values: Any) -> records.Service:
    stats = {**base.STATS, **values.pop("stats", {})}
    defaults: dict[str, Any] = {
        "binary": "cg-manager",
        "availability_zone": "nova",
        "is_up": True,
        "disabled": False,
        "frozen": False,
        "created_at": datetime.datetime(2026, 1, 1),
    }
    return records.Service(host=host, stats=stats, **{**defaults, **values})


class FrozenTest(base.ServiceTestCase):
    def test_a_frozen_backend_takes_none_of_the_calls_that_cinder_refuses(self) -> None:
        """Those with ``assert_not_frozen`` in Cinder 29's volume.api and group.api."""
        empty, group = self.group(), self.group()
        alone, with_snapshot = self.volume(), self.volume()
        self.volume(group)
        taken = self.cgsnapshot(group)
        snapshot = self.snapshot(with_snapshot)
        names: dict[str, Any] = {"name": None, "description": None}
        service = self.service
        calls = (
            lambda: service.delete_volume(self.member, alone.id),
            lambda: service.delete_volume(self.admin, alone.id, force=True),
            lambda: service.delete_snapshot(self.member, snapshot.id),
            lambda: service.create_snapshot(
                self.member, volume_id=alone.id, force=True, metadata=None, **names
            ),
            lambda: service.delete_group(self.member, empty.id),
            lambda: service.delete_group(self.member, group.id, force=True),
            lambda: service.create_cgsnapshot(self.member, group_id=group.id, **names),
            lambda: service.delete_cgsnapshot(self.member, taken.id),
            lambda: service.create_group_from_src(self.member, source_cgid=group.id, **names),
            lambda: service.create_group_from_src(self.member, cgsnapshot_id=taken.id, **names),
        )
        self._freeze(True)
        for call in calls:
            self.refused("frozen", exceptions.InvalidState, call)
        self.assertEqual([], self.operations())
        # Cinder takes these.
        service.update_group(self.member, empty.id, name="n", add_volumes=[alone.id])
        self.settle()
        service.update_group(self.member, empty.id, remove_volumes=[alone.id])
        with self.database.writer() as conn:
            conn.execute(sa.update(tables.volumes).values(consistencygroup_id=None))
        self.settle()
        self._freeze(False)
        service.delete_volume(self.member, alone.id)

    def test_another_backend_goes_on(self) -> None:
        volume = self.volume()
        self.report("host@two")
        self._freeze(True, "host@two")
        self.service.delete_volume(self.member, volume.id)

    def _freeze(self, frozen: bool, host: str = base.HOST) -> None:
        self.service.update_service(self.admin, host=host, binary="cg-manager", frozen=frozen)


class ChooseTest(oslotest_base.BaseTestCase):
    def test_the_one_with_most_room_is_chosen(self) -> None:
        services = [
            _service("h@a", stats={"free_capacity_gb": 10.0}),
            _service("h@b", stats={"free_capacity_gb": 30.0}),
            _service("h@c", stats={"free_capacity_gb": 20.0}),
        ]
        self.assertEqual("h@b", scheduler.choose(services, "nova", [{}]))

    def test_reserved_capacity_is_not_given_out(self) -> None:
        stats = {"total_capacity_gb": 100.0, "free_capacity_gb": 30.0, "reserved_percentage": 20}
        self.assertEqual(10.0, scheduler.free_gigabytes(stats))

    def test_a_thin_backend_may_promise_more_than_it_has(self) -> None:
        stats = {
            "total_capacity_gb": 100.0,
            "free_capacity_gb": 30.0,
            "provisioned_capacity_gb": 150.0,
            "max_over_subscription_ratio": 2.0,
            "thin_provisioning_support": True,
        }
        self.assertEqual(50.0, scheduler.free_gigabytes(stats))

    def test_one_without_room_for_the_volume_is_not_chosen(self) -> None:
        services = [_service("h@a", stats={"free_capacity_gb": 9.0})]
        self.assertEqual("h@a", scheduler.choose(services, "nova", [{}], size=9))
        self.assertRaises(
            exceptions.ServiceUnavailable, scheduler.choose, services, "nova", [{}], size=10
        )

    def test_one_that_is_down_disabled_or_frozen_gets_nothing_new(self) -> None:
        for state in ({"is_up": False}, {"disabled": True}, {"frozen": True}):
            services = [_service("h@a", **state)]
            self.assertRaises(
                exceptions.ServiceUnavailable, scheduler.choose, services, "nova", [{}]
            )
            services.append(_service("h@b", stats={"free_capacity_gb": 1.0}))
            self.assertEqual("h@b", scheduler.choose(services, "nova", [{}]))

    def test_all_types_must_be_satisfied_by_one_backend(self) -> None:
        services = [
            _service("h@a", stats={"volume_backend_name": "a"}),
            _service("h@b", stats={"volume_backend_name": "b"}),
        ]
        a, b = {"volume_backend_name": "a"}, {"volume_backend_name": "b"}
        self.assertEqual("h@b", scheduler.choose(services, "nova", [b, {}]))
        self.assertRaises(exceptions.InvalidInput, scheduler.choose, services, "nova", [a, b])

    def test_the_zone_counts(self) -> None:
        services = [_service("h@a"), _service("h@b", availability_zone="east")]
        self.assertEqual("h@b", scheduler.choose(services, "east", [{}]))


class SatisfiesTest(oslotest_base.BaseTestCase):
    def test_extra_specs_in_cinders_notation(self) -> None:
        stats = {"replication": True, "vendor": "acme one", "capabilities": {"color": "blue"}}
        for specs, expected in (
            ({}, True),
            ({"color": "blue"}, True),
            ({"capabilities:color": "blue"}, True),
            ({"color": "red"}, False),
            ({"shape": "round"}, False),
            ({"lvm:anything": "for the driver alone"}, True),
            ({"replication": "<is> True"}, True),
            ({"replication": "<is> False"}, False),
            ({"vendor": "<in> acme"}, True),
            ({"vendor": "<in> other"}, False),
            ({"color": "<or> red <or> blue"}, True),
            ({"color": "<or> red <or> green"}, False),
        ):
            self.assertIs(expected, scheduler.satisfies(stats, specs), specs)


class PlacementTest(base.ServiceTestCase):
    def test_a_backend_whose_heartbeat_is_too_old_is_down(self) -> None:
        with self.database.writer() as conn:
            old = datetime.datetime.now(datetime.UTC) - datetime.timedelta(seconds=3600)
            conn.execute(sa.update(tables.services).values(heartbeat_at=old.replace(tzinfo=None)))
        self.assertRaises(exceptions.ServiceUnavailable, self.group)
        (service,) = self.service.list_services(self.admin)
        self.assertFalse(service.is_up)
        self.report()
        self.assertEqual(base.HOST, self.group().host)

    def test_disabled_and_enabled_again(self) -> None:
        service = self.service.update_service(
            self.admin, host=base.HOST, binary="cg-manager", disabled=True, disabled_reason="r"
        )
        self.assertEqual((True, "r"), (service.disabled, service.disabled_reason))
        self.assertRaises(exceptions.ServiceUnavailable, self.volume)
        self.assertEqual([("nova", False)], self.service.list_availability_zones(self.admin))
        service = self.service.update_service(
            self.admin, host=base.HOST, binary="cg-manager", disabled=False
        )
        self.assertEqual((False, None), (service.disabled, service.disabled_reason))
        self.volume()
        self.assertRaises(
            exceptions.ServiceNotFound,
            self.service.update_service,
            self.admin,
            host="none@none",
            binary="cg-manager",
            disabled=True,
        )

    def test_a_group_goes_where_its_zone_and_its_types_are(self) -> None:
        self.report("h@east", zone="east", stats={**base.STATS, "volume_backend_name": "east"})
        self.service.create_type(
            self.admin,
            name="t",
            description=None,
            is_public=True,
            extra_specs={"volume_backend_name": "east"},
        )
        group = self.group(volume_types=["t"], availability_zone="east")
        self.assertEqual(("h@east", "east"), (group.host, group.availability_zone))
        self.assertRaises(exceptions.InvalidInput, self.group, volume_types=["t"])
        self.assertEqual(
            [("east", True), ("nova", True)], self.service.list_availability_zones(self.admin)
        )
