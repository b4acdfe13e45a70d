# SPDX-License-Identifier: Apache-2.0
"""Finds the API extensions that are installed, and keeps out those that don't work.

An extension that can't be loaded, or whose alias or collection is taken, is logged and left out.
One that the deployer requires stops the start.
"""

from collections.abc import Iterable, Mapping
from typing import Any

import stevedore
from oslo_config import cfg
from oslo_log import log as logging

from cg_extension.api import extensions
from cg_extension.conf import errors
from cg_extension.contract import context as cg_context
from cg_extension.contract import exceptions, interface
from cg_extension.reference.wsgi import policy

LOG = logging.getLogger(__name__)


class RequiredExtensionMissing(errors.StartError):
    """An extension of ``required_extensions`` is not there; the service must not start."""


class DuplicateExtension(Exception):
    """An extension asks for an alias or a collection that is taken."""


class ExtensionManager:
    """What extensions get to see of the host, and the host of them.

    :param reserved: collections that are the host's own.
    :raises RequiredExtensionMissing: on construction, see there.
    """

    def __init__(
        self,
        conf: cfg.ConfigOpts,
        service: interface.GroupService,
        enforcer: policy.Enforcer,
        reserved: Iterable[str] = (),
    ) -> None:
        self.conf = conf
        self.service = service
        self._enforcer = enforcer
        self._reserved = frozenset(reserved)
        self._registered: list[extensions.ExtensionDescriptor] = []
        self.extensions: dict[str, extensions.ExtensionDescriptor] = {}
        self.resources: dict[str, extensions.ResourceExtension] = {}
        self.controller_extensions: list[extensions.ControllerExtension] = []
        self._load()

    def register(self, extension: extensions.ExtensionDescriptor) -> None:
        """Part of the contract; an extension's constructor calls it."""
        self._registered.append(extension)

    def authorize(
        self, context: cg_context.RequestContext, rule: str, target: Mapping[str, Any]
    ) -> None:
        """Check a rule, see ``api.extensions.ExtensionManager``."""
        creds = context.to_policy_values()
        if not self._enforcer.allows(rule, cg_context.policy_target(target), creds):
            raise exceptions.Forbidden(action=rule)

    def _load(self) -> None:
        failed: dict[str, str] = {}

        def on_failure(_: Any, entry_point: Any, error: BaseException) -> None:
            LOG.error("API extension %s could not be loaded", entry_point.name, exc_info=error)
            failed[entry_point.name] = str(error)

        found: stevedore.ExtensionManager[Any] = stevedore.ExtensionManager(
            extensions.ENTRY_POINTS, on_load_failure_callback=on_failure
        )
        by_name = sorted(found, key=lambda plugin: plugin.name)
        ours = [plugin for plugin in by_name if plugin.module_name.startswith("cg_extension.")]
        others = [plugin for plugin in by_name if plugin not in ours]
        # Our own first, so that nobody else's extension takes their place.
        for plugin in (*ours, *others):
            try:
                self._add(plugin.plugin)
            except Exception as error:
                LOG.error("API extension %s is left out", plugin.name, exc_info=error)
                failed[plugin.name] = str(error)
        for addition in self.controller_extensions:
            if addition.collection not in {*self._reserved, *self.resources}:
                LOG.warning(
                    "API extension %s extends the collection %s, which is not there",
                    addition.extension.alias,
                    addition.collection,
                )
        for alias in self.conf.required_extensions:
            if alias not in self.extensions:
                reason = failed.get(alias, "no installed package provides it")
                raise RequiredExtensionMissing(
                    f"The API extension {alias} is required by required_extensions, but "
                    f"it is not there: {reason}."
                )

    def _add(self, make: Any) -> None:
        """Make one extension; take it with all of its resources or not at all."""
        self._registered.clear()
        make(self)
        resources: dict[str, extensions.ResourceExtension] = {}
        additions: list[extensions.ControllerExtension] = []
        descriptors: dict[str, extensions.ExtensionDescriptor] = {}
        for extension in self._registered:
            if extension.alias in {**self.extensions, **descriptors}:
                raise DuplicateExtension(f"there is an extension {extension.alias} already")
            descriptors[extension.alias] = extension
            for resource in extension.get_resources():
                taken = {*self._reserved, *self.resources, *resources}
                if resource.collection in taken:
                    raise DuplicateExtension(f"there is a collection {resource.collection} already")
                resources[resource.collection] = resource
            additions += extension.get_controller_extensions()
        self.extensions.update(descriptors)
        self.resources.update(resources)
        self.controller_extensions += additions
        LOG.info("Loaded API extensions: %s", ", ".join(descriptors))
