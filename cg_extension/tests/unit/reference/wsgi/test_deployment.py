# SPDX-License-Identifier: Apache-2.0
"""Quotas, limits, services and zones over HTTP."""

from cg_extension.tests.unit.reference.service.base import HOST
from cg_extension.tests.unit.reference.wsgi import base

SERVICE = {"host": HOST, "binary": "cg-manager"}


class QuotasTest(base.HostTestCase):
    def test_limits_are_shown_set_and_given_back(self) -> None:
        path = "/os-quota-sets/q"
        self.conf.set_override("quota_volumes", 7)
        shown = self.ok("GET", path)["quota_set"]
        self.assertEqual(("q", 7), (shown["id"], shown["volumes"]))
        body = {"quota_set": {"volumes": 20, "groups": -1, "tenant_id": "q"}}
        changed = self.ok("PUT", f"{path}?skip_validation=False", body)["quota_set"]
        self.assertEqual((20, -1), (changed["volumes"], changed["groups"]))
        self.assertEqual(20, self.ok("GET", path)["quota_set"]["volumes"])
        self.assertEqual(7, self.ok("GET", f"{path}/defaults")["quota_set"]["volumes"])
        self.ok("DELETE", path)
        self.assertEqual(7, self.ok("GET", path)["quota_set"]["volumes"])

    def test_usage_counts_what_is_there(self) -> None:
        self.conf.set_override("quota_gigabytes", 50)
        self.volume(size=3)
        shown = self.ok("GET", "/os-quota-sets/p?usage=True")["quota_set"]
        self.assertEqual({"limit": 50, "in_use": 3, "reserved": 0}, shown["gigabytes"])
        self.assertEqual(1, shown["volumes"]["in_use"])
        self.assertEqual(50, self.ok("GET", "/os-quota-sets/p?usage=0")["quota_set"]["gigabytes"])

    def test_what_is_no_limit_is_refused(self) -> None:
        for limits in ({}, {"volumes": -2}, {"volumes": "many"}, {"volumes": 2**31}, {"cores": 1}):
            answer = self.call("PUT", "/os-quota-sets/p", {"quota_set": limits})
            self.assert_fault(answer, 400, "badRequest")
        for project in ("x" * 256, "a%07b"):
            self.assert_fault(self.call("GET", f"/os-quota-sets/{project}"), 400, "badRequest")

    def test_an_exhausted_quota_is_413_with_when_to_try_again(self) -> None:
        self.ok("PUT", "/os-quota-sets/p", {"quota_set": {"volumes": 0}})
        answer = self.call("POST", "/volumes", {"volume": {"size": 1}})
        self.assert_fault(answer, 413, "overLimit", "volumes")
        self.assertEqual("0", answer.headers["Retry-After"])


class LimitsTest(base.HostTestCase):
    def test_limits_and_usage_in_the_form_of_dashboards(self) -> None:
        self.conf.set_override("quota_volumes", 9)
        self.volume(size=2)
        absolute = self.ok("GET", "/limits")["limits"]["absolute"]
        self.assertEqual(
            (9, 1, 2),
            tuple(
                absolute[key]
                for key in ("maxTotalVolumes", "totalVolumesUsed", "totalGigabytesUsed")
            ),
        )
        other = self.ok("GET", "/limits?project_id=q")["limits"]["absolute"]
        self.assertEqual(0, other["totalVolumesUsed"])


class ServicesTest(base.HostTestCase):
    def listed(self) -> dict[str, object]:
        [service] = self.ok("GET", "/os-services")["services"]
        return dict(service)

    def test_a_backend_is_listed_with_its_state(self) -> None:
        service = self.listed()
        self.assertEqual(
            (HOST, "cg-manager", "nova", "enabled", "up", False),
            tuple(service[key] for key in ("host", "binary", "zone", "status", "state", "frozen")),
        )
        self.assertEqual([], self.ok("GET", "/os-services?host=other")["services"])
        self.assertEqual([], self.ok("GET", "/os-services?binary=other")["services"])
        self.assertEqual(1, len(self.ok("GET", "/os-services?host=host")["services"]))

    def test_a_backend_is_disabled_with_a_reason_and_enabled(self) -> None:
        answer = self.ok("PUT", "/os-services/disable", SERVICE)
        self.assertEqual(("disabled", True), (answer["status"], answer["disabled"]))
        reason = {**SERVICE, "disabled_reason": "disks"}
        self.ok("PUT", "/os-services/disable-log-reason", reason)
        self.assertEqual("disks", self.listed()["disabled_reason"])
        self.ok("PUT", "/os-services/enable", {"host": HOST, "service": "cg-manager"})
        self.assertEqual(
            ("enabled", None), (self.listed()["status"], self.listed()["disabled_reason"])
        )

    def test_a_host_is_frozen_and_thawed(self) -> None:
        self.ok("PUT", "/os-services/freeze", {"host": HOST}, status=202)
        self.assertIs(True, self.listed()["frozen"])
        self.ok("PUT", "/os-services/thaw", {"host": HOST}, status=202)
        self.assertIs(False, self.listed()["frozen"])

    def test_a_backend_that_is_none_is_not_found(self) -> None:
        for call in ("enable", "disable"):
            body = {"host": "x@y", "binary": "cg-manager"}
            answer = self.call("PUT", f"/os-services/{call}", body)
            self.assert_fault(answer, 404, "itemNotFound", "x@y")
        for call in ("freeze", "thaw"):
            answer = self.call("PUT", f"/os-services/{call}", {"host": "x@y"})
            self.assert_fault(answer, 404, "itemNotFound", "x@y")

    def test_what_is_missing_is_asked_for(self) -> None:
        answer = self.call("PUT", "/os-services/enable", {"host": HOST})
        self.assert_fault(answer, 400, "badRequest", "binary")
        answer = self.call("PUT", "/os-services/disable-log-reason", SERVICE)
        self.assert_fault(answer, 400, "badRequest", "disabled_reason")


class ZonesTest(base.HostTestCase):
    def test_zones_tell_whether_something_can_be_put_there(self) -> None:
        self.report("host@two", zone="attic")
        self.ok("PUT", "/os-services/disable", {**SERVICE, "host": "host@two"})
        zones = self.ok("GET", "/os-availability-zone")["availabilityZoneInfo"]
        self.assertEqual(
            [("attic", False), ("nova", True)],
            [(zone["zoneName"], zone["zoneState"]["available"]) for zone in zones],
        )
