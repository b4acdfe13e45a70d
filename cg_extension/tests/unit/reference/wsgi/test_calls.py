# SPDX-License-Identifier: Apache-2.0
"""What the calls declare of their answers; the whole API, our own extensions included."""

from oslotest import base

from cg_extension.api import calls, faults, routes
from cg_extension.reference.wsgi import routes as host_routes


class CallsTest(base.BaseTestCase):
    def test_every_route_is_listed(self) -> None:
        tables = [routes.ROUTES, *host_routes.ROUTES.values()]
        expected = {(method, path) for table in tables for path in table for method in table[path]}
        listed = [(entry.method, entry.path) for entry in host_routes.CALLS]
        self.assertEqual(expected, set(listed))
        self.assertEqual(len(expected), len(listed))

    def test_every_call_declares_its_answers(self) -> None:
        for entry in host_routes.CALLS:
            self.assertTrue(entry.call.responses, entry)
            self.assertTrue(all(200 <= status < 300 for status in entry.call.responses), entry)

    def test_every_declared_error_has_a_name(self) -> None:
        for entry in host_routes.CALLS:
            self.assertLessEqual(entry.call.codes, faults.NAMES.keys())

    def test_every_schema_can_be_checked_quickly_and_explained(self) -> None:
        for entry in host_routes.CALLS:
            for status, body in entry.call.responses.items():
                if body.schema is not None:
                    with self.subTest(entry=entry, status=status):
                        self.assertIn("must have type", body.mismatch([]) or "")

    def test_both_hosts_serve_the_calls_of_the_extensions(self) -> None:
        self.assertEqual(calls.EXTENSION, host_routes.CALLS[: len(calls.EXTENSION)])
