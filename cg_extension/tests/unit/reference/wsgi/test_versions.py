# SPDX-License-Identifier: Apache-2.0
"""Version discovery needs no token and names what is there."""

from cg_extension.tests.unit.reference.wsgi import base


class VersionsTest(base.HostTestCase):
    def test_the_root_offers_both_versions(self) -> None:
        answer = self.send("GET", "/")
        self.assertEqual(300, answer.status_int)
        self.assertEqual(
            [("v2.0", "http://localhost/v2/"), ("v3.0", "http://localhost/v3/")],
            [(item["id"], item["links"][0]["href"]) for item in answer.json["versions"]],
        )

    def test_each_version_tells_of_itself(self) -> None:
        for path, version in (("/v2", "v2.0"), ("/v2/", "v2.0"), ("/v3", "v3.0"), ("/v3/", "v3.0")):
            answer = self.send("GET", path)
            self.assertEqual(200, answer.status_int)
            self.assertEqual([version], [item["id"] for item in answer.json["versions"]])

    def test_links_lead_to_the_public_endpoint(self) -> None:
        self.conf.set_override("public_endpoint", "https://volume.example.org/")
        [document] = self.send("GET", "/v3").json["versions"]
        self.assertEqual("https://volume.example.org/v3/", document["links"][0]["href"])

    def test_other_paths_and_methods_are_faults(self) -> None:
        self.assert_fault(self.send("GET", "/v1/p/volumes"), 404, "itemNotFound", "/v3")
        answer = self.send("POST", "/v3")
        self.assert_fault(answer, 405, "badMethod")
        self.assertEqual("GET, HEAD", answer.headers["Allow"])

    def test_head_has_no_body(self) -> None:
        answer = self.send("HEAD", "/v3")
        self.assertEqual((200, b""), (answer.status_int, answer.body))

    def test_both_versions_have_the_same_calls(self) -> None:
        for version in ("v2", "v3"):
            answer = self.send(
                "GET", f"/{version}/p/consistencygroups", headers={"X-Auth-Token": "u:p"}
            )
            self.assertEqual({"consistencygroups": []}, answer.json)

    def test_the_microversions_that_discovery_names_are_granted(self) -> None:
        [document] = self.send("GET", "/v3").json["versions"]
        for wish, granted in (
            (document["version"], document["version"]),
            (document["min_version"], document["min_version"]),
            ("latest", document["version"]),
        ):
            headers = {"X-Auth-Token": "u:p", "OpenStack-API-Version": f"volume {wish}"}
            for path in ("/v3/p/volumes", "/v2/p/types", "/v3/consistencygroups"):
                answer = self.send("GET", path, headers=headers)
                self.assertEqual(200, answer.status_int)
                self.assertEqual(f"volume {granted}", answer.headers["OpenStack-API-Version"])
        headers = {"X-Auth-Token": "u:p", "OpenStack-API-Version": "volume 3.59"}
        answer = self.send("GET", "/v3/p/volumes", headers=headers)
        self.assert_fault(answer, 406, "notAcceptable", document["min_version"])
