# SPDX-License-Identifier: Apache-2.0
"""``GET /healthcheck``, without a token: are database and broker there, and a backend up?

Without the broker it still says 200, since requests are served, and tells what is missing: all API
processes reach the same one, and a load balancer that took them out would make an outage of it.
The same holds for a policy file, or file of users, that was changed to something unusable: it is
named, while what was read before stays in force.

oslo.middleware gives the answer's form and its options (``[healthcheck]``); the check itself is
the service's own.
"""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import oslo_middleware
from oslo_config import cfg
from oslo_middleware.healthcheck import pluginbase

from cg_extension.conf import check
from cg_extension.contract import exceptions
from cg_extension.reference.wsgi import pipeline

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIApplication

PATH = "/healthcheck"


class ServiceHealthcheck(pluginbase.HealthcheckBaseExtension):
    """The plugin that ``[healthcheck] backends`` names ``cg_extension``."""

    def __init__(self, oslo_conf: cfg.ConfigOpts, conf: dict[str, Any]) -> None:
        super().__init__(oslo_conf, conf)
        self._deployment = pipeline.current()

    def healthcheck(self, server_port: int) -> pluginbase.HealthcheckResult:
        """Ask the service; what it raises becomes the reason."""
        try:
            impairment = self._deployment.service.check_health()
        except exceptions.CGExtensionError as error:
            return pluginbase.HealthcheckResult(available=False, reason=error.msg)
        problems = [problem for problem in (impairment, *self._file_problems()) if problem]
        return pluginbase.HealthcheckResult(available=True, reason="; ".join(problems) or "OK")

    def _file_problems(self) -> Iterator[str | None]:
        for each in self._deployment.files:
            each.get()  # Which looks whether they changed.
            yield each.problem


class HealthcheckFilter:
    """Answers ``/healthcheck`` and passes everything else on."""

    def __init__(self, application: "WSGIApplication") -> None:
        self._application = application
        conf = pipeline.current().conf
        self._healthcheck = oslo_middleware.Healthcheck(None, conf)
        check.check_installed(conf, "backends", "healthcheck", "oslo.middleware.healthcheck")

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Any:
        if environ.get("PATH_INFO") == PATH:
            return self._healthcheck(environ, start_response)
        return self._application(environ, start_response)


def factory(global_conf: dict[str, str], **local_conf: str) -> type[HealthcheckFilter]:
    """Paste factory of the filter."""
    return HealthcheckFilter
