# SPDX-License-Identifier: Apache-2.0
"""Sequences of calls that hypothesis makes up, beside a model of what each must answer."""

import dataclasses
import uuid

import requests
from hypothesis import HealthCheck, settings, stateful
from hypothesis import strategies as st

from cg_extension.tests.functional import base

TYPE = "__DEFAULT__"


@dataclasses.dataclass
class Group:
    """What the model knows of a group: its volumes, and those of each of its group snapshots."""

    volumes: set[str] = dataclasses.field(default_factory=set)
    cgsnapshots: dict[str, frozenset[str]] = dataclasses.field(default_factory=dict)


class Lifecycle(stateful.RuleBasedStateMachine):
    """One project from its first request on; every call is waited for before the next."""

    groups = stateful.Bundle("groups")
    volumes = stateful.Bundle("volumes")
    cgsnapshots = stateful.Bundle("cgsnapshots")

    def __init__(self, service: base.Standalone) -> None:
        super().__init__()
        self.client = service.client(project=uuid.uuid4().hex, roles="member")
        self.alive: dict[str, Group] = {}
        self.free: set[str] = set()

    def _group_of_snapshot(self, cgsnapshot: str) -> Group | None:
        found = (group for group in self.alive.values() if cgsnapshot in group.cgsnapshots)
        return next(found, None)

    def _has_snapshots(self, volume: str) -> bool:
        """Whether it is in a group snapshot; it may have left the group since."""
        taken = (group.cgsnapshots.values() for group in self.alive.values())
        return any(volume in members for each in taken for members in each)

    def _expect(
        self, code: int, method: str, path: str, body: object | None = None
    ) -> requests.Response:
        answer = self.client.request(method, path, body)
        assert answer.status_code == code, f"{method} {path}: {answer.status_code} {answer.text}"
        return answer

    def _created(self, path: str, body: object) -> str:
        (resource,) = self._expect(202, "POST", path, body).json().values()
        assert resource["status"] == "creating"
        ended = self.client.wait(f"/{path.split('/')[1]}/{resource['id']}")
        assert ended is not None and ended["status"] == "available", ended
        return str(resource["id"])

    def _settled(self, path: str) -> None:
        ended = self.client.wait(path)
        assert ended is not None and ended["status"] == "available", ended

    @stateful.rule(target=groups)
    def create_group(self) -> str:
        body = {"consistencygroup": {"volume_types": TYPE}}
        group = self._created("/consistencygroups", body)
        self.alive[group] = Group()
        return group

    @stateful.rule(target=volumes)
    def create_volume(self) -> str:
        volume = self._created("/volumes", {"volume": {"size": 1, "volume_type": TYPE}})
        self.free.add(volume)
        return volume

    @stateful.rule(group=groups, volume=volumes)
    def add_volume(self, group: str, volume: str) -> None:
        model = self.alive.get(group)
        joins = model is not None and (volume in self.free or volume in model.volumes)
        code = 404 if model is None else 202 if joins else 400
        body = {"consistencygroup": {"add_volumes": volume}}
        self._expect(code, "PUT", f"/consistencygroups/{group}", body)
        if model is not None and joins:
            self._settled(f"/consistencygroups/{group}")
            model.volumes.add(volume)
            self.free.discard(volume)

    @stateful.rule(group=groups, volume=volumes)
    def remove_volume(self, group: str, volume: str) -> None:
        model = self.alive.get(group)
        leaves = model is not None and volume in model.volumes
        code = 404 if model is None else 202 if leaves else 400
        body = {"consistencygroup": {"remove_volumes": volume}}
        self._expect(code, "PUT", f"/consistencygroups/{group}/update", body)
        if model is not None and leaves:
            self._settled(f"/consistencygroups/{group}")
            model.volumes.remove(volume)
            self.free.add(volume)

    @stateful.rule(target=cgsnapshots, group=groups)
    def take_snapshot(self, group: str) -> object:
        body = {"cgsnapshot": {"consistencygroup_id": group}}
        model = self.alive.get(group)
        if model is None or not model.volumes:
            self._expect(404 if model is None else 400, "POST", "/cgsnapshots", body)
            return stateful.multiple()
        cgsnapshot = self._created("/cgsnapshots", body)
        model.cgsnapshots[cgsnapshot] = frozenset(model.volumes)
        return cgsnapshot

    @stateful.rule(cgsnapshot=cgsnapshots)
    def delete_snapshot(self, cgsnapshot: str) -> None:
        model = self._group_of_snapshot(cgsnapshot)
        self._expect(404 if model is None else 202, "DELETE", f"/cgsnapshots/{cgsnapshot}")
        if model is not None:
            assert self.client.wait(f"/cgsnapshots/{cgsnapshot}") is None
            del model.cgsnapshots[cgsnapshot]

    @stateful.rule(target=groups, group=groups)
    def clone_group(self, group: str) -> object:
        model = self.alive.get(group)
        return self._restore({"source_cgid": group}, model, model)

    @stateful.rule(target=groups, cgsnapshot=cgsnapshots)
    def restore_snapshot(self, cgsnapshot: str) -> object:
        return self._restore(
            {"cgsnapshot_id": cgsnapshot}, self._group_of_snapshot(cgsnapshot), None
        )

    def _restore(self, source: dict[str, str], origin: Group | None, group: Group | None) -> object:
        """``group`` is the source if it is one: it must have volumes, as a snapshot always has."""
        path, body = "/consistencygroups/create_from_src", {"consistencygroup-from-src": source}
        if origin is None or (group is not None and not group.volumes):
            self._expect(404 if origin is None else 400, "POST", path, body)
            return stateful.multiple()
        restored = self._created(path, body)
        listed = self.client.get("/volumes/detail")["volumes"]
        volumes = {v["id"] for v in listed if v["consistencygroup_id"] == restored}
        assert volumes
        self.alive[restored] = Group(volumes)
        return restored

    @stateful.rule(group=groups, force=st.booleans())
    def delete_group(self, group: str, force: bool) -> None:
        model = self.alive.get(group)
        goes = (
            model is not None
            and not model.cgsnapshots
            and (force or not model.volumes)
            and not any(map(self._has_snapshots, model.volumes))
        )
        code = 404 if model is None else 202 if goes else 400
        body = {"consistencygroup": {"force": force}}
        self._expect(code, "POST", f"/consistencygroups/{group}/delete", body)
        if goes:
            assert self.client.wait(f"/consistencygroups/{group}") is None
            del self.alive[group]

    @stateful.rule(volume=volumes)
    def delete_volume(self, volume: str) -> None:
        is_member = any(volume in group.volumes for group in self.alive.values())
        goes = volume in self.free and not self._has_snapshots(volume)
        code = 202 if goes else 400 if is_member or volume in self.free else 404
        self._expect(code, "DELETE", f"/volumes/{volume}")
        if goes:
            assert self.client.wait(f"/volumes/{volume}") is None
            self.free.remove(volume)

    @stateful.invariant()
    def lists_show_what_there_is(self) -> None:
        groups = self.client.get("/consistencygroups")["consistencygroups"]
        assert {group["id"] for group in groups} == set(self.alive)
        volumes = self.client.get("/volumes")["volumes"]
        members = [group.volumes for group in self.alive.values()]
        assert {volume["id"] for volume in volumes} == self.free.union(*members)
        cgsnapshots = self.client.get("/cgsnapshots")["cgsnapshots"]
        taken = [group.cgsnapshots for group in self.alive.values()]
        assert {cgsnapshot["id"] for cgsnapshot in cgsnapshots} == set().union(*taken)


class LifecycleTest(base.FunctionalTest):
    def setUp(self) -> None:
        super().setUp()
        config = {"DEFAULT": {f"quota_{name}": -1 for name in ("groups", "volumes", "snapshots")}}
        config["DEFAULT"]["quota_gigabytes"] = -1
        self.service = self.useFixture(base.Standalone(config))

    def test_every_call_answers_as_the_state_before_it_demands(self) -> None:
        stateful.run_state_machine_as_test(
            lambda: Lifecycle(self.service),
            settings=settings(
                max_examples=8,
                stateful_step_count=20,
                deadline=None,
                suppress_health_check=list(HealthCheck),
            ),
        )
