# SPDX-License-Identifier: Apache-2.0
"""Requests that race for one group: whoever was accepted gets it done, nothing stays behind."""

import collections
from collections.abc import Callable, Sequence

import requests

from cg_extension.tests import http_client, races, waiting
from cg_extension.tests.functional import base

TYPE = "__DEFAULT__"
RACERS = 8

Call = Callable[[], requests.Response]


class RacesTest(base.FunctionalTest):
    def setUp(self) -> None:
        super().setUp()
        config = {"DEFAULT": {f"quota_{name}": -1 for name in ("groups", "volumes", "snapshots")}}
        self.client = self.useFixture(base.Standalone(config)).client()

    def _race(self, calls: Sequence[Call]) -> list[requests.Response]:
        """Make the calls at once; their answers in the same order, each of them an answer."""
        answers = races.at_once(*calls)
        for answer in answers:
            self.assertIsInstance(answer, requests.Response)
            self.assertIn(answer.status_code, (202, 400, 404, 413), answer.text)
        return answers

    def _group(self, volumes: int = 0) -> str:
        values = {"volume_types": TYPE}
        group = self.client.create("/consistencygroups", {"consistencygroup": values})
        if volumes:
            self.client.put(
                f"/consistencygroups/{group}",
                {"consistencygroup": {"add_volumes": ",".join(self._volumes(volumes))}},
            )
            self.client.wait(f"/consistencygroups/{group}")
        return group

    def _volumes(self, count: int) -> list[str]:
        return [
            self.client.create("/volumes", {"volume": {"size": 1, "volume_type": TYPE}})
            for _ in range(count)
        ]

    def _delete(self, group: str) -> Call:
        body = {"consistencygroup": {"force": True}}
        return lambda: self.client.request("POST", f"/consistencygroups/{group}/delete", body)

    def _add(self, group: str, volume: str) -> Call:
        body = {"consistencygroup": {"add_volumes": volume}}
        return lambda: self.client.request("PUT", f"/consistencygroups/{group}", body)

    def _snapshot(self, group: str) -> Call:
        body = {"cgsnapshot": {"consistencygroup_id": group}}
        return lambda: self.client.request("POST", "/cgsnapshots", body)

    def _clone(self, group: str) -> Call:
        body = {"consistencygroup-from-src": {"source_cgid": group}}
        return lambda: self.client.request("POST", "/consistencygroups/create_from_src", body)

    def _statuses(self, collection: str) -> collections.Counter[str]:
        items = self.client.get(f"/{collection}/detail")[collection]
        return collections.Counter(item["status"] for item in items)

    def _wait_until_settled(self) -> None:
        """Every group, snapshot and volume reaches a status in which nothing is under way."""
        for kind in ("consistencygroups", "cgsnapshots", "volumes", "snapshots"):
            waiting.eventually(
                lambda kind=kind: not http_client.UNDER_WAY & set(self._statuses(kind)),
                f"all {kind} settled: {self._statuses(kind)}",
            )

    def test_of_deletes_of_one_group_a_single_one_is_accepted(self) -> None:
        for volumes in (0, 2):
            group = self._group(volumes)
            answers = self._race([self._delete(group)] * RACERS)
            self.assertEqual(1, [a.status_code for a in answers].count(202))
            self.assertIsNone(self.client.wait(f"/consistencygroups/{group}"))
        self.assertEqual([], self.client.get("/volumes")["volumes"])

    def test_of_deletes_of_one_group_snapshot_a_single_one_is_accepted(self) -> None:
        group = self._group(1)
        body = {"cgsnapshot": {"consistencygroup_id": group}}
        path = f"/cgsnapshots/{self.client.create('/cgsnapshots', body)}"
        answers = self._race([lambda: self.client.request("DELETE", path)] * RACERS)
        self.assertEqual(1, [a.status_code for a in answers].count(202))
        self.assertIsNone(self.client.wait(path))
        self.assertEqual([], self.client.get("/snapshots")["snapshots"])

    def test_updates_change_the_membership_as_far_as_they_are_accepted(self) -> None:
        group = self._group()
        volumes = self._volumes(RACERS)
        answers = self._race([self._add(group, volume) for volume in volumes])
        accepted = {v for v, a in zip(volumes, answers, strict=True) if a.status_code == 202}
        self.assertTrue(accepted)
        self._wait_until_settled()
        shown = self.client.get("/volumes/detail")["volumes"]
        self.assertEqual(accepted, {v["id"] for v in shown if v["consistencygroup_id"] == group})
        status = self.client.get(f"/consistencygroups/{group}")["consistencygroup"]["status"]
        self.assertEqual("available", status)

    def test_one_volume_joins_one_of_many_groups(self) -> None:
        groups = [self._group() for _ in range(RACERS)]
        [volume] = self._volumes(1)
        answers = self._race([self._add(group, volume) for group in groups])
        winners = [g for g, a in zip(groups, answers, strict=True) if a.status_code == 202]
        self.assertEqual(1, len(winners))
        self._wait_until_settled()
        shown = self.client.get(f"/volumes/{volume}")["volume"]
        self.assertEqual(winners, [shown["consistencygroup_id"]])

    def test_a_delete_amid_snapshots_and_clones_takes_nothing_from_them(self) -> None:
        for _ in range(3):
            group = self._group(2)
            kinds = [self._delete, self._snapshot, self._clone] * 3
            answers = self._race([kind(group) for kind in kinds])
            accepted = [k for k, a in zip(kinds, answers, strict=True) if a.status_code == 202]
            self._wait_until_settled()
            gone = self.client.wait(f"/consistencygroups/{group}") is None
            self.assertTrue(accepted)
            self.assertEqual(int(gone), accepted.count(self._delete))
            if gone:
                self.assertNotIn(self._snapshot, accepted)
        for kind in ("consistencygroups", "cgsnapshots", "volumes", "snapshots"):
            self.assertLessEqual(set(self._statuses(kind)), {"available"}, kind)

    def test_a_quota_is_not_exceeded_by_many_at_once(self) -> None:
        self.client.put(f"/os-quota-sets/{self.client.project}", {"quota_set": {"groups": 3}})
        body = {"consistencygroup": {"volume_types": TYPE}}
        answers = self._race(
            [lambda: self.client.request("POST", "/consistencygroups", body)] * RACERS
        )
        statuses = [answer.status_code for answer in answers]
        self.assertEqual({202: 3, 413: RACERS - 3}, collections.Counter(statuses))
