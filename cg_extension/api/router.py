# SPDX-License-Identifier: Apache-2.0
"""From a path, with or without a project in front, to the WSGI application for it, by Routes.

Only the path and the version that a client asks for count here; ``wsgi.Resource`` knows which
methods a path has.
"""

from collections.abc import Callable, Iterable
from typing import Any

import routes

from cg_extension.api import extensions, faults, microversions, wsgi
from cg_extension.contract import exceptions

WSGIApplication = Callable[[dict[str, Any], Any], Iterable[bytes]]

# The key of metadata or of an extra spec is all the rest of a path: it may have slashes, which
# clients send as they are.
_FORMS = {"key": ".+"}


def table_of(extension: extensions.ResourceExtension) -> extensions.Table:
    """Every path of an extension's collection: as in its table, else by Cinder's conventions."""
    if extension.table is not None:
        return extension.table
    collection = f"/{extension.collection}"
    member = f"{collection}/{{id}}"
    table = {
        collection: {"GET": "index", "POST": "create"},
        **{f"{collection}/{n}": {m: n} for n, m in extension.collection_actions.items()},
        member: {"GET": "show", "PUT": "update", "DELETE": "delete"},
        **{f"{member}/{n}": {m: n} for n, m in extension.member_actions.items()},
    }
    present = {
        path: {m: name for m, name in methods.items() if hasattr(extension.controller, name)}
        for path, methods in table.items()
    }
    return {path: methods for path, methods in present.items() if methods}


def not_found(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
    """The WSGI application for a path that leads nowhere."""
    message = "There is nothing at this path. Paths look like /v3/{project_id}/consistencygroups."
    return faults.fault(404, message)(environ, start_response)


class Router:
    """A WSGI application made of others, chosen by path in the order in which they were added.

    A path begins with the caller's project or, as in Cinder, at once with a collection; so a
    project with the name of a collection can't be used in a path.

    :param otherwise: the application for all other paths.
    :param versions: the versions that clients may ask for.
    :param response_validation: the value of the option.
    """

    def __init__(
        self,
        otherwise: WSGIApplication = not_found,
        versions: microversions.Range = microversions.FIRST,
        response_validation: str = "ignore",
    ) -> None:
        self._otherwise = otherwise
        self._versions = versions
        self._response_validation = response_validation
        self.collections: set[str] = set()
        self._extending: dict[str, list[Any]] = {}
        self._mapper = routes.Mapper(controller_scan=None, register=False, explicit=True)
        self._mapper.minimization = False
        self._mapper.create_regs([])

    def extend(self, extension: extensions.ControllerExtension) -> None:
        """Let an extension add to the answers of a collection that is mounted after this."""
        self._extending.setdefault(extension.collection, []).append(extension.controller)

    def add(self, controller: Any, table: extensions.Table) -> None:
        """Mount a controller's functions at the paths of a table."""
        for path, functions in table.items():
            collection = path.split("/")[1]
            self.collections.add(collection)
            others = self._extending.get(collection, ())
            resource = wsgi.Resource(controller, functions, self._response_validation, others)
            self._mapper.connect(None, path, controller=resource, requirements=_FORMS)
        self._mapper.create_regs([])

    def add_extension(self, extension: extensions.ResourceExtension) -> None:
        """Mount a collection of an API extension."""
        self.add(extension.controller, table_of(extension))

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        try:
            # WSGI hands over the path's bytes as Latin-1.
            path = environ.get("PATH_INFO", "").encode("latin-1").decode()
        except UnicodeDecodeError:
            return not_found(environ, start_response)
        if "\0" in path:
            # No resource has such a name, and PostgreSQL could not even look for one.
            return not_found(environ, start_response)
        project_id, path = self._split(path)
        arguments = None if project_id == "" else self._mapper.match(path, environ)
        if arguments is None:
            return self._otherwise(environ, start_response)
        try:
            version = self._versions.granted(environ)
        except exceptions.NotAcceptable as error:
            return faults.from_exception(error, environ)(environ, start_response)
        if version is not None:
            start_response = microversions.told(version, start_response)
        application: WSGIApplication = arguments.pop("controller")
        environ["wsgiorg.routing_args"] = ((), {**arguments, "project_id": project_id})
        return application(environ, start_response)

    def _split(self, path: str) -> tuple[str | None, str]:
        """The project that a path begins with (None: it begins with a collection), and the rest."""
        first, slash, rest = path.removeprefix("/").partition("/")
        if first in self.collections:
            return None, path
        return first, f"{slash}{rest}"
