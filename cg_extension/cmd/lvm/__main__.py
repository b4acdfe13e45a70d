# SPDX-License-Identifier: Apache-2.0
"""``python -m cg_extension.cmd.lvm``."""

import sys

from cg_extension.cmd import lvm

if __name__ == "__main__":
    sys.exit(lvm.main())
