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
stop.await_it()
other = threading.Thread(target=time.sleep, args=(60,), daemon=True)
other.start()
timer = threading.Timer(0.5, signal.pthread_kill, (other.ident, signal.SIGTERM))
timer.start()
stop.wait()
print("stopped")
"""

# A start that waits, for a database say.
_START = """
import os, signal, sys, threading, time
from cg_extension.cmd import lifecycle, work
with lifecycle.command("prog") as begun:
    begun.callback(print, "ended")
    stop = work.StopSignal()
    threading.Timer(0.5, os.kill, [os.getpid(), getattr(signal, sys.argv[1])]).start()
    time.sleep(20)
    print("went on")
"""


# libpq does not return on a signal.
_STUCK = """
import os, signal, socket, threading
import psycopg2
from cg_extension.cmd import lifecycle, work
silent = socket.create_server(("127.0.0.1", 0))
with lifecycle.command("prog"):
    stop = work.StopSignal()
    threading.Timer(0.5, os.kill, [os.getpid(), signal.SIGTERM]).start()
    psycopg2.connect(host="127.0.0.1", port=silent.getsockname()[1])
"""

# A request waits for a server that does not answer any more.
_HANGING = """
import os, signal, threading, time
from oslo_config import cfg
from cg_extension.cmd import lifecycle, work

class Http:
    def start(self):
        threading.Thread(target=time.sleep, args=(600,)).start()
        threading.Timer(0.5, os.kill, [os.getpid(), signal.SIGTERM]).start()

    def stop(self):
        return False

conf = cfg.ConfigOpts()
conf([], version="1")
with lifecycle.command("prog") as begun:
    work.work(conf, begun, work.StopSignal(), http=Http())
"""


class StopSignalTest(base.BaseTestCase):
    def test_it_counts_whichever_thread_the_kernel_gives_it_to(self) -> None:
        done = self._run(_WAIT)
        self.assertEqual("stopped\n", done.stdout, done.stderr)

    def test_a_start_that_waits_ends_on_it(self) -> None:
        for name in ("SIGTERM", "SIGINT"):
            done = self._run(_START, name)
            self.assertEqual(("ended\n", "", 0), (done.stdout, done.stderr, done.returncode))

    def test_a_start_ends_on_it_also_while_a_server_says_nothing(self) -> None:
        done = self._run(_STUCK)
        self.assertEqual(("", "", 0), (done.stdout, done.stderr, done.returncode))

    def test_a_service_ends_on_it_also_while_a_request_hangs(self) -> None:
        done = self._run(_HANGING)
        self.assertEqual(("", 0), (done.stdout, done.returncode), done.stderr)

    def _run(self, program: str, *arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-W", "ignore", "-c", program, *arguments],
            capture_output=True,
            text=True,
            timeout=120,
        )
