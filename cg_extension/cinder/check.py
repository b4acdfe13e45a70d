# SPDX-License-Identifier: Apache-2.0
"""``cg-cinder-status``: says whether a Cinder configuration runs this plugin completely.

Reads cinder.conf, api-paste.ini, the group type in Cinder's database and the environments of
running services; changes nothing.
"""

import collections
import configparser
import dataclasses
import enum
import os
import sys
from collections.abc import Callable, Iterator, Mapping

try:
    from cinder import context as cinder_context
except ModuleNotFoundError as missing:
    if missing.name != "cinder":
        raise
    sys.stderr.write(
        f"cg-cinder-status: There is no Cinder for {sys.executable}; install this package where"
        " Cinder is, and run the command there\n"
    )
    sys.exit(2)
from cinder import exception, objects
from cinder.common import config  # noqa: F401  (registers Cinder's options)
from cinder.volume import group_types
from oslo_config import cfg
from oslo_db import exception as db_exception
from oslo_service import wsgi

from cg_extension.cinder import modes, release
from cg_extension.conf import errors, version

FILTER_FACTORY = "cg_extension.cinder.paste:filter_factory"
V2_FACTORY = "cg_extension.cinder.paste:v2_factory"
ROOT_FACTORY = "call:cg_extension.cinder.paste:root_app_factory"
DRIVER = "cg_extension.cinder.volume_driver.ConsistentLVMVolumeDriver"
CINDER_LVM_DRIVER = "cinder.volume.drivers.lvm.LVMVolumeDriver"
SHARED_BACKEND_GROUP = "backend_defaults"
CONSISTENT = "consistent_group_snapshot_enabled"


class Level(enum.IntEnum):
    """How bad a finding is; also the exit code, as in ``cinder-status``."""

    OK = 0
    WARNING = 1
    FAILURE = 2


@dataclasses.dataclass(frozen=True, slots=True)
class Finding:
    """One thing looked at, and what to do about it."""

    level: Level
    subject: str
    text: str


def check_release(conf: cfg.ConfigOpts) -> Iterator[Finding]:
    """The installed Cinder is one that was tried."""
    try:
        release.check()
    except release.UnsupportedRelease as error:
        yield Finding(Level.FAILURE, "Cinder", str(error))
        return
    if release.is_tried():
        yield Finding(Level.OK, "Cinder", "this release was tried")
    else:
        yield Finding(Level.WARNING, "Cinder", "this release was not tried, and is allowed")


def check_mode(conf: cfg.ConfigOpts) -> Iterator[Finding]:
    """Services run with eventlet or with native threads, and can."""
    try:
        here = modes.of(os.environ)
    except ValueError as error:
        yield Finding(Level.FAILURE, "mode", f"no service starts in this environment: {error}")
        return
    services = collections.Counter((each.command, each.mode) for each in modes.running())
    if not services:
        yield Finding(
            Level.OK, "mode", f"no service is seen here; this environment is for {here.value}"
        )
    for (command, mode), count in sorted(services.items(), key=str):
        if mode is None:
            found = "may not be read; run this as root or as the service's user"
            yield Finding(Level.WARNING, command, f"the environment of its processes {found}")
        elif (command, mode) == (modes.API, modes.Mode.THREADS):
            yield Finding(
                Level.FAILURE,
                command,
                "does not start with native threads; serve cinder.wsgi.api:application by a WSGI"
                f" server with threads, or take {modes.VARIABLE} out of its environment",
            )
        else:
            yield Finding(Level.OK, command, f"runs with {mode.value} (processes: {count})")


def check_paste(conf: cfg.ConfigOpts) -> Iterator[Finding]:
    """The API's pipelines hold our filters."""
    path = conf.find_file(conf.api_paste_config) or conf.api_paste_config
    # Paste reads sections with "%" in other values, so no interpolation here.
    paste = configparser.RawConfigParser()
    if not paste.read(path):
        yield Finding(Level.FAILURE, "api-paste.ini", f"{path} can't be read")
        return
    yield _check_pipeline(paste, conf, "/v3", ())
    root = _options(paste, "composite:osapi_volume")
    if "/v2" not in root:
        yield Finding(
            Level.WARNING, "/v2", "not mounted; clients that speak version 2 get no answer"
        )
    elif root.get("use") != ROOT_FACTORY:
        yield Finding(
            Level.FAILURE,
            "/v2",
            f"[composite:osapi_volume] must have 'use = {ROOT_FACTORY}': Cinder's own leaves out"
            " /v2",
        )
    else:
        yield _check_pipeline(paste, conf, "/v2", (V2_FACTORY,))


def _options(paste: configparser.RawConfigParser, section: str) -> Mapping[str, str]:
    return dict(paste[section]) if paste.has_section(section) else {}


