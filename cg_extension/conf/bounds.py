# SPDX-License-Identifier: Apache-2.0
"""Numbers within bounds, and those that an option and an argument of ``cg-lvm`` have in common.

Without oslo.config, whose import takes longer than many a command has.
"""

import dataclasses
from typing import Any


@dataclasses.dataclass(frozen=True, slots=True)
class Bounds:
    """The numbers of a kind from ``least`` to ``most``, and perhaps a default."""

    kind: type[int] | type[float]
    least: float
    most: float
    default: float = 0

    def number(self, text: Any) -> int | float:
        """What a text, or a number, stands for.

        :raises ValueError: it is none of these numbers; says which they are.
        """
        wanted = "whole number" if self.kind is int else "number"
        error = ValueError(f"It must be a {wanted} from {self.least} to {self.most}")
        try:
            found = self.kind(text)
        except ValueError:
            raise error from None
        if not self.least <= found <= self.most:  # ``nan`` is not, either.
            raise error
        return found


FREEZE_DEADLINE = Bounds(float, 0.05, 60.0, 2.0)
COW_PERCENT = Bounds(int, 1, 100, 100)
