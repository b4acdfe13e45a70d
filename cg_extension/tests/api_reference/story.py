# SPDX-License-Identifier: Apache-2.0
"""Every call of the API reference in an order in which each of them succeeds.

Method, path, bodies and status come from the reference. Here stands only what it can't tell: which
call comes after which, of which resource, and as whom.
"""

import dataclasses
import json
from collections.abc import Callable, Mapping
from typing import Any

import requests

from cg_extension.contract import statuses
from cg_extension.tests import waiting
from cg_extension.tests.api_reference import reference, samples

# As they are in the samples.
ENDPOINT = "http://storage.example.com:8776"
PROJECT = "5a1c7e0f3b6d4f28a9d0c4e1b7f23d96"
USER = "8d2f6b94c0e14a7fb35e9d71a6c8f042"

UNDER_WAY = frozenset(statuses.GROUP.under_way)


@dataclasses.dataclass(frozen=True, slots=True)
class Step:
    """One exchange.

    :param exchange: name of the sample, or method and path of a call that has none.
    :param of: parameters of the path with the names of resources that other steps bind, or with
        their values; by default the resource bound under the parameter's own name.
    :param binds: name of the resource of the answer for later steps.
    :param before: what has to be done first.
    """

    exchange: str
    of: Mapping[str, str] = dataclasses.field(default_factory=dict)
    query: str = ""
    admin: bool = False
    binds: str = ""
    before: "Callable[[Teller], None] | None" = None


class Teller:
    """Tells the story to one service, under one prefix of the paths.

    :param prefix: one of ``Reference.prefixes``.
    :param token: gives the token of a role, ``member`` or ``admin``.
    :param exact: whether answers must have the samples' values.
    :raises AssertionError: an answer is not as the reference has it; with the exchange.
    """

    def __init__(
        self,
        url: str,
        prefix: str,
        project: str,
        token: Callable[[str], str],
        texts: Mapping[str, str],
        *,
        exact: bool = True,
    ) -> None:
        self._url = url
        self._prefix = prefix.replace("{project_id}", project)
        self._token = token
        self._exact = exact
        self._known = {"project_id": project}
        full = reference.PREFIX.replace("{project_id}", PROJECT)
        self.ids = samples.Ids({full: self._prefix, PROJECT: project, **texts})
        self._exchanges = {
            sample.name: (call, sample)
            for call in reference.read().calls
            for sample in call.exchanges
        }

    def tell(self, step: Step, *, compared: bool = True) -> None:
        """One step of it.

        :param compared: whether the answer is held against the sample, or only its status.
        """
        if step.before is not None:
            step.before(self)
        call, sample = self._exchanges[step.exchange]
        path = call.path.replace(reference.PREFIX, self._prefix, 1)
        for name in call.request["path"].keys() - {"project_id"}:
            value = step.of.get(name, name)
            path = path.replace(f"{{{name}}}", self._known.get(value, value))
        body = None if sample.request is None else self.ids.real(json.dumps(sample.request))
        answer = self.send(call.method, path, body, query=step.query, admin=step.admin)
        expected = [sample.fault] if sample.fault else call.statuses
        told = f"{step.exchange}: {call.method} {path} {body or ''}: {answer.text}"
        assert answer.status_code in expected, f"{told}: {answer.status_code}, not {expected}"
        document = answer.json() if answer.content else None
        if compared:
            wrong = list(samples.mismatches(sample.response, document, self.ids, exact=self._exact))
            assert not wrong, f"{told}: {'; '.join(wrong)}"
        if step.binds:
            [resource] = sample.response.values()
            self.ids.bind(resource["id"], self.bind(step.binds, document))
        if answer.status_code == 202:
            self._wait_for_what_was_accepted(path, document)

    def send(
        self,
        method: str,
        path: str,
        body: str | None = None,
        *,
        query: str = "",
        admin: bool = False,
    ) -> requests.Response:
        """One request, by its whole path."""
        return requests.request(
            method,
            f"{self._url}{path}?{query}".removesuffix("?"),
            data=body,
            headers={
                "X-Auth-Token": self._token("admin" if admin else "member"),
                "Accept": "application/json",
                **({"Content-Type": "application/json"} if body else {}),
            },
            timeout=60,
        )

    def bind(self, name: str, document: Any) -> str:
        """Know the resource in an answer under a name; gives its id."""
        [resource] = document.values()
        self._known[name] = str(resource["id"])
        return self._known[name]

    def known(self, name: str) -> str:
        """The id of a resource that was bound."""
        return self._known[name]

    def make(self, name: str, path: str, body: Mapping[str, Any]) -> None:
        """Create a resource that no sample tells of, and bind it; it may end in error."""
        answer = self.send("POST", self._prefix + path, json.dumps(body))
        assert answer.status_code in (200, 202), answer.text
        self.bind(name, answer.json())
        self._wait_for_what_was_accepted(self._prefix + path, answer.json())

    def act(self, path: str, body: Mapping[str, Any]) -> None:
        """A change that no sample tells of."""
        answer = self.send("POST", self._prefix + path, json.dumps(body))
        assert answer.status_code == 202, answer.text

    def _wait_for_what_was_accepted(self, path: str, document: Any) -> None:
        collection, *rest = path.removeprefix(f"{self._prefix}/").split("/")
        ids = [resource["id"] for resource in document.values()] if document else rest[:1]
        if not ids or not samples.UUID.fullmatch(ids[0]):
            return

        def has_ended() -> bool:
            answer = self.send("GET", f"{self._prefix}/{collection}/{ids[0]}")
            if answer.status_code == 404:
                return True
            [resource] = answer.json().values()
            return resource.get("status") not in UNDER_WAY

        waiting.eventually(has_ended, f"{path} done", 60, 0.05)


