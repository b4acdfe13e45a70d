# SPDX-License-Identifier: Apache-2.0
"""The contract between an API extension and the host that loads it, with Cinder's names.

A host finds extensions by their entry points in the group ``cg_extension.api.extensions``, calls
each with its extension manager, mounts what ``get_resources`` gives, and has answers extended by
what ``get_controller_extensions`` gives. Finding, checking and mounting are left to the host.
"""

import dataclasses
from collections.abc import Mapping
from typing import Protocol

from oslo_config import cfg

from cg_extension.contract import context as cg_context
from cg_extension.contract import interface

ENTRY_POINTS = "cg_extension.api.extensions"

# Path below the project → HTTP method → name of the controller's function. A part in braces stands
# for any text without a slash, ``{key}`` for the rest of the path.
Table = Mapping[str, Mapping[str, str]]


@dataclasses.dataclass(frozen=True, slots=True)
class ResourceExtension:
    """A collection of the API.

    :param collection: the first part of the path, such as ``consistencygroups``.
    :param controller: an object with any of the functions ``index``, ``create``, ``show``,
        ``update`` and ``delete``, and one for each action.
    :param collection_actions: name → HTTP method of actions at ``/collection/name``.
    :param member_actions: name → HTTP method of actions at ``/collection/{id}/name``.
    :param table: in place of actions, all paths of the collection with the controller's functions.
    :raises ValueError: a path of ``table`` is not in the collection.
    """

    collection: str
    controller: object
    collection_actions: Mapping[str, str] = dataclasses.field(default_factory=dict)
    member_actions: Mapping[str, str] = dataclasses.field(default_factory=dict)
    table: Table | None = None

    def __post_init__(self) -> None:
        for path in self.table or ():
            if path.split("/")[:2] != ["", self.collection]:
                raise ValueError(f"{path} is not a path of the collection {self.collection}")


@dataclasses.dataclass(frozen=True, slots=True)
class ControllerExtension:
    """Further attributes in the answers of a collection that is another extension's or the host's.

    :param extension: the extension that adds them.
    :param collection: the first part of the path, such as ``cgsnapshots``.
    :param controller: an object whose functions marked by ``wsgi.extends`` are called after the
        functions of the same names of the collection's controllers.
    """

    extension: "ExtensionDescriptor"
    collection: str
    controller: object


class ExtensionManager(Protocol):
    """What a host offers to the extensions that it loads."""

    @property
    def conf(self) -> cfg.ConfigOpts:
        """The configuration of the process."""

    @property
    def service(self) -> interface.GroupService:
        """What carries out the calls."""

    def register(self, extension: "ExtensionDescriptor") -> None:
        """Add the extension to the list; called by its constructor."""

    def authorize(
        self, context: cg_context.RequestContext, rule: str, target: Mapping[str, object]
    ) -> None:
        """Check a policy rule.

        :param target: at least ``project_id`` of what is acted upon.
        :raises Forbidden: the rule does not allow it.
        """


class ExtensionDescriptor:
    """One extension. ``updated`` is the time of its last change, ISO 8601; the class's docstring
    describes it in the list of extensions."""

    name: str
    alias: str
    updated: str

    def __init__(self, ext_mgr: ExtensionManager) -> None:
        self.ext_mgr = ext_mgr
        ext_mgr.register(self)

    def get_resources(self) -> list[ResourceExtension]:
        """The collections that this extension adds; called once, when all are registered."""
        return []

    def get_controller_extensions(self) -> list[ControllerExtension]:
        """What this extension adds to answers; called once, when all are registered."""
        return []
