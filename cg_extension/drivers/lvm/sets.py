# SPDX-License-Identifier: Apache-2.0
"""Sets of volumes that come and go as one, even after a crash: the tags and what they mean.

LVM changes several volumes one after another, each in a commit of its own, and a cut may come
between any two. Only a tag of the *volume group* changes for all of them in one step. So volumes
that are made together carry the name of their set from their ``lvcreate`` on, for good, and a tag
of the volume group says that the set is being made or removed:

====================================  ============  ===========================================
``cg_ext``                            volume        the engine made it
``cg_ext.set=SET``                    volume        it belongs to SET (and perhaps to others)
``cg_ext.begun=SET:BOOT-PID-START``   volume group  that process is making SET
``cg_ext.going=SET:BOOT-PID-START``   volume group  that process is removing SET
====================================  ============  ===========================================

A set that is begun or going is *doomed*: nothing is made of it, and once its process is gone,
recovery removes what there is of it. Every other set counts, as it is.

=========  =========================================  =======================================
making     step                                       cut after it, recovery
=========  =========================================  =======================================
1          the volume group gets the tag ``begun``    takes the tag off
2          ``lvcreate`` of each volume, copying, the  removes what there is, then takes the tag
           re-take
3          the disks are flushed, the tag is taken    finds nothing to do: the set is complete,
           off, the disks are flushed again           if the disks had written that out
=========  =========================================  =======================================

=========  =========================================  =======================================
removing   step                                       cut after it, recovery
=========  =========================================  =======================================
1          volumes that are no set yet get the name   finds nothing to do: a name alone means
           of one, one after another                  nothing
2          the volume group gets the tag ``going``,   removes all of them, then takes the tag
           and the disks are flushed
3          wiping, ``lvremove`` of each volume        removes the rest, then takes the tag off
4          the tag is taken off
=========  =========================================  =======================================

LVM does not flush the disks' caches, so the engine does: before a set is made complete, so that it
is not complete after a power cut that its content did not survive; before the call returns; and
before anything is wiped.

Recovery itself does steps 3 and 4 of removing, so it may be cut as well, and run by any process on
this machine: BOOT-PID-START tells a process that is at work from one that is gone. A volume group
has tags only for what is under way.

Volumes of earlier versions carry ``cg_ext.unfinished=BOOT-PID-START`` themselves instead. A cut
may have left it on a part of a set; the tags of ``cg-lvm`` or the driver then tell the whole set.
"""

import os
import uuid
from collections.abc import Iterable, Mapping, Set

from cg_extension.drivers.lvm.reports import LogicalVolume

OWNED = "cg_ext"
_SET = "cg_ext.set="
BEGUN = "cg_ext.begun="
GOING = "cg_ext.going="
_UNFINISHED = "cg_ext.unfinished="
# Tags of cg-lvm and of the driver that all volumes of a set have in common.
_USERS_SETS = ("cg-lvm.snapshot=", "cg-lvm.clone=", "cgsnapshot=")


def new() -> str:
    """A name for a new set."""
    return uuid.uuid4().hex[:16]


def member_tag(name: str) -> str:
    """The tag of the volumes in a set."""
    return f"{_SET}{name}"


def mark(kind: str, name: str) -> str:
    """The tag of the volume group by which this process dooms a set. ``kind``: BEGUN or GOING."""
    return f"{kind}{name}:{_process(os.getpid())}"


def names(volume: LogicalVolume) -> frozenset[str]:
    """The names of the sets that a volume belongs to."""
    return frozenset(tag.removeprefix(_SET) for tag in volume.tags if tag.startswith(_SET))


def marks(group_tags: Iterable[str], sets: Set[str]) -> set[str]:
    """The tags of a volume group that doom any of these sets."""
    return {tag for tag, (name, _process) in _doomed(group_tags).items() if name in sets}


def is_marked(volume: LogicalVolume) -> bool:
    """Whether a volume belongs to a set that a tag of the volume group dooms."""
    return bool(marks(volume.group_tags, names(volume)))


def is_doomed(volume: LogicalVolume) -> bool:
    """Whether a volume is half-made or half-removed, whoever is at it; it is of no use."""
    return is_marked(volume) or any(tag.startswith(_UNFINISHED) for tag in volume.tags)


def orphaned(group_tags: Iterable[str]) -> set[str]:
    """Those tags of a volume group that doom a set and whose process is gone."""
    return {tag for tag, (_name, process) in _doomed(group_tags).items() if _is_gone(process)}


def of_marks(volumes: Iterable[LogicalVolume], tags: Iterable[str]) -> list[LogicalVolume]:
    """The volumes in sets that these tags of the volume group doom."""
    doomed = {name for name, _process in _doomed(tags).values()}
    return [volume for volume in volumes if names(volume) & doomed]


def left_by_earlier_versions(volumes: Mapping[str, LogicalVolume]) -> list[LogicalVolume]:
    """Volumes that a process which is gone has marked unfinished, and the rest of their sets."""
    ours = [volume for volume in volumes.values() if OWNED in volume.tags]
    marked = [
        volume
        for volume in ours
        if any(_is_gone(t.removeprefix(_UNFINISHED)) for t in volume.tags if _UNFINISHED in t)
    ]
    in_common = {
        tag for volume in marked for tag in volume.tags if tag.startswith((_SET, *_USERS_SETS))
    }
    return [volume for volume in ours if volume in marked or volume.tags & in_common]


def common(wanted: Iterable[LogicalVolume], volumes: Iterable[LogicalVolume]) -> str | None:
    """The name of a set that holds exactly the wanted ones of all volumes; None: there is none."""
    target = {volume.name for volume in wanted}
    members: dict[str, set[str]] = {}
    for volume in volumes:
        for name in names(volume):
            members.setdefault(name, set()).add(volume.name)
    return next((name for name, found in sorted(members.items()) if found == target), None)


def _doomed(group_tags: Iterable[str]) -> dict[str, tuple[str, str]]:
    """The set and the process that a volume group's tags name, by those tags."""
    found = {}
    for tag in group_tags:
        kind, equals, content = tag.partition("=")
        name, colon, process = content.partition(":")
        if kind + equals in (BEGUN, GOING) and colon:
            found[tag] = (name, process)
    return found


def _is_gone(process: str) -> bool:
    """Whether a process has ended; False for text of another form, from a tag that is not ours."""
    try:
        _boot, pid, _start = process.split("-")
        return process != _process(int(pid))
    except (FileNotFoundError, ProcessLookupError):
        return True
    except ValueError:
        return False


def _process(pid: int) -> str:
    with open("/proc/sys/kernel/random/boot_id") as boot_id:
        boot = boot_id.read()[:8]
    with open(f"/proc/{pid}/stat") as stat:
        # Field 22 of proc_pid_stat(5); the name, field 2, may hold blanks and parentheses.
        start = stat.read().rpartition(")")[2].split()[19]
    return f"{boot}-{pid}-{start}"
