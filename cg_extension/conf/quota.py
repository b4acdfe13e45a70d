# SPDX-License-Identifier: Apache-2.0
"""Default quotas of every project; ``os-quota-sets`` overrides them for one."""

from oslo_config import cfg

from cg_extension.conf import kinds

# The largest value that the database's columns hold.
_MOST = 2**31 - 1

GROUP = None

OPTS = [
    kinds.IntOpt(
        "quota_volumes", default=10, min=-1, max=_MOST, help="Volumes per project; -1: no limit."
    ),
    kinds.IntOpt(
        "quota_snapshots",
        default=10,
        min=-1,
        max=_MOST,
        help="Snapshots per project; -1: no limit.",
    ),
    kinds.IntOpt(
        "quota_gigabytes",
        default=1000,
        min=-1,
        max=_MOST,
        help="GiB of volumes and snapshots together, per project; -1: no limit.",
    ),
    kinds.IntOpt(
        "quota_groups",
        default=10,
        min=-1,
        max=_MOST,
        help="Consistency groups per project; -1: no limit.",
    ),
    cfg.BoolOpt(
        "no_snapshot_gb_quota",
        default=False,
        help="Count only volumes, not snapshots, against ``quota_gigabytes``.",
    ),
]