def _attached(teller: Teller) -> None:
    """The ``file`` driver can't hold the writes of an attached volume: what is made of it fails."""
    volume = teller.known("volume_id")
    teller.act(f"/volumes/{volume}/action", {"os-attach": {"host_name": "compute1"}})


def _failed_snapshot(teller: Teller) -> None:
    _attached(teller)
    body = {"snapshot": {"volume_id": teller.known("volume_id"), "name": "too late", "force": True}}
    teller.make("failed_snapshot", "/snapshots", body)


def _failed_cgsnapshot(teller: Teller) -> None:
    group = teller.known("consistencygroup_id")
    body = {"cgsnapshot": {"consistencygroup_id": group, "name": "too late"}}
    teller.make("failed_cgsnapshot", "/cgsnapshots", body)


def _failed_group(teller: Teller) -> None:
    body = {"consistencygroup-from-src": {"source_cgid": teller.known("consistencygroup_id")}}
    teller.make("failed_group", "/consistencygroups/create_from_src", body)


def _failed_volume(teller: Teller) -> None:
    body = {"volume": {"source_volid": teller.known("volume_id"), "name": "too late"}}
    teller.make("failed_volume", "/volumes", body)


def _empty_group(teller: Teller) -> None:
    body = {"consistencygroup": {"volume_types": "fast", "name": "empty"}}
    teller.make("empty_group", "/consistencygroups", body)


_PATH = reference.PREFIX
_DELETE_GROUP = f"DELETE {_PATH}/consistencygroups/{{consistencygroup_id}}"
_DELETE_CGSNAPSHOT = f"DELETE {_PATH}/cgsnapshots/{{cgsnapshot_id}}"
_DELETE_VOLUME = f"DELETE {_PATH}/volumes/{{volume_id}}"
_DELETE_SNAPSHOT = f"DELETE {_PATH}/snapshots/{{snapshot_id}}"
_DELETE_EXTRA_SPEC = f"DELETE {_PATH}/types/{{volume_type_id}}/extra_specs/{{key}}"
_DELETE_TYPE = f"DELETE {_PATH}/types/{{volume_type_id}}"
_NOWHERE = "f0000000-0000-4000-8000-000000000000"

