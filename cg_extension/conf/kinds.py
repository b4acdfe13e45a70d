# SPDX-License-Identifier: Apache-2.0
"""Types of options that refuse what can't work: bounded on both sides, and never blank.

oslo.config's own treat an empty value as not set, and ``nan`` as a number within any bounds.
"""

import shlex
from typing import Any

from oslo_config import cfg, types

from cg_extension.conf import bounds


class _Bounded(types.Number):
    """A number from ``min`` to ``max``; the error for anything else names both."""

    def __init__(self, num_type: type[int] | type[float], least: float, most: float) -> None:
        name = "integer" if num_type is int else "floating point"
        super().__init__(num_type, f"{name} value", min=least, max=most)
        self._bounds = bounds.Bounds(num_type, least, most)

    def __call__(self, value: Any) -> int | float:
        return self._bounds.number(value)


class _Text(types.String):
    def __init__(self, forbidden: str = "", max_length: int = 255) -> None:
        super().__init__(max_length=max_length)
        self._forbidden = forbidden

    def __call__(self, value: Any) -> str:
        text: str = super().__call__(value)
        if not text.strip():
            raise ValueError("It must not be empty; leave the line out for the default")
        if text != text.strip():
            # Requests lose theirs.
            raise ValueError("It must not begin or end with blanks")
        if not text.isprintable():
            raise ValueError("It must not hold control characters")
        if wrong := sorted(set(self._forbidden).intersection(text)):
            raise ValueError(f"It must not hold any of {self._forbidden!r}, but has {wrong}")
        return text


class _Names(types.List):
    def __call__(self, value: Any) -> list[str]:
        names: list[str] = super().__call__(value)
        if twice := sorted({name for name in names if names.count(name) > 1}):
            raise ValueError(f"It must name each once, but has {', '.join(twice)} twice")
        return names


class _Words(types.String):
    def __call__(self, value: Any) -> str:
        text: str = super().__call__(value)
        shlex.split(text)
        return text


class _URL(types.URI):
    def __call__(self, value: Any) -> str:
        try:
            url: str = super().__call__(value)
        except ValueError as error:
            raise ValueError("It must be a URL such as https://volume.example.org") from error
        return url


class IntOpt(cfg.Opt):
    """A whole number from ``min`` to ``max``."""

    def __init__(self, name: str, *, min: int, max: int, **options: Any) -> None:
        super().__init__(name, type=_Bounded(int, min, max), **options)


class FloatOpt(cfg.Opt):
    """A finite number from ``min`` to ``max``."""

    def __init__(self, name: str, *, min: float, max: float, **options: Any) -> None:
        super().__init__(name, type=_Bounded(float, min, max), **options)


class TextOpt(cfg.Opt):
    """Printable text that is not empty, and fits the database's columns.

    :param forbidden: characters that it must not hold.
    """

    def __init__(
        self, name: str, *, forbidden: str = "", max_length: int = 255, **options: Any
    ) -> None:
        super().__init__(name, type=_Text(forbidden, max_length), **options)


class NamesOpt(cfg.Opt):
    """A list of names, none of them empty or repeated.

    :param forbidden: characters that no name may hold.
    """

    def __init__(self, name: str, *, forbidden: str = "", **options: Any) -> None:
        super().__init__(name, type=_Names(_Text(f",{forbidden}")), **options)


class URLOpt(cfg.Opt):
    """A complete http or https URL."""

    def __init__(self, name: str, **options: Any) -> None:
        super().__init__(name, type=_URL(schemes=["http", "https"]), **options)


class CommandOpt(cfg.Opt):
    """Words of a command line, quoted as for a shell."""

    def __init__(self, name: str, **options: Any) -> None:
        super().__init__(name, type=_Words(), **options)
