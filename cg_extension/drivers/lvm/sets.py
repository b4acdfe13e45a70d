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

A set over several volume groups
--------------------------------

LVM commits nothing in two volume groups at once, and one of them may be missing when the other is
found after a cut. So the first group by name *decides*, by a change of its tags in one step; in the
others a mark names it, by its UUID, and what it means is looked up there. A decision is a record:
its absence means that nothing was decided, so it stays until the other group has acted on it.

=========================================  ================  ====================================
tag of the volume group                    on                what it says
=========================================  ================  ====================================
``cg_ext.begun=SET:BOOT-PID-START:UUID``   the other groups  as above, until UUID says ``made``
``cg_ext.going=SET:BOOT-PID-START:UUID``   the other groups  to be removed, if UUID says
                                                             ``deleted``; else nothing
``cg_ext.made=SET:BOOT-PID-START:UUID``    the deciding one  the set is complete in group UUID
``cg_ext.deleted=SET:BOOT-PID-START:UUID`` the deciding one  the set is to be removed in group UUID
=========================================  ================  ====================================

=========  ========================================  ========================================
making     step                                      cut after it, recovery
=========  ========================================  ========================================
1          each group gets the tag ``begun``         in each group: takes the tag off
2          ``lvcreate``, the re-take                 in each group: removes what there is
3          all disks are flushed; the deciding       another group finds ``made``, and takes
           group's ``begun`` becomes a ``made`` for  its own tag off; before this step it
           each other, in one step; it is flushed    finds none, and removes what it has
4          the others lose ``begun`` and are         the deciding group: takes ``made`` off
           flushed, then ``made`` is taken off       where the other has no ``begun`` any more
=========  ========================================  ========================================

=========  ========================================  ========================================
removing   step                                      cut after it, recovery
=========  ========================================  ========================================
1          all volumes get a set's name in common    nothing to do
2          the others get ``going`` and are flushed  finds no ``deleted``, takes the tag off
3          the deciding group gets ``going``, and a  every group removes its volumes; another
           ``deleted`` for each other, in one step;  finds ``deleted`` before it does
           it is flushed
4          wiping and ``lvremove`` in each group;    removes the rest; the deciding group takes
           the others lose ``going`` and are         ``deleted`` off where the other has no
           flushed, then ``deleted`` is taken off    ``going`` any more
=========  ========================================  ========================================

Recovery in any group flushes the deciding group's disks before it acts on a decision that it finds
there: a power cut must not take back what was acted on. While the deciding group is missing, the
other's part is in doubt: it counts as doomed, so nothing is made of it, but it is not touched. It
is settled when the group is back. While another group is missing, its record waits. Marks and
records belong together when set and process are the same. ``transaction`` does the steps.

Earlier versions take a mark with a UUID for that of a living process, and leave its set alone.

A rollback's set has one more tag in each group, ``cg_ext.back=SET:BOOT-PID-START``, from after
``begun`` on: when SET is complete, its volumes take the names of others. ``exchange`` does that.

Volumes of earlier versions carry ``cg_ext.unfinished=BOOT-PID-START`` themselves instead. A cut
may have left it on a part of a set; the tags of ``cg-lvm`` or the driver then tell the whole set.
"""

import dataclasses
import os
from collections.abc import Iterable, Mapping, Set

from cg_extension.drivers.lvm.reports import LogicalVolume

OWNED = "cg_ext"
_SET = "cg_ext.set="
BEGUN = "cg_ext.begun="
GOING = "cg_ext.going="
MADE = "cg_ext.made="
DELETED = "cg_ext.deleted="
# Of a set that stands in for other volumes, once it is complete; ``exchange`` acts on it.
BACK = "cg_ext.back="
# Of a volume in such a set: the name that it takes.
TAKES = "cg_ext.takes="
_UNFINISHED = "cg_ext.unfinished="
# Tags of cg-lvm and of the driver that all volumes of a set have in common.
_USERS_SETS = ("cg-lvm.snapshot=", "cg-lvm.clone=", "cgsnapshot=")
# Which record in the deciding group says that a mark in another counts, as the case may be.
_DECISIONS = {BEGUN: MADE, GOING: DELETED}


@dataclasses.dataclass(frozen=True, slots=True)
class Mark:
    """A tag of a volume group about a set.

    :param kind: BEGUN, GOING, MADE, DELETED or BACK.
    :param process: who is at it, as BOOT-PID-START.
    :param group: the UUID of another volume group, or "": for BEGUN and GOING of the deciding one;
        for MADE and DELETED of the one that the decision is about.
    """

    kind: str
    set_name: str
    process: str
    group: str = ""

    def __str__(self) -> str:
        words = [self.set_name, self.process, self.group]
        return self.kind + ":".join(word for word in words if word)

    @property
    def dooms(self) -> bool:
        """Whether the set's volumes in this volume group are of no use."""
        return self.kind in _DECISIONS

    @property
    def is_orphaned(self) -> bool:
        """Whether the process is gone."""
        return is_gone(self.process)

    def decision(self, own_group: str) -> "Mark":
        """The record in the deciding group of this mark, which is one of ``own_group``'s."""
        return Mark(_DECISIONS[self.kind], self.set_name, self.process, own_group)

    def decided(self, deciding_group: str) -> "Mark":
        """The mark in the other group of this record, which is one of ``deciding_group``'s."""
        (kind,) = (kind for kind, record in _DECISIONS.items() if record == self.kind)
        return Mark(kind, self.set_name, self.process, deciding_group)


