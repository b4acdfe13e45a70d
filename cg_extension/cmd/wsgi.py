# SPDX-License-Identifier: Apache-2.0
"""The API for another WSGI server: ``gunicorn cg_extension.cmd.wsgi:application``.

The configuration is found as ``cg-api`` finds it; ``OS_CG_EXTENSION_CONFIG_FILE`` names another
file. Which address it listens on is the server's to say.
"""

import os

from cg_extension import metrics
from cg_extension.cmd import api, config
from cg_extension.host import pipeline

_CONFIG_FILE = os.environ.get("OS_CG_EXTENSION_CONFIG_FILE")

_conf = config.new_conf()
# The command line is the server's own.
config.read(_conf, api.PROG, ["--config-file", _CONFIG_FILE] if _CONFIG_FILE else [])

application = pipeline.load(_conf, api.build_service(_conf))
metrics.serve(_conf)
