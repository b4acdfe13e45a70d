# SPDX-License-Identifier: Apache-2.0
"""The conformance suite: what every driver must do, as test classes for its author to subclass.

It drives a real backend through ``drivers.base`` and compares volumes' bytes. It knows no
backend, and needs nothing beyond the standard library's unittest. See :class:`harness.Harness`
for what an author supplies.
"""

from cg_extension.drivers.conformance.failures import FailureConformance
from cg_extension.drivers.conformance.groups import GroupConformance
from cg_extension.drivers.conformance.volumes import VolumeConformance


class DriverConformance(VolumeConformance, GroupConformance):
    """Every call of the interface. Mix it with a TestCase and supply the harness's hooks."""


__all__ = ["DriverConformance", "FailureConformance", "GroupConformance", "VolumeConformance"]
