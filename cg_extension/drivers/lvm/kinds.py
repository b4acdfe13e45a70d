# SPDX-License-Identifier: Apache-2.0
"""Which kinds of volumes can be members of a group snapshot, and what some need: rules, as data.

A re-take needs three things of a member: that LVM makes a snapshot of it while it is in use, that
its topmost device, the one that is suspended, is what all its writes go through, and that LVM's
lock of the volume group keeps others out. What lies below that device (mirrors, stripes, caches,
another pool) makes no difference then.

The words are LVM's own, in ``lvs -o lv_layout,lv_role,lv_modules`` (lvmreport(7), and
``lib/metadata/lv.c``, which makes them), and those of ``reports.TRAITS`` for its yes-or-no fields.
"""

from collections.abc import Mapping

_PART = "is a part of another volume: name that one"

# Why a volume of which LVM says this can't be a member; None: it can. The first reason that
# applies is given. Each line has a test named after it in tests/lvm/test_special_volumes.py, or in
# tests/unit/drivers/lvm/test_kinds.py if such a volume can't be made there.
RULES: Mapping[str, str | None] = {
    # The volume group. LVM itself refuses to read one that is exported, of another machine
    # (system id), clustered, or shared while no lvmlockd runs, and says so.
    "shared": "is in a shared volume group: other machines may use it, and lvmlockd replaces the "
    "lock of LVM's own that a group snapshot needs",
    "partial": "is in a volume group that lacks a physical volume, and that LVM does not change "
    "(vgextend --restoremissing or vgreduce --removemissing)",
    # What is not a volume of its own
    "historical": "was removed; LVM only remembers it",
    **dict.fromkeys(["image", "log", "data", "metadata", "spare"], _PART),
    "pool": "is a pool: name the volumes in it",
    "private": _PART,
    "virtual": "is virtual: it has no storage of its own",
    "thicksnapshot": "is a thick snapshot, and LVM takes no snapshot of a snapshot",
    # What is changing into another one
    "merging": "is being merged with its snapshot or its origin, or will be at its next "
    "activation (lvconvert --merge)",
    "locked": "is being moved (pvmove), and LVM takes no snapshot meanwhile",
    "converting": "is being converted (lvconvert)",
    # Of what kind
    "integrity": "has data integrity, and LVM takes no snapshot of that (lvconvert "
    "--raidintegrity n)",
    "vdo": "is a VDO volume, of which no group snapshot was ever tried",
    # 2.03.16 calls them "unknown", 2.03.31 by their names.
    **dict.fromkeys(["unknown", "error", "zero"], "holds no data (an error or zero target)"),
    "linear": None,
    "striped": None,
    "mirror": None,
    "raid": None,
    "cache": None,
    "cachevol": None,
    "writecache": None,
    "thin": None,
    "sparse": None,
    # What it is to others
    "public": None,
    "origin": None,
    "snapshot": None,
    "thinsnapshot": None,
    "thinorigin": None,
    "thickorigin": None,
    "extthinorigin": None,
    "multithinorigin": None,
    "multithickorigin": None,
    "multiextthinorigin": None,
}

# Arguments of ``lvcreate`` for a snapshot of such a volume.
SNAPSHOT_ARGUMENTS: Mapping[str, list[str]] = {
    # LVM runs cache_check on the metadata of a cache volume while that is in use, which
    # cache_check refuses (2.03.16; lvmcache(7) tells cache volumes from cache pools).
    "cachevol": ["--config", 'global/cache_check_executable=""'],
}

# Thick volumes whose content is in two places.
CACHED = frozenset(["cache", "writecache"])


def obstacle(traits: frozenset[str]) -> str | None:
    """Why a volume with these traits can't be a member, as a predicate; None if it can."""
    # Their levels, e.g. raid5 and raid5_ls, stand beside "raid".
    words = {word for word in traits if not word.startswith("raid")} | (traits & {"raid"})
    for word, reason in RULES.items():
        if word in words and reason:
            return reason
    if strange := words - set(RULES):
        return f"is of a kind that was never tried: {', '.join(sorted(strange))}"
    return None


def is_part(traits: frozenset[str]) -> bool:
    """Whether LVM keeps a volume with these traits for itself, as a part of another one."""
    return "private" in traits


def snapshot_arguments(traits: frozenset[str]) -> list[str]:
    """What ``lvcreate`` needs to be told to make a snapshot of a volume with these traits."""
    return [word for trait in sorted(traits) for word in SNAPSHOT_ARGUMENTS.get(trait, ())]
