# SPDX-License-Identifier: Apache-2.0
"""Options that the section of every backend has, named as in Cinder."""

from oslo_config import cfg

from cg_extension.conf import kinds

OPTS = [
    cfg.StrOpt(
        "volume_driver",
        help="Entry point name under ``cg_extension.drivers``: ``file``, ``lvm`` or another "
        "vendor's.",
    ),
    cfg.StrOpt(
        "volume_backend_name",
        help="Name that types ask for by the extra spec ``volume_backend_name``. Default: the "
        "name of the section.",
    ),
    kinds.TextOpt(
        "backend_availability_zone",
        help="Zone of this backend, when it is not ``storage_availability_zone``.",
    ),
    kinds.IntOpt(
        "reserved_percentage",
        default=0,
        min=0,
        max=100,
        help="Percentage of the backend's capacity that is not given to volumes.",
    ),
    kinds.FloatOpt(
        "max_over_subscription_ratio",
        default=20.0,
        min=1.0,
        max=10_000.0,
        help="How many times its capacity a thin backend may promise.",
    ),
]
