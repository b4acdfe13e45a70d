# SPDX-License-Identifier: Apache-2.0
"""What the engine raises. Each takes one message, so that it crosses oslo.privsep unchanged."""

from cg_extension.drivers import exceptions


class LVMError(exceptions.DriverError):
    """An LVM command or a device-mapper call failed; nothing that it began is kept."""


class Refusal(exceptions.DriverRefusal):
    """Refused before anything was changed; the message says what stands in the way."""


class FreezeError(LVMError):
    """The freeze failed. Every device was resumed, and what was taken is of no use."""


class DeadlineExceeded(FreezeError, exceptions.HeldTooLong):
    """I/O was held for longer than the deadline; the watchdog or we ourselves gave up."""
