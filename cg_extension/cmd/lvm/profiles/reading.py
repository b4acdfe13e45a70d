# SPDX-License-Identifier: Apache-2.0
"""A profile as its file has it, read strictly: nothing in it is passed over."""

import dataclasses
import datetime
import math
import os
import pathlib
import pwd
import re
import tomllib
from collections.abc import Mapping, Sequence
from typing import Any

from cg_extension.cmd.lvm import naming
from cg_extension.cmd.lvm.profiles import exits, retention, schema, trust
from cg_extension.conf import errors
from cg_extension.conf import lvm as lvm_options
from cg_extension.drivers.lvm import model

DIRECTORY = pathlib.Path("/etc/cg-lvm")
_SUFFIX = ".toml"
# What systemd needs no escapes for in the name of a unit's instance.
_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,63}")
_TIME = "%Y%m%dT%H%M%SZ"
_ROOT = 0


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Hook:
    """What is run around the group snapshot: ``before`` or a ``session``, ``after``, or both.

    :param user: the name of the user that it runs as.
    :param before: program and arguments, ended before the group snapshot is taken.
    :param session: likewise, kept running meanwhile.
    :param after: likewise, run whatever happened.
    :param time_limit: seconds for each of these, and for a session to get ready and to end.
    :param consistency: what it makes of the content, for the receipt; None: nothing.
    """

    name: str
    user: str
    before: Sequence[str] = ()
    session: Sequence[str] = ()
    after: Sequence[str] = ()
    time_limit: float = 60.0
    consistency: str | None = None


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Profile:
    """What ``run`` does.

    :param name_pattern: of the group snapshots, with ``{time}`` in it.
    :param data_limit: percentage of a pool's data in use above which nothing is taken.
    :param metadata_limit: likewise of its metadata.
    :param metrics_directory: the node exporter's; None: it gets no file.
    """

    name: str
    members: Sequence[str]
    with_submounts: bool
    name_pattern: str
    deadline: float
    cow_percent: int
    hooks: Sequence[Hook]
    keep: retention.Policy
    data_limit: float
    metadata_limit: float
    metrics_directory: pathlib.Path | None

    def snapshot_name(self, now: datetime.datetime) -> str:
        """What to call a group snapshot that is begun now; ``now`` has its time zone."""
        time = now.astimezone(datetime.UTC).strftime(_TIME)
        return self.name_pattern.replace("{profile}", self.name).replace("{time}", time)

    @property
    def consistency(self) -> str:
        """What the content is worth, for the receipt."""
        words = [hook.consistency for hook in self.hooks if hook.consistency]
        return "+".join(words) or naming.CRASH_CONSISTENT


def name_of(word: str) -> str:
    """The name of the profile that is meant by its name or by the path of its file.

    :raises ProfileError: it is no name for a profile.
    """
    name = pathlib.PurePath(word).name.removesuffix(_SUFFIX) if "/" in word else word
    if not _NAME.fullmatch(name):
        raise exits.ProfileError(
            f"not a name for a profile: {name!r}; letters, digits and _ . - make one, the first "
            "of them a letter, a digit or _"
        )
    return name


def read(word: str) -> Profile:
    """The profile that is meant by its name or by the path of its file.

    :raises ProfileError: there is none, others than root can change it, or it is wrong; all
        faults are named.
    """
    name = name_of(word)
    path = pathlib.Path(word) if "/" in word else DIRECTORY / f"{name}{_SUFFIX}"
    if path.suffix != _SUFFIX:
        raise exits.ProfileError(f"{path} is no profile: its name does not end in {_SUFFIX}")
    try:
        _check_trusted(path)
        with open(path, "rb") as file:
            document = tomllib.load(file, parse_float=_finite)
    except FileNotFoundError as error:
        raise exits.ProfileError(f"there is no profile {path}; {_those_there()}") from error
    except OSError as error:
        raise exits.ProfileError(errors.describe(error)) from error
    # Of TOML's grammar, of its characters, or nested deeper than anybody means.
    except (ValueError, RecursionError) as error:
        raise exits.ProfileError(f"{path}: not TOML: {error}") from error
    found = schema.faults(document) or _further_faults(name, document)
    if found:
        raise exits.ProfileError("; ".join(f"{path}: {fault}" for fault in found))
    return _profile(name, document)


