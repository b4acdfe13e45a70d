# SPDX-License-Identifier: Apache-2.0
"""Tests of other modules, run again in Cinder with threads in place of eventlet.

In every run those that depend on what runs beside what; in a long run also those that don't.
"""

from cg_extension.tests import long
from cg_extension.tests.cinder import deployment, test_client, test_group_api

if deployment.CAN_USE_THREADS:

    class MembersTest(test_group_api.MembersTest):
        threads = True

    class FailureTest(test_group_api.FailureTest):
        threads = True


if deployment.CAN_USE_THREADS and long.WANTED:

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
