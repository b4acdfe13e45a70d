# SPDX-License-Identifier: Apache-2.0
"""The file driver with the figures of a thin pool, which files don't have."""

import dataclasses

from cg_extension.drivers import base
from cg_extension.drivers.file.driver import FileDriver


class PoolDriver(FileDriver):
    """A pool of which a third is in use."""

    def get_volume_stats(self) -> base.VolumeStats:
        use = base.PoolUse(used_percent=33.0, limit_percent=90.0)
        return dataclasses.replace(
            super().get_volume_stats(), pool_usage={"data": use, "metadata": use}
        )
