# SPDX-License-Identifier: Apache-2.0
"""Options of the LVM driver, in its backend's section; Cinder's names where they mean the same."""

from oslo_config import cfg

from cg_extension.conf import bounds, kinds

FREEZE_DEADLINE = kinds.FloatOpt(
    "lvm_freeze_deadline",
    default=bounds.FREEZE_DEADLINE.default,
    min=bounds.FREEZE_DEADLINE.least,
    max=bounds.FREEZE_DEADLINE.most,
    help="Seconds for which a group snapshot may hold the writes of its volumes. It holds them for "
    "about a millisecond, longer where a volume's device is slow to flush. Past the deadline "
    "all volumes go on and the group snapshot fails.",
)
COW_PERCENT = kinds.IntOpt(
    "snapshot_cow_percent",
    default=bounds.COW_PERCENT.default,
    min=int(bounds.COW_PERCENT.least),
    max=int(bounds.COW_PERCENT.most),
    help="Size of the copy-on-write store of a thick snapshot, in percent of its volume. Below "
    "100 it can overflow when much is written to the volume; the snapshot is then lost and "
    "can't be restored from.",
)

OPTS = [
    kinds.TextOpt(
        "volume_group",
        forbidden=" @/",
        default="cinder-volumes",
        help="LVM volume group that holds the volumes. It may hold others' volumes as well; those "
        "are left alone.",
    ),
    cfg.StrOpt(
        "lvm_type",
        default="auto",
        choices=[
            ("auto", "thin if the volume group has the thin pool ``lvm_pool_name``, else thick"),
            ("thin", "thin volumes; snapshots and copies cost no space at first"),
            ("default", "thick volumes, whose snapshots need a copy-on-write store each"),
        ],
        help="Kind of volumes.",
    ),
    cfg.StrOpt(
        "lvm_pool_name",
        help="Thin pool in ``volume_group``. Default: the name of the volume group and ``-pool``. "
        "Make it with ``lvcreate --type thin-pool``, with enough room for metadata as well.",
    ),
    cfg.StrOpt(
        "lvm_conf_file",
        help="Path of a configuration file to use instead of LVM's own; its name must be lvm.conf.",
    ),
    cfg.StrOpt(
        "volume_clear",
        default="zero",
        choices=[("zero", "overwrite with zeros"), ("none", "leave the old data on the disks")],
        help="What happens to the content of a thick volume or snapshot before it is removed. New "
        "volumes read as zeros in any case.",
    ),
    kinds.IntOpt(
        "volume_clear_size",
        default=0,
        min=0,
        max=2**31 - 1,
        help="MiB to clear from the start of a deleted volume; 0 clears all of it.",
    ),
    kinds.CommandOpt(
        "volume_clear_ionice",
        help="Arguments of ionice(1) for clearing, such as ``-c3`` for the idle class.",
    ),
    COW_PERCENT,
    FREEZE_DEADLINE,
    kinds.FloatOpt(
        "lvm_pool_data_limit",
        default=95.0,
        min=1,
        max=100,
        help="Percentage of the thin pool's data in use above which no group snapshot is taken.",
    ),
    kinds.FloatOpt(
        "lvm_pool_metadata_limit",
        default=90.0,
        min=1,
        max=100,
        help="Percentage of the thin pool's metadata in use above which no group snapshot is "
        "taken. A pool without room for metadata stops all its volumes: extend it in time "
        "(``lvextend --poolmetadatasize``).",
    ),
    kinds.IntOpt(
        "lvm_copy_workers",
        default=2,
        min=1,
        max=16,
        help="How many pieces of thick volumes are copied at the same time, for each request.",
    ),
    kinds.CommandOpt(
        "lvm_privsep_helper",
        help="Command that starts oslo.privsep's ``privsep-helper`` as root, for a service that "
        "does not run as root. Default: with ``sudo``.",
    ),
]
