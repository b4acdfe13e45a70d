# SPDX-License-Identifier: Apache-2.0
"""Makes the service that answers the API's calls: ours, or another package's."""

from oslo_config import cfg

from cg_extension.conf import errors, plugins
from cg_extension.reference.db import engine
from cg_extension.reference.service import ReferenceService, manager_client


def make(
    conf: cfg.ConfigOpts, database: engine.Database, managers: manager_client.ManagerClient
) -> ReferenceService:
    """The service that ``group_service`` names; it must have the calls of ``ReferenceService``.

    :raises errors.StartError: there is none of that name, or it can't be made.
    """
    with errors.blaming(f"group_service = {conf.group_service}"):
        make_it = plugins.load(plugins.SERVICES, conf.group_service)
        made: ReferenceService = make_it(conf, database, managers)
    return made
