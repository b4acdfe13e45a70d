# SPDX-License-Identifier: Apache-2.0
"""The section ``[consistency_group]`` of tempest.conf."""

from oslo_config import cfg

GROUP = cfg.OptGroup("consistency_group", title="Consistency groups of block storage")

OPTS = [
    cfg.StrOpt(
        "volume_type",
        default="__DEFAULT__",
        help="Name or id of the volume type of groups and their volumes. A backend of this type "
        "must be able to take consistent group snapshots.",
    ),
]
