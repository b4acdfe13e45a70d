# SPDX-License-Identifier: Apache-2.0
"""Compares an answer with the sample of it.

Ids differ from run to run, but the same id in two samples must be the same in the answers; so
must be what contains ids. Of times only the form is compared.
"""

import re
from collections.abc import Iterator
from typing import Any

UUID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}")
# A time or null, by the moment at which it is asked for.
_PERHAPS_TIMES = ("updated_at",)


class Ids:
    """What the samples' texts stand for in this run.

    :param texts: text of the samples → text of this run, such as a project's id.
    """

    def __init__(self, texts: dict[str, str]) -> None:
        self._texts = dict(texts)

    def bind(self, sample: str, real: str) -> bool:
        """Let one stand for the other; False if it stands for something else already."""
        return self._texts.setdefault(sample, real) == real

    def real(self, text: str) -> str:
        """A text of a sample as it is in this run."""
        for sample, real in self._texts.items():
            text = text.replace(sample, real)
        return text


def mismatches(
    sample: Any, real: Any, ids: Ids, *, exact: bool = True, where: str = "$"
) -> Iterator[str]:
    """Where an answer is not as the sample of it.

    :param exact: with values, and lists item by item; else only keys, types and forms, and every
        item as the first of the sample.
    """
    key = where.rpartition(".")[2]
    if key in _PERHAPS_TIMES and {type(sample), type(real)} <= {str, type(None)}:
        if real is not None and not _TIME.fullmatch(real):
            yield f"{where} is no time: {real}"
    elif not exact and None in (sample, real):
        # Whether there is something may depend on the host.
        return
    elif type(sample) is not type(real):
        yield f"{where} is {real!r}, in the sample {sample!r}"
    elif isinstance(sample, dict):
        if sample.keys() != real.keys():
            yield f"{where} has the keys {sorted(real)}, in the sample {sorted(sample)}"
        # In their order: what contains an id comes after it.
        for name in filter(real.__contains__, sample):
            yield from mismatches(
                sample[name], real[name], ids, exact=exact, where=f"{where}.{name}"
            )
    elif isinstance(sample, list):
        if len(sample) != len(real) if exact else bool(sample) != bool(real):
            yield f"{where} has {len(real)} items, in the sample {len(sample)}"
        samples = sample if exact else sample[:1] * len(real)
        for number, (one, other) in enumerate(zip(samples, real, strict=False)):
            yield from mismatches(one, other, ids, exact=exact, where=f"{where}[{number}]")
    elif isinstance(sample, str) and UUID.fullmatch(sample):
        if not UUID.fullmatch(real) or (exact and not ids.bind(sample, real)):
            yield f"{where} is {real}, in the sample {sample}, which was {ids.real(sample)}"
    elif isinstance(sample, str) and _TIME.fullmatch(sample):
        if not _TIME.fullmatch(real):
            yield f"{where} is no time: {real}"
    elif exact and (ids.real(sample) if isinstance(sample, str) else sample) != real:
        yield f"{where} is {real!r}, in the sample {sample!r}"