def new() -> str:
    """A name for a new set."""
    return os.urandom(8).hex()


def member_tag(name: str) -> str:
    """The tag of the volumes in a set."""
    return f"{_SET}{name}"


def mark(kind: str, name: str, group: str = "") -> str:
    """The tag of a volume group by which this process marks a set; see ``Mark``."""
    return str(Mark(kind, name, process(os.getpid()), group))


def read_marks(group_tags: Iterable[str]) -> list[Mark]:
    """What a volume group's tags say of sets, in the order of the tags.

    A record that names no other group is none: it would be acted on like a mark.
    """
    found = []
    for tag in sorted(group_tags):
        kind, equals, content = tag.partition("=")
        name, _colon, rest = content.partition(":")
        process, _colon, group = rest.partition(":")
        mark = Mark(kind + equals, name, process, group)
        acts = mark.dooms or mark.kind == BACK
        if process and (acts or (mark.kind in _DECISIONS.values() and group)):
            found.append(mark)
    return found


def names(volume: LogicalVolume) -> frozenset[str]:
    """The names of the sets that a volume belongs to."""
    return frozenset(tag.removeprefix(_SET) for tag in volume.tags if tag.startswith(_SET))


def marks(group_tags: Iterable[str], sets: Set[str]) -> set[str]:
    """The tags of a volume group that doom any of these sets."""
    return {str(m) for m in read_marks(group_tags) if m.dooms and m.set_name in sets}


def is_marked(volume: LogicalVolume) -> bool:
    """Whether a volume belongs to a set that a tag of the volume group dooms."""
    return bool(marks(volume.group_tags, names(volume)))


def is_doomed(volume: LogicalVolume) -> bool:
    """Whether a volume is half-made or half-removed, whoever is at it; it is of no use."""
    return is_marked(volume) or any(tag.startswith(_UNFINISHED) for tag in volume.tags)


def is_left(volume: LogicalVolume) -> bool:
    """Whether a volume is only there to be removed: its set will not be complete any more."""
    return any(
        mark.kind == GOING or (mark.dooms and mark.is_orphaned)
        for mark in read_marks(volume.group_tags)
        if mark.set_name in names(volume)
    )


def taken_names(volumes: Iterable[LogicalVolume]) -> set[str]:
    """The names that a rollback under way gives to other volumes, or has given just now.

    One that was called off does not count, although its volumes may still be there to be wiped.
    """
    found = [(v, {t.removeprefix(TAKES) for t in v.tags if t.startswith(TAKES)}) for v in volumes]
    return {name for volume, taken in found if taken and not is_left(volume) for name in taken}


def orphaned(group_tags: Iterable[str]) -> list[Mark]:
    """What a volume group's tags say of sets whose process is gone."""
    return [mark for mark in read_marks(group_tags) if mark.is_orphaned]


def of_marks(volumes: Iterable[LogicalVolume], marks: Iterable[Mark]) -> list[LogicalVolume]:
    """The volumes in sets that these marks are about."""
    marked = {mark.set_name for mark in marks}
    return [volume for volume in volumes if names(volume) & marked]


def left_by_earlier_versions(volumes: Mapping[str, LogicalVolume]) -> list[LogicalVolume]:
    """Volumes that a process which is gone has marked unfinished, and the rest of their sets."""
    ours = [volume for volume in volumes.values() if OWNED in volume.tags]
    marked = [
        volume
        for volume in ours
        if any(is_gone(t.removeprefix(_UNFINISHED)) for t in volume.tags if _UNFINISHED in t)
    ]
    in_common = {
        tag for volume in marked for tag in volume.tags if tag.startswith((_SET, *_USERS_SETS))
    }
    return [volume for volume in ours if volume in marked or volume.tags & in_common]


def common(wanted: Iterable[LogicalVolume], volumes: Iterable[LogicalVolume]) -> set[str]:
    """The names of the sets that hold exactly the wanted ones of all volumes of a group."""
    target = {volume.name for volume in wanted}
    members: dict[str, set[str]] = {}
    for volume in volumes:
        for name in names(volume):
            members.setdefault(name, set()).add(volume.name)
    return {name for name, found in members.items() if found == target}


def is_gone(name: str) -> bool:
    """Whether the process called BOOT-PID-START has ended; False for text of another form."""
    try:
        _boot, pid, _start = name.split("-")
        return name != process(int(pid))
    except (FileNotFoundError, ProcessLookupError):
        return True
    except ValueError:
        return False


def process(pid: int) -> str:
    """BOOT-PID-START of a process, which no other has, before or after.

    That of process 1 lasts until the machine goes down.
    """
    with open("/proc/sys/kernel/random/boot_id") as boot_id:
        boot = boot_id.read()[:8]
    with open(f"/proc/{pid}/stat", errors="replace") as stat:
        # Field 22 of proc_pid_stat(5); the name, field 2, may hold blanks and parentheses.
        start = stat.read().rpartition(")")[2].split()[19]
    return f"{boot}-{pid}-{start}"
