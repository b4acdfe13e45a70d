# SPDX-License-Identifier: Apache-2.0
"""What ends a command."""

import subprocess
import sys

from oslotest import base

# Signals have handlers in a process's main thread only.
_WAIT = """
import signal, threading, time
from cg_extension.cmd import work
stop = work.StopSignal()
other = threading.Thread(target=time.sleep, args=(60,), daemon=True)
other.start()
timer = threading.Timer(0.5, signal.pthread_kill, (other.ident, signal.SIGTERM))
timer.start()
stop.wait()
print("stopped")
"""


class StopSignalTest(base.BaseTestCase):
    def test_it_counts_whichever_thread_the_kernel_gives_it_to(self) -> None:
        done = subprocess.run(
            [sys.executable, "-W", "ignore", "-c", _WAIT],
            capture_output=True,
            text=True,
            timeout=120,
        )
        self.assertEqual("stopped\n", done.stdout, done.stderr)
