# SPDX-License-Identifier: Apache-2.0
"""Builds the WSGI application from the paste file, and hands its factories what they work with.

Paste can only pass strings to a factory. Ours take what they need from ``current()``, which holds
while the file is being loaded, so that one process can load several applications.
"""

import contextvars
import dataclasses
import importlib.resources
import pathlib
from typing import TYPE_CHECKING

from oslo_config import cfg
from oslo_policy import policy
from paste import deploy

from cg_extension.host import library_defaults
from cg_extension.host import policy as host_policy
from cg_extension.service import reference

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIApplication

PASTE_FILE = "api-paste.ini"


@dataclasses.dataclass(frozen=True)
class Deployment:
    """One running API: its options, the service behind it, and who may do what."""

    conf: cfg.ConfigOpts
    service: reference.ReferenceService
    enforcer: policy.Enforcer


_current: contextvars.ContextVar[Deployment] = contextvars.ContextVar("deployment")


def current() -> Deployment:
    """The deployment whose paste file is being loaded.

    :raises LookupError: called by something else than :func:`load`.
    """
    return _current.get()


def paste_file(conf: cfg.ConfigOpts) -> pathlib.Path:
    """Where the pipelines are: the configured file, one beside the configuration, or our own.

    :raises cfg.ConfigFilesNotFoundError: the configured file does not exist.
    """
    if conf.api_paste_config:
        configured = conf.find_file(conf.api_paste_config)
        if configured is None:
            raise cfg.ConfigFilesNotFoundError([conf.api_paste_config])
        return pathlib.Path(configured).resolve()
    beside = conf.find_file(PASTE_FILE)
    if beside is not None:
        return pathlib.Path(beside).resolve()
    return pathlib.Path(str(importlib.resources.files(__package__) / PASTE_FILE))


def load(conf: cfg.ConfigOpts, service: reference.ReferenceService) -> "WSGIApplication":
    """The application of the pipeline that ``auth_strategy`` names.

    :raises extensions.RequiredExtensionMissing: the service must not start without it.
    """
    library_defaults.set_defaults()
    deployment = Deployment(conf, service, host_policy.make_enforcer(conf))
    token = _current.set(deployment)
    try:
        return deploy.loadapp(f"config:{paste_file(conf)}", name=conf.auth_strategy)
    finally:
        _current.reset(token)
