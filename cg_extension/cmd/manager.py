# SPDX-License-Identifier: Apache-2.0
"""``cg-manager``: carries out operations on the backends of ``enabled_backends``."""

from oslo_db import exception as db_exception

from cg_extension import metrics
from cg_extension.cmd import config, deployment
from cg_extension.db import migration
from cg_extension.manager import instance, operation_metrics, service

PROG = "cg-manager"


def main() -> None:
    conf = config.new_conf()
    with config.friendly_errors(
        PROG, db_exception.DBError, instance.AlreadyRunning, service.ConfigurationError
    ):
        config.read(conf, PROG)
        database = deployment.open_database(conf)
        if migration.version(database) is None:
            config.fail(PROG, "The database has no schema yet: run cg-manage db sync.")
        manager = service.ManagerService(conf, database)
        metrics.serve(conf, operation_metrics.OperationCollector(database))
        deployment.run(conf, manager, deployment.StopSignal().wait)
