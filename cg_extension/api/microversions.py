# SPDX-License-Identifier: Apache-2.0
"""Microversions: ``OpenStack-API-Version: volume X.Y``, as Cinder has it.

Our calls are the same in every version, so a version only has to be one that the host's version
discovery names; the answer repeats it. Which versions those are is the host's to say.
"""

import dataclasses
import re
from collections.abc import Callable
from typing import Any

from cg_extension.contract import exceptions

HEADER = "OpenStack-API-Version"

# Our service type in the header; keystoneauth turns block-storage and volumev3 into it.
_SERVICE = "volume"
_LATEST = "latest"
# The only white space that HTTP has within a header.
_BLANKS = re.compile("[ \t]+")
_VERSION = re.compile(r"([1-9]\d{0,8})\.(0|[1-9]\d{0,8})", re.ASCII)


@dataclasses.dataclass(frozen=True, slots=True)
class Range:
    """The versions from ``oldest`` to ``newest``, each ``X.Y``, that a host's discovery names."""

    oldest: str
    newest: str

    def granted(self, environ: dict[str, Any]) -> str | None:
        """The version that a request gets, ``X.Y``; None if its header names none for us.

        The header may name several services, each with a version; if it names us twice, the first
        counts.

        :raises NotAcceptable: the version does not exist, or the header is malformed.
        """
        for wish in environ.get("HTTP_OPENSTACK_API_VERSION", "").split(","):
            words = _BLANKS.split(wish.strip(" \t").lower())
            if not words[0]:
                continue
            if words[0] == _SERVICE and len(words) == 2:
                return self._grant(words[1])
            if words[0] == _SERVICE or words[0] == _LATEST or words[0][0].isdigit():
                raise self._not_acceptable(f"{HEADER} must be 'volume X.Y' or 'volume latest'")
        return None

    def _grant(self, version: str) -> str:
        if version == _LATEST:
            return self.newest
        if not _VERSION.fullmatch(version):
            raise self._not_acceptable(f"{HEADER} must be 'volume X.Y' or 'volume latest'")
        if not _order(self.oldest) <= _order(version) <= _order(self.newest):
            raise self._not_acceptable(f"Version {version} is not supported by the API")
        return version

    def _not_acceptable(self, reason: str) -> exceptions.NotAcceptable:
        return exceptions.NotAcceptable(
            reason=f"{reason}. Minimum is {self.oldest} and maximum is {self.newest}."
        )


def _order(version: str) -> tuple[int, ...]:
    return tuple(int(number) for number in version.split("."))


def told(version: str, start_response: Callable[..., Any]) -> Callable[..., Any]:
    """A ``start_response`` that adds the header with the version of the answer."""

    def start(status: str, headers: list[tuple[str, str]], *arguments: Any) -> Any:
        more = [(HEADER, f"{_SERVICE} {version}"), ("Vary", HEADER)]
        return start_response(status, [*headers, *more], *arguments)

    return start


# Microversion 3.0 has the calls of API version 2, which are the calls that we have.
FIRST = Range("3.0", "3.0")
