# SPDX-License-Identifier: Apache-2.0
"""The exit statuses of ``cg-lvm run``, beside 0, 1 and 2, which all actions have."""

from cg_extension.cmd.lvm import naming

PROFILE = 3
UNDER_WAY = 4
POOL = 5
TAKEN_BUT = 6
"""There is a new group snapshot, but an after-hook failed, or not all was deleted."""


class ProfileError(naming.UsageError):
    """A profile's file can't be used; the message names file, key, and what would be right."""

    status = PROFILE


class UnderWay(naming.UsageError):
    """Another run of the profile is under way."""

    status = UNDER_WAY


class PoolAboveLimit(naming.UsageError):
    """A pool is fuller than the profile allows."""

    status = POOL
