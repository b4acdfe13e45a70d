# SPDX-License-Identifier: Apache-2.0
"""Our controllers in front of Cinder's application: identity, policy and paths between the two."""

from collections.abc import Iterable, Mapping
from typing import Any

from cinder import policy
from cinder.api.openstack import api_version_request
from oslo_config import cfg

from cg_extension import policies
from cg_extension.api import (
    cgsnapshots,
    consistencygroups,
    extensions,
    microversions,
    receipts,
    router,
)
from cg_extension.cinder import context as cinder_context
from cg_extension.cinder import errors, nulls
from cg_extension.conf import responses
from cg_extension.contract import context as cg_context
from cg_extension.contract import interface

DESCRIPTORS = (consistencygroups.Consistencygroups, cgsnapshots.Cgsnapshots, receipts.Receipts)

# The versions that Cinder's version discovery names.
_VERSIONS = microversions.Range(
    api_version_request.min_api_version().get_string(),
    api_version_request.max_api_version().get_string(),
)

CINDER_CONTEXT = "cinder.context"
"""The WSGI environ key under which Cinder's auth filters leave its context."""


class ExtensionManager:
    """What Cinder offers to our extensions: its configuration, its groups and its policies."""

    def __init__(self, service: interface.GroupService) -> None:
        # The one configuration of Cinder's processes; it has most options that our API reads.
        self.conf = cfg.CONF
        self.service = service
        _register_policies()

    def register(self, extension: extensions.ExtensionDescriptor) -> None:
        """Nothing to note: Cinder lists its own extensions, two of them by our aliases."""

    def authorize(
        self, context: cg_context.RequestContext, rule: str, target: Mapping[str, object]
    ) -> None:
        """Check one of our rules as Cinder's policy file has it.

        :raises Forbidden: the rule does not allow it.
        """
        with errors.from_cinder():
            asking = cinder_context.of_cinder(context)
            policy.enforce(asking, rule, cg_context.policy_target(target))


def _register_policies() -> None:
    """Add our rules to Cinder's, without those that Cinder has itself (``context_is_admin``)."""
    policy.init()
    enforcer = policy._ENFORCER
    for rule in policies.list_rules():
        if rule.name not in enforcer.registered_rules:
            enforcer.register_default(rule)
    enforcer.load_rules(force_reload=True)


class ConsistencyGroups:
    """A WSGI filter that answers the paths of both collections and passes on all others.

    :param application: what Cinder would answer with.
    :param service: what carries out the calls.
    """

    def __init__(
        self, application: router.WSGIApplication, service: interface.GroupService
    ) -> None:
        manager = ExtensionManager(service)
        manager.conf.register_opts(responses.OPTS, responses.GROUP)
        self._router = router.Router(application, _VERSIONS, manager.conf.api.response_validation)
        descriptors = [descriptor(manager) for descriptor in DESCRIPTORS]
        for descriptor in descriptors:
            for addition in descriptor.get_controller_extensions():
                self._router.extend(addition)
        for descriptor in descriptors:
            for resource in descriptor.get_resources():
                self._router.add_extension(resource)

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        context = environ.get(CINDER_CONTEXT)
        if context is not None:
            environ[cg_context.ENVIRON_KEY] = cinder_context.RequestContext(context)
        nulls.drop(environ)
        return self._router(environ, start_response)
