# SPDX-License-Identifier: Apache-2.0
"""What ``cg-lvm`` prints for people."""

import sys
from collections.abc import Sequence
from typing import Any

from cg_extension.cmd.lvm import parser

_UNKNOWN = "-"
_HEADINGS = ("NAME", "KIND", "VOLUMES", "AGE", "USED", "STATE", "IN")
# Seconds of what an age is told in, from the largest that is less than the age.
_UNITS = ((86400, "d"), (3600, "h"), (60, "min"), (1, "s"))


def text(answer: dict[str, Any]) -> str:
    """The answer of an action; some have it told by a module of their own (``parser``)."""
    if "profile" in answer:
        from cg_extension.cmd.lvm.profiles import text as profiles_text

        return profiles_text.text(answer)
    if "listed" in answer:
        return _table(answer["listed"])
    if "verified" in answer:
        from cg_extension.cmd.lvm import verifying

        return verifying.text(answer)
    if "tested" in answer:
        from cg_extension.cmd.lvm import selftest

        return selftest.text(answer)
    if "shown" in answer:
        return _shown(answer["shown"], answer["volumes"])
    lines = [
        f"{key.replace('_', ' ')}: {_value(value)}"
        for key, value in answer.items()
        if key not in ("volumes", "warnings")
    ]
    rows = [
        "  ".join(f"{key}={value}" for key, value in volume.items() if key != "volume_group")
        for volume in answer["volumes"]
    ]
    notes = [parser.IDENTIFIERS] if "clone" in answer else []
    return "\n".join([*lines, *rows, *notes])


def size(number: int | None) -> str:
    """Bytes in three or four figures."""
    if number is None:
        return _UNKNOWN
    amount, unit = float(number), "B"
    for larger in ("KiB", "MiB", "GiB", "TiB", "PiB"):
        if amount < 1024:
            break
        amount, unit = amount / 1024, larger
    return f"{amount:.0f} {unit}" if unit == "B" or amount >= 100 else f"{amount:.1f} {unit}"


def age(seconds: int | None) -> str:
    """An age in its largest unit; below 0 for what is yet to come, by a clock that went back."""
    if seconds is None:
        return _UNKNOWN
    if seconds < 0:
        return f"-{age(-seconds)}"
    length, unit = next((each for each in _UNITS if seconds >= 2 * each[0]), _UNITS[-1])
    return f"{seconds // length} {unit}"


def _table(listed: Sequence[dict[str, Any]]) -> str:
    if not listed:
        return "there are no group snapshots and no clones"
    rows = [_HEADINGS]
    for each in listed:
        kind = "snapshot" if "snapshot" in each else "clone"
        rows.append(
            (
                each[kind],
                kind,
                str(each["members"]),
                age(each["age_seconds"]),
                size(each["used"]),
                each["state"],
                ",".join(each["volume_groups"]),
            )
        )
    widths = [max(len(row[column]) for row in rows) for column in range(len(_HEADINGS))]
    import shutil  # which no other answer needs

    # Where the terminal is narrow, a long name gives way, then the list of volume groups. What is
    # no terminal has room for all of them: whoever reads it may need them.
    columns = shutil.get_terminal_size((sys.maxsize, 0)).columns
    over = sum(widths) + 2 * (len(widths) - 1) - columns
    for column in (0, len(widths) - 1):
        cut = max(0, min(over, widths[column] - 8))
        widths[column] -= cut
        over -= cut
    return "\n".join(_row(row, widths) for row in rows)


def _row(row: Sequence[str], widths: Sequence[int]) -> str:
    cells = [
        cell if len(cell) <= width else f"{cell[: width - 1]}…"
        for cell, width in zip(row, widths, strict=True)
    ]
    return "  ".join(cell.ljust(width) for cell, width in zip(cells, widths, strict=True)).rstrip()


def _shown(summary: dict[str, Any], volumes: Sequence[dict[str, Any]]) -> str:
    kind = "snapshot" if "snapshot" in summary else "clone"
    held = summary["held_seconds"]
    facts = {
        kind: summary[kind],
        "state": summary["state"],
        "instant": f"{summary['instant'] or _UNKNOWN} ({age(summary['age_seconds'])} ago)",
        "I/O held": _UNKNOWN if held is None else f"{1000 * held:.3f} ms",
        "content": summary["consistency"] or _UNKNOWN,
        "taken by": summary["by"] or _UNKNOWN,
        **({"profile": summary["profile"]} if summary["profile"] else {}),
        "space used": size(summary["used"]),
    }
    lines = [f"{name + ':':<12}{value}" for name, value in facts.items()]
    for volume in volumes:
        lost = "  LOST: its store overflowed" if volume["lost"] else ""
        lines += [
            f"{volume['volume_group']}/{volume['volume']}{lost}",
            f"  UUID      {volume['uuid']}",
            f"  of        {volume['source']}  {volume['source_uuid'] or _UNKNOWN}",
            f"  size      {size(volume['size'])}, used {size(volume['used'])}",
        ]
    return "\n".join(lines)


def _value(value: object) -> str:
    return f"{value:.6f}" if isinstance(value, float) else str(value)
