# SPDX-License-Identifier: Apache-2.0
"""``cg-status upgrade check``: whether this release can be started on this deployment."""

import sys

from oslo_config import cfg
from oslo_upgradecheck import upgradecheck

from cg_extension.cmd import config
from cg_extension.db import engine, migration
from cg_extension.manager import service

PROG = "cg-status"


class Checks(upgradecheck.UpgradeCommands):
    """One method a check; each says what to do about what it found."""

    def __init__(self, conf: cfg.ConfigOpts) -> None:
        self._conf = conf
        super().__init__()

    def _check_schema(self) -> upgradecheck.Result:
        try:
            version = migration.version(engine.Database(self._conf))
        except Exception as error:
            return upgradecheck.Result(
                upgradecheck.Code.FAILURE, f"The database can't be read: {error}"
            )
        newest = migration.newest_version()
        if version != newest:
            return upgradecheck.Result(
                upgradecheck.Code.FAILURE,
                f"The schema is at {version or 'nothing'}, this release needs {newest}: run "
                "cg-manage db sync.",
            )
        return upgradecheck.Result(upgradecheck.Code.SUCCESS)

    def _check_backends(self) -> upgradecheck.Result:
        if not self._conf.enabled_backends:
            return upgradecheck.Result(
                upgradecheck.Code.WARNING,
                "enabled_backends is empty: no cg-manager can run with this configuration.",
            )
        try:
            service.ManagerService(self._conf, engine.Database(self._conf))
        except service.ConfigurationError as error:
            return upgradecheck.Result(upgradecheck.Code.FAILURE, str(error))
        return upgradecheck.Result(upgradecheck.Code.SUCCESS)

    _upgrade_checks = (("Schema", _check_schema), ("Backends", _check_backends))


def main() -> None:
    conf = config.new_conf()
    sys.exit(upgradecheck.main(conf, config.PROJECT, Checks(conf)))
