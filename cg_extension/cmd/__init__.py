# SPDX-License-Identifier: Apache-2.0
"""Console entry points, a few lines each; the other modules hold what they share."""

import os
import sys
import warnings

# oslo.service and futurist import eventlet where it is installed. Nothing here uses it.
warnings.filterwarnings("ignore", message=r"\s*Eventlet is deprecated")

# The exit status of a start that failed. gunicorn, which names itself to its workers, gives up when
# a worker ends with 3 (WORKER_BOOT_ERROR); after any other status it starts another, for ever.
FAILED = 3 if os.environ.get("SERVER_SOFTWARE", "").startswith("gunicorn/") else 1

# prometheus_client opens files there when it is imported.
_counters = os.environ.get("PROMETHEUS_MULTIPROC_DIR")
if _counters is not None and not (os.path.isdir(_counters) and os.access(_counters, os.W_OK)):
    sys.stderr.write(f"PROMETHEUS_MULTIPROC_DIR = {_counters}: No directory to write to\n")
    sys.exit(FAILED)
