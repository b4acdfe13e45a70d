# SPDX-License-Identifier: Apache-2.0
"""Console entry points, a few lines each; ``config`` and ``deployment`` are what they share."""

import warnings

# oslo.service and futurist import eventlet where it is installed. Nothing here uses it.
warnings.filterwarnings("ignore", message=r"\s*Eventlet is deprecated")
