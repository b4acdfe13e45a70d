# SPDX-License-Identifier: Apache-2.0
"""What Cinder's api-paste.ini names: the filters of its pipelines and the root composite.

Building the application behind them is left to ``application`` and ``v2``, which are imported only
into a release of Cinder that they were tried with. In another one all paths are Cinder's own, so
that an upgrade of Cinder does not take its API down.
"""

import functools
from collections.abc import Callable
from typing import Any

from cinder import api as cinder_api
from oslo_log import log as logging

from cg_extension.api import router
from cg_extension.cinder import release
from cg_extension.conf import plugins

LOG = logging.getLogger(__name__)

Filter = Callable[[router.WSGIApplication], router.WSGIApplication]


def filter_factory(global_conf: dict[str, str], **local_conf: str) -> Filter:
    """Answer the paths of consistency groups and group snapshots, pass on all others.

    Stands last in a pipeline, before Cinder's own application (and before ``v2_factory``'s
    filter where there is one).

    :param local_conf: ``service`` is the entry point name under ``cg_extension.services`` of the
        service that carries out the calls: ``cinder``, or one of another package.
    """
    if not _fits():
        return _pass_all
    from cg_extension.cinder import application

    service = plugins.load(plugins.SERVICES, local_conf.get("service", "cinder"), "service")
    return lambda following: application.ConsistencyGroups(following, service())


def v2_factory(global_conf: dict[str, str], **local_conf: str) -> Filter:
    """Let Cinder's v3 application answer at ``/v2`` as version 2 of the API did."""
    if not _fits():
        return _pass_all
    from cg_extension.cinder import v2

    return v2.Version2


def root_app_factory(loader: Any, global_conf: dict[str, str], **local_conf: str) -> Any:
    """Cinder's root composite, with the ``/v2`` that it would leave out.

    :param loader: paste's, which knows the other sections of the file.
    """
    version2 = local_conf.pop("/v2", None)
    root = cinder_api.root_app_factory(loader, global_conf, **local_conf)
    if version2 is not None and _fits():
        root["/v2"] = loader.get_app(version2, global_conf=global_conf)
    return root


@functools.cache
def _fits() -> bool:
    """Whether the plugin may run in the installed Cinder; the log says once why not."""
    try:
        release.check()
    except release.UnsupportedRelease as error:
        LOG.error("All paths are left to Cinder itself: %s", error)
        return False
    return True


def _pass_all(following: router.WSGIApplication) -> router.WSGIApplication:
    return following
