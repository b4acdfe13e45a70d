# SPDX-License-Identifier: Apache-2.0
"""``cg-status upgrade check``: whether this release can be started on this deployment."""

import sys
from collections.abc import Callable, Sequence

from oslo_config import cfg
from oslo_upgradecheck import upgradecheck

from cg_extension.cmd import config, databases, lifecycle
from cg_extension.conf import check, errors
from cg_extension.reference.manager import process

PROG = "cg-status"


class Checks(upgradecheck.UpgradeCommands):
    """One method per check; each says what to do about what it found."""

    def __init__(self, conf: cfg.ConfigOpts) -> None:
        self._conf = conf
        super().__init__()

    def _check_schema(self) -> upgradecheck.Result:
        return self._try(lambda: databases.open_migrated_database(self._conf))

    def _check_backends(self) -> upgradecheck.Result:
        if not self._conf.enabled_backends:
            return upgradecheck.Result(
                upgradecheck.Code.WARNING,
                "enabled_backends is empty: no cg-manager can run with this configuration.",
            )
        return self._try(self._load_backends)

    def _load_backends(self) -> None:
        process.Manager(self._conf, databases.open_migrated_database(self._conf))
        check.check(self._conf)

    @staticmethod
    def _try(step: Callable[[], object]) -> upgradecheck.Result:
        """Try a step of a start; an error that would stop the start is what to mend."""
        try:
            step()
        except Exception as error:
            reason = lifecycle.explain(error)
            if reason is None:
                raise
            return upgradecheck.Result(upgradecheck.Code.FAILURE, reason)
        return upgradecheck.Result(upgradecheck.Code.SUCCESS)

    _upgrade_checks = (("Schema", _check_schema), ("Backends", _check_backends))


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the checks; the exit status is oslo.upgradecheck's: 2 for what would stop a start.

    :param arguments: of the command line; None: those of this process.
    """
    with lifecycle.command(PROG):
        conf = config.new_conf()
        upgradecheck.register_cli_options(conf, Checks(conf))
        config.read(conf, PROG, arguments)
        if conf.command.check != "check":  # The library takes any word.
            raise errors.StartError(f"upgrade {conf.command.check}: It must be: upgrade check")
        sys.exit(upgradecheck.run(conf))
