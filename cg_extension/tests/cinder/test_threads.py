# SPDX-License-Identifier: Apache-2.0
"""Tests of other modules, run again in Cinder with threads in place of eventlet.

In every run those that depend on what runs beside what; in a long run also those that don't.
"""

from cg_extension.tests import long
from cg_extension.tests.cinder import (
    deployment,
    test_check,
    test_client,
    test_group_api,
)

if deployment.CAN_USE_THREADS:

    class MembersTest(test_group_api.MembersTest):
        threads = True

    class StatusCommandTest(test_check.StatusCommandCase):
        threads = True

        def test_it_tells_that_services_run_with_threads(self) -> None:
            _code, lines = self.status()
            self.assertRegex(
                lines, r"OK       cinder-volume: runs with native threads \(processes: "
            )

        def test_a_value_that_cinder_does_not_take_fails(self) -> None:
            code, lines = self.status(**dict.fromkeys(deployment.THREADS, "maybe"))
            self.assertEqual(2, code, lines)
            self.assertIn("is 'maybe'; it must be true or false", lines)


if deployment.CAN_USE_THREADS and long.WANTED:

    class FailureTest(test_group_api.FailureTest):
        threads = True

    class ListTest(test_group_api.ListTest):
        threads = True

    class Version2Test(test_group_api.Version2Test):
        threads = True

    class ConsistencyGroupTest(test_client.ConsistencyGroupTest):
        threads = True

    class ConsistencyGroupVersion2Test(test_client.ConsistencyGroupVersion2Test):
        threads = True

    class VolumeGroupTest(test_client.VolumeGroupTest):
        threads = True
