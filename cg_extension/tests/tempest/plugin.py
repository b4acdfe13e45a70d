# SPDX-License-Identifier: Apache-2.0
"""Entry point ``tempest.test_plugins``: tells tempest of the tests, options and clients."""

import os
from typing import Any

from oslo_config import cfg
from tempest.test_discover import plugins

import cg_extension
from cg_extension.tests.tempest import config


class CGExtensionPlugin(plugins.TempestPlugin):
    """Tests of consistency groups, by their HTTP API alone."""

    def load_tests(self) -> tuple[str, str]:
        """Where the tests are, and the directory that their import path starts from."""
        base = os.path.dirname(os.path.dirname(cg_extension.__file__))
        return os.path.join(base, "cg_extension", "tests", "tempest", "scenarios"), base

    def register_opts(self, conf: cfg.ConfigOpts) -> None:
        """Add our section to tempest's options."""
        conf.register_group(config.GROUP)
        conf.register_opts(config.OPTS, group=config.GROUP)

    def get_opt_lists(self) -> list[tuple[str, list[cfg.Opt]]]:
        """Our options, for the sample file."""
        return [(config.GROUP.name, config.OPTS)]

    def get_service_clients(self) -> list[dict[str, Any]]:
        """The client of both collections."""
        return [
            {
                "name": "consistency_group_v3",
                "service_version": "consistency_group.v3",
                "module_path": "cg_extension.tests.tempest.client",
                "client_names": ["ConsistencyGroupsClient"],
            }
        ]
