# SPDX-License-Identifier: Apache-2.0
"""Errors for the operator to mend, each one line that names the option, file or port."""

import contextlib
import os
import pathlib
import re
import traceback
from collections.abc import Iterator

# oslo.config's words for a value that a library reads and can't take.
_BAD_VALUE = re.compile(
    r"Value for option (?P<name>\S+) from .*detail='(?P<file>.*)'\) is not valid: (?P<reason>.*)"
)
# Python's words for a text that is no number: with one, which may be part of a password.
_NO_NUMBER = re.compile("invalid literal for int\\(\\)")
_OURS = pathlib.Path(__file__).parents[1]


class StartError(Exception):
    """The service can't start with this configuration, on this machine; says what to change."""


@contextlib.contextmanager
def blaming(subject: str) -> Iterator[None]:
    """Turn what a library raises in the block into an error that blames ``subject``.

    For blocks that hand an operator's values to a library. What our own code raises passes: that
    is a bug of ours, unless the system refused something (OSError).

    :param subject: an option, with its value unless that may hold a password, or a file.
    :raises StartError: the library or the system refused the value.
    """
    # Not with the module: commands that only describe errors need not wait for it.
    from oslo_config import cfg

    try:
        yield
    except StartError:
        raise
    except cfg.Error as error:  # Its text names the option or file.
        raise StartError(describe(error)) from error
    except OSError as error:
        is_named = error.filename and str(error.filename) in subject
        reason = error.strerror if is_named else describe(error)
        raise StartError(f"{subject}: {reason}") from error
    except Exception as error:
        if _is_ours(error):
            raise
        # Nor in a traceback, for which the cause would be kept.
        cause = None if _NO_NUMBER.match(str(error)) else error
        raise StartError(f"{subject}: {describe(error)}") from cause


def describe(error: BaseException) -> str:
    """What an error says, in one line."""
    if isinstance(error, OSError) and error.strerror:
        return f"{error.filename}: {error.strerror}" if error.filename else error.strerror
    text = str(error.args[0] if isinstance(error, KeyError) and error.args else error)
    lines = [line.strip() for line in text.strip().splitlines()] or [type(error).__name__]
    if bad := _BAD_VALUE.match(lines[0]):
        return f"{bad['name']} ({bad['file']}): {bad['reason']}"
    if _NO_NUMBER.match(lines[0]):
        return (
            "What must be a number, such as the port in a URL, is none; characters such as / @ # : "
            "in the password of a URL are written as % and their code, such as %2F"
        )
    # Some have the cause below a heading; any other lines below are hints for programmers.
    return " ".join(lines[:2]) if lines[0].endswith(":") else lines[0]


@contextlib.contextmanager
def naming_file(path: str | os.PathLike[str]) -> Iterator[None]:
    """Have an OSError name the file that can't be written, for want of room in /run, say."""
    try:
        yield
    except OSError as error:
        raise OSError(error.errno, error.strerror, os.fspath(path)) from error


def _is_ours(error: BaseException) -> bool:
    """Whether a line of this package raised it."""
    frames = traceback.extract_tb(error.__traceback__)
    return not frames or pathlib.Path(frames[-1].filename).is_relative_to(_OURS)
