# SPDX-License-Identifier: Apache-2.0
"""Options of the file driver, in its backend's section."""

from oslo_config import cfg

OPTS = [
    cfg.StrOpt(
        "file_path",
        default="$state_path/volumes",
        help="Directory that holds the volumes and snapshots of the ``file`` driver.",
    ),
]
