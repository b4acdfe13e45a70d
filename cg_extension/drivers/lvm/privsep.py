# SPDX-License-Identifier: Apache-2.0
"""The oslo.privsep context in whose helper a service runs what ``privileged`` has marked.

oslo.privsep keeps its options on oslo.config's global object, in the section ``cg_lvm_privsep``.
"""

import os
import signal
import sys
import threading
from collections.abc import Callable
from typing import Any

from oslo_config import cfg
from oslo_privsep import capabilities, priv_context

from cg_extension.drivers.lvm import privileged

_SECTION = "cg_lvm_privsep"
# Calls wait for disks, not for processors: with oslo.privsep's default, the number of processors,
# a copy could keep a freeze waiting.
_THREADS = 16


class Context(priv_context.PrivContext):
    """A context whose helper ends with its service, not before.

    A service manager stops a service by SIGTERM to all of its processes, but the service finishes
    what is under way, and needs the helper for that. The helper sees by itself when the service
    has ended; what it runs (``lvm``) inherits that the signal is ignored.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._stopping = threading.Lock()

    def is_entrypoint(self, func: Callable[..., Any]) -> bool:
        """Whether the helper may call a function for the service: those that are marked."""
        return privileged.is_marked(func)

    def call(self, function: Callable[..., Any], args: Any, kwargs: Any) -> Any:
        """Have the helper call a marked function; in the helper itself, call it."""
        return self.entrypoint(function)(*args, **kwargs)

    def stop(self) -> None:
        """Close the connection to a helper that has ended; the next call starts another.

        oslo.privsep has each thread do so that finds the helper ended. The last of them must not
        close the connection to the new helper, which another is using by then.
        """
        with self._stopping:
            if self.channel is not None and not self.channel.running:
                super().stop()

    def set_client_mode(self, enabled: bool) -> None:
        """oslo.privsep calls it in the helper, before the first request."""
        super().set_client_mode(enabled)
        if not enabled:
            for number in (signal.SIGTERM, signal.SIGINT):
                signal.signal(number, signal.SIG_IGN)


context = Context(
    "cg_extension.drivers.lvm",
    cfg_section=_SECTION,
    # Where the helper finds it; administrators allow it by this name (etc/sudoers.d).
    pypath=f"{privileged.__name__}.context",
    capabilities=[
        capabilities.CAP_SYS_ADMIN,  # device-mapper ioctls, LVM
        capabilities.CAP_DAC_OVERRIDE,  # /dev, LVM's lock files
        capabilities.CAP_FOWNER,
        capabilities.CAP_CHOWN,
        capabilities.CAP_MKNOD,  # device nodes where udev does not make them
        capabilities.CAP_IPC_LOCK,  # mlockall in the freeze and in LVM
        capabilities.CAP_SYS_RESOURCE,
        capabilities.CAP_SYS_NICE,
        capabilities.CAP_SYS_RAWIO,
        capabilities.CAP_KILL,  # the watchdog ends a freeze that is past its deadline
    ],
)
cfg.CONF.set_default("thread_pool_size", _THREADS, group=_SECTION)


def configure(helper_command: str | None) -> None:
    """Say how the helper process is started, see ``privileged.configure``."""
    if helper_command is None:
        helper = os.path.join(os.path.dirname(sys.executable), "privsep-helper")
        helper_command = helper if os.geteuid() == 0 else f"sudo {helper}"
    cfg.CONF.set_override("helper_command", helper_command, group=_SECTION)
