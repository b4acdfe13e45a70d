# SPDX-License-Identifier: Apache-2.0
"""Reads every option once at the start, so that no wrong one is left for a client to find."""

import glob
import itertools
from collections.abc import Iterator, Mapping
from importlib import metadata
from typing import Any

from oslo_config import cfg

from cg_extension.conf import errors

# Bounds of libraries' options that have none of their own, or bounds too wide to work.
_LIBRARY_BOUNDS: dict[tuple[str | None, str], tuple[int, int]] = {
    ("database", "max_pool_size"): (1, 10_000),
    ("database", "max_overflow"): (0, 10_000),
    ("database", "max_retries"): (-1, 1_000_000),
    ("database", "retry_interval"): (0, 3600),
    ("database", "connection_recycle_time"): (-1, 2**31 - 1),
    ("database", "pool_timeout"): (0, 86_400),
    ("oslo_middleware", "max_request_body_size"): (1024, 2**40),
    ("cors", "max_age"): (0, 2**31 - 1),
    ("keystone_authtoken", "http_connect_timeout"): (1, 3600),
    ("keystone_authtoken", "http_request_max_retries"): (0, 1000),
    ("keystone_authtoken", "token_cache_time"): (-1, 2**31 - 1),
    (None, "log_rotate_interval"): (0, 100_000),
    (None, "max_logfile_count"): (0, 100_000),
    (None, "max_logfile_size_mb"): (0, 2**20),
}

# Options that name a file without which no connection can be made.
_LIBRARY_FILES = [
    ("oslo_messaging_rabbit", "ssl_ca_file"),
    ("oslo_messaging_rabbit", "ssl_cert_file"),
    ("oslo_messaging_rabbit", "ssl_key_file"),
]


def check(conf: cfg.ConfigOpts) -> None:
    """Read all options that are registered, of all groups.

    Libraries register some of theirs only when they are set up: call it again after that.

    :raises errors.StartError: a value can't work, or two contradict each other.
    """
    for name in conf:
        value = _read(conf, name)
        if isinstance(value, cfg.ConfigOpts.GroupAttr):
            for option in value:
                _check_bounds(conf, option, name, _read(conf, option, name))
        else:
            _check_bounds(conf, name, None, value)
    for group, name in _LIBRARY_FILES:
        if group in conf and name in conf[group] and conf[group][name]:
            with errors.blaming(describe(conf, name, group)), open(conf[group][name], "rb"):
                pass
    _check_pairs(conf)


def check_installed(conf: cfg.ConfigOpts, name: str, group: str, namespace: str) -> None:
    """Check that the entry points which an option names exist: libraries only log it if not.

    :param namespace: the group of these entry points.
    :raises errors.StartError: no installed package has such an entry point.
    """
    installed = {each.name for each in metadata.entry_points(group=namespace)}
    if unknown := [each for each in conf[group][name] if each not in installed]:
        raise errors.StartError(
            f"{describe(conf, name, group)}: There is no {', '.join(unknown)}; there are "
            f"{', '.join(sorted(installed))}"
        )


def describe(conf: cfg.ConfigOpts, name: str, group: str | None = None) -> str:
    """``[group] name = value (file)`` as the operator wrote it; not for secret values."""
    shown = f"[{group}] {name}" if group else name
    written = _written(conf, name, group)
    if written is None:  # A default, or from the environment.
        return f"{shown} = {_section(conf, group).get(name)}"
    value, path = written
    return f"{shown} = {value} ({path})"


def files(conf: cfg.ConfigOpts) -> list[str]:
    """The configuration files that were read; of an option in several, the last one counts."""
    directories = [glob.glob(f"{path}/*.conf") for path in conf.config_dir or ()]
    return [*(conf.config_file or ()), *itertools.chain.from_iterable(map(sorted, directories))]


def sections(path: str) -> dict[str, dict[str, list[str]]]:
    """What a configuration file has: by section, all values of each option as text."""
    found: dict[str, dict[str, list[str]]] = {}
    cfg.ConfigParser(path, found).parse()
    return found


def _written(conf: cfg.ConfigOpts, name: str, group: str | None) -> tuple[str, str] | None:
    """An option's value as text, and the configuration file that has it."""
    for path in reversed(files(conf)):
        if values := sections(path).get(group or "DEFAULT", {}).get(name):
            return values[-1], path
    return None


def _section(conf: cfg.ConfigOpts, group: str | None) -> Mapping[str, Any]:
    return conf[group] if group else conf


def _read(conf: cfg.ConfigOpts, name: str, group: str | None = None) -> object:
    try:
        return _section(conf, group)[name]
    except cfg.NoSuchOptError as error:  # The value refers to an unknown option.
        if _written(conf, name, group) is None:
            return None  # A default that refers to the wrong value, which is found by itself.
        raise errors.StartError(
            f"{describe(conf, name, group)}: It refers to an option that does not exist; a dollar "
            "sign is written $$"
        ) from error
    except ValueError as error:
        reason = str(error)
        reason = reason.partition("is not valid: ")[2] or reason
        raise errors.StartError(f"{describe(conf, name, group)}: {reason}") from error


def _check_bounds(conf: cfg.ConfigOpts, name: str, group: str | None, value: object) -> None:
    bounds = _LIBRARY_BOUNDS.get((group, name))
    if bounds is None or (value is None and _written(conf, name, group) is None):
        return
    least, most = bounds
    if not (isinstance(value, int) and least <= value <= most):
        raise errors.StartError(
            f"{describe(conf, name, group)}: It must be a whole number from {least} to {most}"
        )


def _check_pairs(conf: cfg.ConfigOpts) -> None:
    """Check options that depend on each other.

    :raises errors.StartError: two contradict each other.
    """
    if conf.service_down_time <= conf.report_interval:
        raise errors.StartError(
            f"{describe(conf, 'service_down_time')}: It must be more than report_interval, which "
            f"is {conf.report_interval}, or backends count as down between two heartbeats"
        )
    if "log_rotate_interval" in conf and not _can_rotate(conf):
        raise errors.StartError(
            f"{describe(conf, 'log_rotate_interval')}: It must be 1 or more, unless "
            "log_rotate_interval_type is Weekday"
        )
    for backend, deadline in _freeze_deadlines(conf):
        if deadline >= conf.operation_lease:
            raise errors.StartError(
                f"{describe(conf, 'lvm_freeze_deadline', backend)}: It must be less than "
                f"operation_lease, which is {conf.operation_lease}, or another manager could take "
                "over while volumes are held"
            )


def _can_rotate(conf: cfg.ConfigOpts) -> bool:
    """Whether each rotation of the log is later than the last; else logging loops for ever."""
    weekday = conf.log_rotate_interval_type.lower() == "weekday"  # 0 is a Monday.
    return bool(weekday or conf.log_rotate_interval > 0)


def _freeze_deadlines(conf: cfg.ConfigOpts) -> Iterator[tuple[str, float]]:
    for backend in conf.enabled_backends:
        # Registered when the backend's driver is loaded, if that is the LVM driver.
        if backend in conf and "lvm_freeze_deadline" in conf[backend]:
            yield backend, conf[backend].lvm_freeze_deadline
