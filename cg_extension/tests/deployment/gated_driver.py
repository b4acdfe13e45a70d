# SPDX-License-Identifier: Apache-2.0
"""A driver whose work takes as long as a test wants: until it opens the gate."""

import os
import pathlib
import time

from cg_extension.contract import records
from cg_extension.drivers import base
from cg_extension.drivers.file.driver import FileDriver

# A file of this name in ``file_path`` holds up everything that makes a volume.
GATE = "gate"


class GatedDriver(FileDriver):
    """The file driver, which waits in the middle of making a volume."""

    def create_volume(self, context: base.Context, volume: records.Volume) -> base.ModelUpdate:
        directory = pathlib.Path(self.options.file_path)
        (directory / f"waiting-{os.getpid()}").touch()
        while (directory / GATE).exists():
            time.sleep(0.02)
        return super().create_volume(context, volume)
