# SPDX-License-Identifier: Apache-2.0
"""Makes the service that answers the API's calls: ours, or another package's."""

from oslo_config import cfg

from cg_extension.conf import errors, plugins
from cg_extension.reference.db import engine
from cg_extension.reference.service import ReferenceService, base, manager_client


def make(
    conf: cfg.ConfigOpts, database: engine.Database, managers: manager_client.ManagerClient
) -> ReferenceService:
    """The service that ``group_service`` names; it must have the calls of ``ReferenceService``.

    :raises errors.StartError: there is none of that name, or it can't be made.
    """
    make_it = plugins.load(plugins.SERVICES, conf.group_service, "group_service")
    option = f"group_service = {conf.group_service}"
    if not callable(make_it):
        raise errors.StartError(f"{option}: It is nothing that makes a service")
    if isinstance(make_it, type):
        calls = {name for name in dir(ReferenceService) if not name.startswith("_")}
        if missing := calls.difference(dir(base.Part), dir(make_it)):
            raise errors.StartError(
                f"{option}: It lacks calls of {ReferenceService.__name__}: "
                f"{', '.join(sorted(missing))}"
            )
    with errors.blaming(option):
        made: ReferenceService = make_it(conf, database, managers)
    return made