STORY = (
    Step("discovery/versions"),
    Step("discovery/v2"),
    Step("discovery/v3"),
    Step("discovery/health"),
    Step("discovery/extensions"),
    Step("discovery/extension", {"alias": "consistencygroups"}),
    Step("services/list", admin=True),
    Step("services/availability-zones"),
    Step("services/disable-log-reason", admin=True),
    Step("services/disable", admin=True),
    Step("services/enable", admin=True),
    Step("services/freeze", admin=True),
    Step("services/thaw", admin=True),
    Step("quotas/defaults", {"id": "project_id"}),
    Step("quotas/update", {"id": "project_id"}, admin=True),
    Step("quotas/show", {"id": "project_id"}),
    Step("types/create", admin=True, binds="volume_type_id"),
    Step("types/show", admin=True),
    Step("types/update", admin=True),
    Step("types/list"),
    Step("types/list-page", query="limit=1"),
    Step("types/extra-specs-create", admin=True),
    Step("types/extra-specs-list", admin=True),
    Step("types/extra-specs-update", {"key": "tier"}, admin=True),
    Step("types/extra-specs-show", {"key": "tier"}, admin=True),
    Step(_DELETE_EXTRA_SPEC, {"key": "tier"}, admin=True),
    # A group with two volumes.
    Step("volumes/create", binds="volume_id"),
    Step("consistencygroups/create", binds="consistencygroup_id"),
    Step("consistencygroups/update"),
    Step("volumes/create-in-group", binds="log"),
    Step("volumes/list"),
    Step("volumes/list-page", query="limit=1"),
    Step("volumes/update"),
    Step("volumes/metadata-create"),
    Step("volumes/metadata-list"),
    Step("volumes/metadata-replace"),
    Step("volumes/metadata-update", {"key": "tier"}),
    Step("volumes/metadata-show", {"key": "tier"}),
    Step(f"DELETE {_PATH}/volumes/{{volume_id}}/metadata/{{key}}", {"key": "tier"}),
    Step("volume-actions/initialize-connection"),
    Step("volume-actions/attach"),
    Step("volumes/list-detail"),
    Step("volume-actions/detach"),
    Step("volume-actions/terminate-connection"),
    Step("volumes/show"),
    # What is made of the group.
    Step("cgsnapshots/create", binds="cgsnapshot_id"),
    Step("cgsnapshots/list"),
    Step("cgsnapshots/list-detail"),
    Step("cgsnapshots/show"),
    Step("cgsnapshots/list-detail-receipts", admin=True),
    Step("cgsnapshots/show-receipt", admin=True),
    Step("consistencygroups/create-from-cgsnapshot", binds="restored"),
    Step("consistencygroups/create-from-group", binds="copy"),
    Step("consistencygroups/list"),
    Step("consistencygroups/list-page", query="limit=1"),
    Step("consistencygroups/rename"),
    Step("consistencygroups/list-detail"),
    Step("consistencygroups/show"),
    Step("consistencygroups/show-404", {"consistencygroup_id": _NOWHERE}),
    Step("snapshots/create", binds="snapshot_id"),
    Step("snapshots/list", query="name=before the upgrade"),
    Step("snapshots/update"),
    Step("snapshots/metadata-create"),
    Step("snapshots/metadata-list"),
    Step("snapshots/metadata-replace"),
    Step("snapshots/metadata-update", {"key": "tier"}),
    Step("snapshots/metadata-show", {"key": "tier"}),
    Step(f"DELETE {_PATH}/snapshots/{{snapshot_id}}/metadata/{{key}}", {"key": "tier"}),
    Step("snapshots/show"),
    Step("snapshots/list-page", query="limit=1"),
    Step("snapshots/list-detail", query="name=before the upgrade"),
    Step("volumes/create-from-snapshot", binds="again"),
    Step("quotas/show-usage", {"id": "project_id"}, query="usage=true"),
    Step("quotas/limits"),
    # What fails.
    Step(
        "snapshots/show-failed", {"snapshot_id": "failed_snapshot"}, "", True, "", _failed_snapshot
    ),
    Step(
        "cgsnapshots/show-failed",
        {"cgsnapshot_id": "failed_cgsnapshot"},
        admin=True,
        before=_failed_cgsnapshot,
    ),
    Step("cgsnapshots/list-page", query="limit=1"),
    Step(
        "consistencygroups/show-failed",
        {"consistencygroup_id": "failed_group"},
        admin=True,
        before=_failed_group,
    ),
    Step("volumes/show-failed", {"volume_id": "failed_volume"}, admin=True, before=_failed_volume),
    # And all of it goes again.
    Step("volume-actions/reset-status", admin=True),
    Step("snapshots/reset-status", admin=True),
    Step("cgsnapshots/reset-status", admin=True),
    Step("consistencygroups/reset-status", admin=True),
    Step("snapshots/force-delete", admin=True),
    Step(_DELETE_SNAPSHOT, {"snapshot_id": "failed_snapshot"}),
    Step(_DELETE_CGSNAPSHOT),
    Step(_DELETE_CGSNAPSHOT, {"cgsnapshot_id": "failed_cgsnapshot"}),
    Step("consistencygroups/delete"),
    Step("consistencygroups/delete", {"consistencygroup_id": "restored"}),
    Step("consistencygroups/delete", {"consistencygroup_id": "copy"}),
    Step("consistencygroups/delete", {"consistencygroup_id": "failed_group"}),
    Step(
        "consistencygroups/delete-as-openstacksdk",
        {"consistencygroup_id": "empty_group"},
        before=_empty_group,
    ),
    Step(_DELETE_GROUP, {"consistencygroup_id": "empty_group"}, before=_empty_group),
    Step("volume-actions/force-delete", {"volume_id": "again"}, admin=True),
    Step(_DELETE_VOLUME, {"volume_id": "failed_volume"}),
    Step(_DELETE_TYPE, admin=True),
    Step(f"DELETE {_PATH}/os-quota-sets/{{id}}", {"id": "project_id"}, admin=True),
)
