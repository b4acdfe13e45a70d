# SPDX-License-Identifier: Apache-2.0
"""Finds what configuration files set and nobody reads: misspelt options and sections."""

import difflib
from collections.abc import Iterable, Iterator, Mapping
from importlib import metadata

from oslo_config import cfg

from cg_extension.conf import check

NAMESPACES = (
    "cg_extension",
    "keystonemiddleware.auth_token",
    "oslo.db",
    "oslo.log",
    "oslo.messaging",
    "oslo.middleware.cors",
    "oslo.middleware.healthcheck",
    "oslo.middleware.http_proxy_to_wsgi",
    "oslo.middleware.sizelimit",
    "oslo.policy",
)
"""Entry points that list the options of this project and of the libraries that it sets up."""

_ENTRY_POINTS = "oslo.config.opts"
_DRIVER = "volume_driver"
# What cg_extension.conf lists the options of all backends as, and drivers whose options these are.
_ANY_BACKEND, _OUR_DRIVERS = "backend1", ("file", "lvm")
# Its options depend on auth_type; those of the plugin may be in a section that it names.
_OF_PLUGINS, _PLUGINS_OWN = "keystone_authtoken", "auth_section"

# By section, the names of its options.
_Names = Mapping[str, set[str]]


def find(conf: cfg.ConfigOpts) -> Iterator[str]:
    """What nobody reads, each with its file and what may be meant; no values, which may be secret.

    Options of backends whose driver is not of this project are not looked at.
    """
    known: _Names | None = None
    files = {path: check.sections(path) for path in check.files(conf)}
    of_plugins = _of_plugins(files.values())
    for path, sections in files.items():
        for section, options in sections.items():
            if _normal(section) in of_plugins or all(
                _is_registered(conf, section, name) for name in options
            ):
                continue
            known = known or _known(conf)  # Takes a while, and is seldom needed.
            yield from _unread(conf, known, path, section, options)


def _normal(section: str) -> str:
    """A section's name as oslo.config compares it."""
    return section if section == "DEFAULT" else section.lower()


def _of_plugins(files: Iterable[Mapping[str, Mapping[str, list[str]]]]) -> set[str]:
    """The sections that hold options of keystoneauth's plugins."""
    found = {_OF_PLUGINS}
    for sections in files:
        for section, options in sections.items():
            if _normal(section) == _OF_PLUGINS:
                found.update(map(_normal, options.get(_PLUGINS_OWN, ())))
    return found


def _is_registered(conf: cfg.ConfigOpts, section: str, name: str) -> bool:
    if section == "DEFAULT":
        return name in conf
    return section in conf and name in conf[section]


def _unread(
    conf: cfg.ConfigOpts, known: _Names, path: str, section: str, options: Mapping[str, list[str]]
) -> Iterator[str]:
    normal = _normal(section)
    if normal in map(_normal, conf.enabled_backends) or _DRIVER in options:
        if options.get(_DRIVER, [""])[-1] not in _OUR_DRIVERS:
            return
        names = known[_ANY_BACKEND]
    elif normal not in known:
        yield f"[{section}] ({path}): There is no such section{_meant(section, known, '[{}]')}"
        return
    else:
        names = known[normal]
    for name in options:
        if _plain(name) not in names:
            yield (
                f"[{section}] {name} ({path}): There is no such option"
                f"{_meant(name, names, '{}') or _elsewhere(name, known)}"
            )


def _known(conf: cfg.ConfigOpts) -> _Names:
    found: dict[str, set[str]] = {"DEFAULT": set()}
    for name in conf:
        value = conf[name]
        if isinstance(value, cfg.ConfigOpts.GroupAttr):
            found[_normal(name)] = set(value)
        else:
            found["DEFAULT"].add(name)
    for entry_point in metadata.entry_points(group=_ENTRY_POINTS):
        if entry_point.name not in NAMESPACES:
            continue
        for group, options in entry_point.load()():
            section = str(group or "DEFAULT")
            for option in options:
                found.setdefault(section, set()).update((option.dest, _plain(option.name)))
                for old in option.deprecated_opts:
                    of = found.setdefault(old.group or section, set())
                    of.add(_plain(old.name or option.name))
    return found


def _plain(name: str) -> str:
    return name.replace("-", "_")


def _meant(name: str, known: Iterable[str], form: str) -> str:
    """What is spelt almost as this."""
    close = difflib.get_close_matches(name, sorted(known), 1)
    return f"; {form.format(close[0])} may be meant" if close else ""


def _elsewhere(name: str, known: _Names) -> str:
    """The section that has such an option."""
    sections = sorted(section for section, names in known.items() if _plain(name) in names)
    return f"; there is one in [{sections[0]}]" if sections else ""
