# SPDX-License-Identifier: Apache-2.0
"""The application at the end of the pipeline: the host's own calls and those of the extensions."""

from oslo_config import cfg

from cg_extension.api import router
from cg_extension.reference.service import ReferenceService
from cg_extension.reference.wsgi import extensions, pipeline, policy, routes, versions


def build(
    conf: cfg.ConfigOpts, service: ReferenceService, enforcer: policy.Enforcer
) -> router.Router:
    """Load the extensions, and route every call below ``/v2`` and ``/v3``.

    :raises extensions.RequiredExtensionMissing: the service must not start without it.
    """
    manager = extensions.ExtensionManager(conf, service, enforcer, routes.COLLECTIONS)
    application = router.Router(
        versions=versions.MICROVERSIONS, response_validation=conf.api.response_validation
    )
    for extension in manager.controller_extensions:
        application.extend(extension)
    for make_controller, table in routes.ROUTES.items():
        application.add(make_controller(manager), table)
    for resource in manager.resources.values():
        application.add_extension(resource)
    return application


def app_factory(global_conf: dict[str, str], **local_conf: str) -> router.Router:
    """Paste factory of the application."""
    deployment = pipeline.current()
    application = build(deployment.conf, deployment.service, deployment.enforcer)
    deployment.collections.update(application.collections)
    return application
