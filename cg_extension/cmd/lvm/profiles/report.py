# SPDX-License-Identifier: Apache-2.0
"""What a run tells machines: fields in systemd's journal, and figures for the node exporter."""

import contextlib
import os
import pathlib
import socket
import sys
import tempfile
from collections.abc import Iterable, Mapping, Sequence

from cg_extension.cmd.lvm.profiles.pruning import COMPLETE, Taken
from cg_extension.conf.errors import naming_file

# Kinds of messages in the journal (MESSAGE_ID); they never change.
TAKEN = "3c1f0a6be6d84d0f9f0d4ce1b7c2a951"
DELETED = "8a7d52f4c90e4c2c8f6b1e03d5a94b76"
FAILED = "d06b9e2f71a54b3a9c58e4f7120b6c8d"
UNDONE = "5e94c7b1d3f84a60b2a7f96c08d1e34f"

_JOURNAL = "/run/systemd/journal/socket"
_ERROR, _NOTICE = 3, 5
_STATES = (COMPLETE, "incomplete", "lost")
_FIGURES = (
    ("last_run_timestamp_seconds", "When the last run ended."),
    ("last_run_exit_status", "Its exit status: 0 is good."),
    (
        "newest_snapshot_timestamp_seconds",
        "The instant of the newest complete group snapshot; 0: there is none.",
    ),
    ("snapshots", "How many group snapshots there are, by state."),
)


def journal(message_id: str, message: str, **fields: object) -> None:
    """Send the journal a message with fields, if standard error is the journal's.

    The native protocol: systemd's ``JOURNAL_NATIVE_PROTOCOL``. Nothing depends on it, so it
    fails silently.
    """
    if not _is_journal():
        return
    priority = _ERROR if message_id == FAILED else _NOTICE
    entry = {
        "MESSAGE": message,
        "MESSAGE_ID": message_id,
        "PRIORITY": priority,
        "SYSLOG_IDENTIFIER": "cg-lvm",
        **{f"CG_LVM_{name.upper()}": value for name, value in fields.items()},
    }
    with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sender:
        sender.sendto(b"".join(_field(name, str(value)) for name, value in entry.items()), _JOURNAL)


def _field(name: str, value: str) -> bytes:
    content = value.encode(errors="replace")
    # With its length, as it may have line breaks.
    return b"%s\n%s%s\n" % (name.encode(), len(content).to_bytes(8, "little"), content)


def _is_journal() -> bool:
    """Whether standard error is what systemd says that it is."""
    with contextlib.suppress(OSError, ValueError):
        status = os.fstat(sys.__stderr__.fileno() if sys.__stderr__ else 2)
        return os.environ.get("JOURNAL_STREAM") == f"{status.st_dev}:{status.st_ino}"
    return False


def write_figures(
    directory: pathlib.Path, profile: str, now: float, status: int, found: Sequence[Taken] | None
) -> None:
    """Write the profile's text file for the node exporter, all at once.

    :param now: in seconds since 1970.
    :param found: its group snapshots; None: they can't be told.
    :raises OSError: the file can't be written; an older one stays.
    """
    values: dict[str, Mapping[str, float]] = {
        "last_run_timestamp_seconds": {"": now},
        "last_run_exit_status": {"": status},
    }
    if found is not None:
        instants = [each.instant.timestamp() for each in found if each.counts and each.instant]
        # Of a figure that is missing no alert would tell.
        values["newest_snapshot_timestamp_seconds"] = {"": max(instants, default=0)}
        values["snapshots"] = {
            f',state="{state}"': sum(each.state == state for each in found) for state in _STATES
        }
    path = directory / f"cg_lvm_{profile}.prom"
    # Its name has no suffix by which the node exporter would read it before it is whole.
    with (
        naming_file(path),
        tempfile.NamedTemporaryFile("w", dir=directory, prefix=".cg-lvm-", delete=False) as file,
    ):
        try:
            file.writelines(f"{line}\n" for line in _lines(profile, values))
            file.flush()
            os.fchmod(file.fileno(), 0o644)
            os.replace(file.name, path)
        except BaseException:
            os.unlink(file.name)
            raise


def _lines(profile: str, values: Mapping[str, Mapping[str, float]]) -> Iterable[str]:
    for name, help_text in _FIGURES:
        metric = f"cg_lvm_profile_{name}"
        if name in values:
            yield f"# HELP {metric} {help_text}"
            yield f"# TYPE {metric} gauge"
            for labels, value in values[name].items():
                yield f'{metric}{{profile="{profile}"{labels}}} {value:.15g}'
