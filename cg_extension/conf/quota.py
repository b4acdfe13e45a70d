# SPDX-License-Identifier: Apache-2.0
"""Default quotas of a project; ``os-quota-sets`` overrides them for one project."""

from oslo_config import cfg

GROUP = None

OPTS = [
    cfg.IntOpt("quota_volumes", default=10, min=-1, help="Volumes a project; -1: no limit."),
    cfg.IntOpt("quota_snapshots", default=10, min=-1, help="Snapshots a project; -1: no limit."),
    cfg.IntOpt(
        "quota_gigabytes",
        default=1000,
        min=-1,
        help="GiB of volumes and snapshots together, a project; -1: no limit.",
    ),
    cfg.IntOpt(
        "quota_groups", default=10, min=-1, help="Consistency groups a project; -1: no limit."
    ),
    cfg.BoolOpt(
        "no_snapshot_gb_quota",
        default=False,
        help="Count only volumes, not snapshots, against ``quota_gigabytes``.",
    ),
]
