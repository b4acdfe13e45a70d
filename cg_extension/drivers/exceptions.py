# SPDX-License-Identifier: Apache-2.0
"""What a driver may raise; the manager turns it into a status and a reason."""


class DriverError(Exception):
    """The backend could not do it; the message becomes the resource's ``status_reason``.

    The manager tries again a bounded number of times, unless ``retry`` is False.
    """

    retry = True


class DriverRefusal(DriverError):
    """It can't work as things are, and trying again won't help (refused before any change)."""

    retry = False


class HeldTooLong(DriverError):
    """I/O had been held until the driver's deadline. All of it goes on; nothing is kept."""


class DriverSetupError(DriverError):
    """The backend's configuration or machine is unfit; the backend does not come up."""

    retry = False