def _check_trusted(path: pathlib.Path) -> None:
    if weak := trust.weak_spot(path, {_ROOT, os.geteuid()}):
        raise exits.ProfileError(
            f"{path} may say what others had it say, and root would run it: {weak} can be "
            f"changed by others than root; chown root:root {weak} and chmod go-w {weak} mend that"
        )


def _finite(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise ValueError(f"{text} is no number to work with")
    return number


def _those_there() -> str:
    there = sorted(path.stem for path in DIRECTORY.glob(f"*{_SUFFIX}"))
    return f"in {DIRECTORY} there are: {', '.join(there) or 'none'}"


def _further_faults(name: str, document: Mapping[str, Any]) -> list[str]:
    """What is wrong beyond what a schema can say."""
    found = []
    hooks = document.get("hooks", [])
    for number, hook in enumerate(hooks, 1):
        where = f"hooks[{number}]"
        if hook["name"] in [other["name"] for other in hooks[: number - 1]]:
            found.append(f"{where}.name is {hook['name']} again; each hook has one of its own")
        if not hook.keys() & {"before", "session", "after"}:
            found.append(f"{where} runs nothing; it must have before, session or after")
        if {"before", "session"} <= hook.keys():
            found.append(f"{where} has before and session; it must be two hooks")
        try:
            user = pwd.getpwnam(hook["user"])
        except KeyError:
            found.append(f"{where}.user is {hook['user']}; it must be a user of this machine")
            continue
        for key in ("before", "session", "after"):
            if key in hook and (fault := _fault_of_program(hook[key][0], user)):
                found.append(f"{where}.{key} {fault}")
    pattern = document.get("name", "")
    if len(pattern.replace("{profile}", name)) > 100:
        found.append("name makes names that are too long for LVM; it must be shorter")
    return found


def _fault_of_program(program: str, user: pwd.struct_passwd) -> str | None:
    """What keeps a program from being run as a hook of this user."""
    if not program.startswith("/"):
        return f"begins with {program}; it must be the program's whole path"
    try:
        weak = trust.weak_spot(program, {_ROOT, os.geteuid(), user.pw_uid})
        is_program = os.path.isfile(program) and os.access(program, os.X_OK)
    except OSError as error:
        return f"begins with {program}: {error.strerror}; it must be a program"
    if not is_program:
        return f"begins with {program}; it must be a program, a file that may be executed"
    if weak:
        return (
            f"begins with {program}, and {weak} can be changed by others than root and "
            f"{user.pw_name}; it must not (chmod go-w)"
        )
    return None


def _profile(name: str, document: Mapping[str, Any]) -> Profile:
    limits = document.get("pool-limits", {})
    metrics = document.get("metrics-directory")
    return Profile(
        name=name,
        members=document["members"],
        with_submounts=document.get("with-submounts", False),
        name_pattern=document.get("name", "{profile}-{time}"),
        deadline=float(document.get("deadline", lvm_options.FREEZE_DEADLINE.default)),
        # What the schema has as whole may be written 50.0, which LVM does not take.
        cow_percent=int(document.get("cow-percent", lvm_options.COW_PERCENT.default)),
        hooks=[
            Hook(**{key.replace("-", "_"): value for key, value in hook.items()})
            for hook in document.get("hooks", [])
        ],
        keep=retention.Policy(**{rule: int(n) for rule, n in document.get("keep", {}).items()}),
        data_limit=float(limits.get("data-percent", _DEFAULTS.data_limit)),
        metadata_limit=float(limits.get("metadata-percent", _DEFAULTS.metadata_limit)),
        metrics_directory=pathlib.Path(metrics) if metrics else None,
    )


_DEFAULTS = model.Settings(volume_group="")
