# SPDX-License-Identifier: Apache-2.0
"""Builds the WSGI application from the paste file, and hands its factories what they work with.

Paste can only pass strings to a factory. Ours take what they need from ``current()``, which holds
while the file is being loaded, so that one process can load several applications.
"""

import configparser
import contextvars
import dataclasses
import importlib.resources
import pathlib
from typing import TYPE_CHECKING, Any

from oslo_config import cfg
from paste import deploy

from cg_extension.conf import errors
from cg_extension.reference.service import ReferenceService
from cg_extension.reference.wsgi import library_defaults, watched
from cg_extension.reference.wsgi import policy as host_policy

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIApplication

PASTE_FILE = "api-paste.ini"


@dataclasses.dataclass(frozen=True)
class Deployment:
    """One running API: its options, the service behind it, and who may do what.

    ``files`` are those that are read again while it runs; filters add theirs.
    ``collections`` are those that paths may begin with, once the application is built.
    """

    conf: cfg.ConfigOpts
    service: ReferenceService
    enforcer: host_policy.Enforcer
    files: list[watched.Watched[Any]] = dataclasses.field(default_factory=list)
    collections: set[str] = dataclasses.field(default_factory=set)


_current: contextvars.ContextVar[Deployment] = contextvars.ContextVar("deployment")


def current() -> Deployment:
    """The deployment whose paste file is being loaded.

    :raises LookupError: called by something else than :func:`load`.
    """
    return _current.get()


def paste_file(conf: cfg.ConfigOpts) -> pathlib.Path:
    """Where the pipelines are: the configured file, one beside the configuration, or our own.

    :raises errors.StartError: the configured file does not exist.
    """
    if conf.api_paste_config:
        configured = conf.find_file(conf.api_paste_config)
        if configured is None:
            raise errors.StartError(
                f"api_paste_config = {conf.api_paste_config}: There is no such file"
            )
        return pathlib.Path(configured).resolve()
    beside = conf.find_file(PASTE_FILE)
    if beside is not None:
        return pathlib.Path(beside).resolve()
    return pathlib.Path(str(importlib.resources.files(__package__) / PASTE_FILE))


def load(conf: cfg.ConfigOpts, service: ReferenceService) -> "WSGIApplication":
    """The application of the pipeline that ``auth_strategy`` names.

    :raises extensions.RequiredExtensionMissing: the service must not start without it.
    :raises errors.StartError: the paste file, a policy file or an option of a filter is wrong.
    """
    library_defaults.set_defaults()
    enforcer = host_policy.make_enforcer(conf)
    enforcer.load_rules()
    deployment = Deployment(conf, service, enforcer)
    if enforcer.files is not None:
        deployment.files.append(enforcer.files)
    path = paste_file(conf)
    _check_pipeline(path, conf.auth_strategy)
    token = _current.set(deployment)
    try:
        # Filters may be anybody's.
        with errors.blaming(f"Paste file {path}, pipeline {conf.auth_strategy}"):
            application: WSGIApplication = deploy.loadapp(f"config:{path}", name=conf.auth_strategy)
            return application
    finally:
        _current.reset(token)


def _check_pipeline(path: pathlib.Path, name: str) -> None:
    """See to it that a paste file is one, and has the pipeline; paste's own errors don't say so.

    :raises errors.StartError: it is not.
    """
    parser = configparser.RawConfigParser(strict=False)
    with errors.blaming(f"Paste file {path}"):
        parser.read_string(path.read_text("utf-8"))
    if not any(section.partition(":")[2] == name for section in parser.sections()):
        raise errors.StartError(
            f"Paste file {path}: It has no [pipeline:{name}], which auth_strategy = {name} asks "
            "for; another service's paste file won't do"
        )
