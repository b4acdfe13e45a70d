# SPDX-License-Identifier: Apache-2.0
"""Options of the file driver, in its backend's section."""

from cg_extension.conf import kinds

OPTS = [
    kinds.TextOpt(
        "file_path",
        max_length=4096,
        default="$state_path/volumes",
        help="Directory that holds the volumes and snapshots of the ``file`` driver, each a "
        "sparse file named by its id. It is created if missing, open to the service's user only; "
        "users other than the owner and its group must not be able to write to it. On a file "
        "system with reflinks (XFS, Btrfs, bcachefs) snapshots and clones take no time and no "
        "space; on others their data is copied. Backends must not share a directory.",
    ),
]
