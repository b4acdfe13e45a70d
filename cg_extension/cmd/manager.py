# SPDX-License-Identifier: Apache-2.0
"""``cg-manager``: carries out operations on the backends of ``enabled_backends``."""

from cg_extension.cmd import config, deployment
from cg_extension.manager import instance, service

PROG = "cg-manager"


def main() -> None:
    conf = config.new_conf()
    with config.friendly_errors(PROG, instance.AlreadyRunning, service.ConfigurationError):
        config.read(conf, PROG)
        manager = service.ManagerService(conf, deployment.open_database(conf))
        deployment.run(conf, manager, deployment.wait_for_signal)
