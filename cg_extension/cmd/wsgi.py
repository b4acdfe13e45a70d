# SPDX-License-Identifier: Apache-2.0
"""The API for another WSGI server: ``gunicorn cg_extension.cmd.wsgi:application``.

The configuration is found as ``cg-api`` finds it; ``OS_CG_EXTENSION_CONFIG_FILE`` names another
file. The server decides which address it listens on.
"""

import os

from cg_extension.cmd import api, config, databases, lifecycle
from cg_extension.reference import metrics
from cg_extension.reference.manager import database_metrics

_CONFIG_FILE = os.environ.get("OS_CG_EXTENSION_CONFIG_FILE")

with lifecycle.command(api.PROG):
    _conf = config.new_conf()
    # The command line is the server's own.
    config.read(_conf, api.PROG, ["--config-file", _CONFIG_FILE] if _CONFIG_FILE else [])
    _database = databases.open_migrated_database(_conf)
    application = api.build_application(_conf, _database)
    metrics.serve(_conf, *database_metrics.collectors(_conf, _database))