def _check_pipeline(
    paste: configparser.RawConfigParser,
    conf: cfg.ConfigOpts,
    path: str,
    following: tuple[str, ...],
) -> Finding:
    """Our filter, then those of ``following``, must stand last before the application."""
    name = _options(paste, "composite:osapi_volume").get(path)
    pipelines = _options(paste, f"composite:{name}")
    strategy = conf.auth_strategy
    pipeline = pipelines.get(strategy, "")
    if not conf.api_rate_limit:
        pipeline = pipelines.get(f"{strategy}_nolimit", pipeline)
    filters = pipeline.split()[:-1]
    factories = [
        _options(paste, f"filter:{each}").get("paste.filter_factory", "") for each in filters
    ]
    wanted = [FILTER_FACTORY, *following]
    if factories[-len(wanted) :] == wanted:
        return Finding(Level.OK, path, f"the pipeline for '{strategy}' is complete")
    return Finding(
        Level.FAILURE,
        path,
        f"in [composite:{name}] the pipeline '{strategy}' must have filters with"
        f" paste.filter_factory = {' and '.join(wanted)} right before its application",
    )


def check_backends(conf: cfg.ConfigOpts) -> Iterator[Finding]:
    """The LVM backends use our driver."""
    for backend in filter(None, conf.enabled_backends or ()):
        name = _volume_driver(conf, backend)
        if name == DRIVER:
            yield Finding(Level.OK, f"[{backend}]", "uses the consistent LVM driver")
        elif name == CINDER_LVM_DRIVER:
            yield Finding(
                Level.WARNING,
                f"[{backend}]",
                f"consistency groups on it end in error; set volume_driver = {DRIVER}",
            )
        else:
            yield Finding(Level.OK, f"[{backend}]", f"left to its own driver, {name}")


def _volume_driver(conf: cfg.ConfigOpts, backend: str) -> str:
    """A backend's driver. Cinder's option for it is in a module that starts half of Cinder."""
    for group in (backend, SHARED_BACKEND_GROUP):
        conf.register_opt(cfg.StrOpt("volume_driver"), group=group)
    shared = conf[SHARED_BACKEND_GROUP].volume_driver
    return conf[backend].volume_driver or shared or CINDER_LVM_DRIVER


def check_group_type(conf: cfg.ConfigOpts) -> Iterator[Finding]:
    """The group type that marks consistency groups exists and asks for a consistent backend."""
    name = group_types.DEFAULT_CGSNAPSHOT_TYPE
    try:
        group_type = group_types.get_group_type_by_name(cinder_context.get_admin_context(), name)
    except exception.GroupTypeNotFoundByName:
        yield Finding(
            Level.FAILURE,
            "group type",
            f"{name} does not exist; create it with the group spec {CONSISTENT} = '<is> True'",
        )
    except db_exception.DBError as error:
        yield Finding(
            Level.FAILURE,
            "group type",
            f"the database does not answer: {str(error).splitlines()[0]}",
        )
    else:
        if not group_type["is_public"]:
            yield Finding(
                Level.WARNING,
                "group type",
                f"{name} is not public; projects that have no access to it can't make groups (404)",
            )
        if group_type["group_specs"].get(CONSISTENT) == "<is> True":
            yield Finding(Level.OK, "group type", f"{name} is as Cinder makes it")
        else:
            yield Finding(
                Level.FAILURE,
                "group type",
                f"{name} must have the group spec {CONSISTENT} = '<is> True', or groups land on"
                " backends that can't keep the promise",
            )


CHECKS: tuple[Callable[[cfg.ConfigOpts], Iterator[Finding]], ...] = (
    check_release,
    check_mode,
    check_paste,
    check_backends,
    check_group_type,
)


def _findings(
    check: Callable[[cfg.ConfigOpts], Iterator[Finding]], conf: cfg.ConfigOpts
) -> Iterator[Finding]:
    """What a check finds; what keeps it from looking is a finding as well."""
    try:
        yield from check(conf)
    except Exception as error:
        subject = check.__name__.removeprefix("check_").replace("_", " ")
        yield Finding(Level.FAILURE, subject, f"can't be looked at: {errors.describe(error)}")


def main() -> int:
    """Print all findings; return 0 if complete, 1 with warnings, 2 if something is missing."""
    conf = cfg.CONF
    objects.register_all()
    wsgi.register_opts(conf)
    try:
        conf(sys.argv[1:], project="cinder", version=version.of("cg-cinder-status"))
    except cfg.Error as error:
        sys.stderr.write(f"cg-cinder-status: {errors.describe(error)}\n")
        return int(Level.FAILURE)
    worst = Level.OK
    for check in CHECKS:
        for finding in _findings(check, conf):
            print(f"{finding.level.name:8} {finding.subject}: {finding.text}")
            worst = max(worst, finding.level)
    return int(worst)


if __name__ == "__main__":
    sys.exit(main())
