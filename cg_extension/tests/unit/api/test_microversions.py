# SPDX-License-Identifier: Apache-2.0
import webob

from cg_extension.api import microversions
from cg_extension.tests.unit.api import base

HEADER = microversions.HEADER


class MicroversionsTest(base.APITestCase):
    versions = microversions.Range("3.0", "3.71")

    def _ask(self, wish: str | None, path: str = "/consistencygroups") -> webob.Response:
        return self.call("GET", path, headers={} if wish is None else {HEADER: wish})

    def test_what_discovery_names_is_granted_and_told(self) -> None:
        for wish, granted in (
            ("volume 3.0", "3.0"),
            ("volume 3.9", "3.9"),
            ("volume 3.71", "3.71"),
            ("volume latest", "3.71"),
            ("VOLUME Latest", "3.71"),
            ("  volume   3.5  ", "3.5"),
        ):
            with self.subTest(wish=wish):
                answer = self._ask(wish)
                self.assertEqual(200, answer.status_int, answer.text)
                self.assertEqual(f"volume {granted}", answer.headers[HEADER])
                self.assertEqual(HEADER, answer.headers["Vary"])

    def test_anything_else_is_406_with_the_range(self) -> None:
        for wish in (
            *("volume 2.0", "volume 2.71", "volume 3.72", "volume 4.0", "volume 30.0"),
            *("volume", "volume 3", "volume 3.", "volume .0", "volume x.y", "volume 3.0.1"),
            *("volume -3.0", "volume 03.0", "volume 3.00", "volume \xb3.0", "volume newest"),
            *("volume 3.0 3.1", "3.0", "latest", "compute 2.1, volume 4.0"),
            *("volume 3.0\xa0", "volume 3.0\x1f", "volume 3.0\x85"),
            "volume 3." + "9" * 5000,
        ):
            with self.subTest(wish=wish[:30]):
                answer = self._ask(wish)
                self.assert_fault(answer, 406, "notAcceptable", "3.0", "3.71")
                self.assertNotIn(HEADER, answer.headers)

    def test_a_wish_for_another_service_is_ignored(self) -> None:
        for wish in (None, "", " , ", "compute 2.1", "compute latest", "compute", "volumes 9.9"):
            with self.subTest(wish=wish):
                answer = self._ask(wish)
                self.assertEqual(200, answer.status_int)
                self.assertNotIn(HEADER, answer.headers)

    def test_of_several_services_ours_counts(self) -> None:
        for wish in ("compute 2.1, volume 3.5", "volume 3.5,compute 2.1", "volume 3.5, volume 4.0"):
            self.assertEqual("volume 3.5", self._ask(wish).headers[HEADER])

    def test_faults_tell_it_too(self) -> None:
        for path, status in (("/consistencygroups?limit=x", 400), ("/consistencygroups/none", 404)):
            answer = self._ask("volume 3.5", path)
            self.assertEqual(
                (status, "volume 3.5"), (answer.status_int, answer.headers.get(HEADER))
            )
