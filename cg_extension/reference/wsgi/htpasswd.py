# SPDX-License-Identifier: Apache-2.0
"""The file of users of ``http_basic``: their names and the bcrypt hashes of their passwords."""

import pathlib
import re

import bcrypt

from cg_extension.conf import errors
from cg_extension.reference.wsgi import watched

# bcrypt's versions, cost, and 22 + 31 characters of salt and hash.
_HASH = re.compile(r"\$2[aby]\$\d\d\$[./A-Za-z0-9]{53}")


class Users:
    """Who may come in; the file is read again when it changes (``files``).

    :raises errors.StartError: on construction, the file can't be used.
    """

    def __init__(self, path: str) -> None:
        self._path = path
        self.files = watched.Watched(lambda: [path], self._read)

    def check(self, name: str, password: bytes) -> bool:
        """Whether it is the user's password."""
        known = self.files.get().get(name)
        try:
            # bcrypt takes no more than that, and newer releases of it refuse to.
            return known is not None and bcrypt.checkpw(password[:72], known)
        except ValueError:  # What no password can hold, such as a NUL in some releases.
            return False

    def _read(self) -> dict[str, bytes]:
        users: dict[str, bytes] = {}
        subject = f"http_basic_auth_user_file = {self._path}"
        with errors.blaming(subject):
            # With or without a byte order mark, which would be a part of the first name.
            text = pathlib.Path(self._path).read_text("utf-8-sig")
        for number, line in enumerate(text.splitlines(), 1):
            entry = line.strip()
            if not entry or entry.startswith("#"):
                continue
            name, _, digest = entry.partition(":")
            if not name or not _HASH.fullmatch(digest):
                raise errors.StartError(
                    f"{subject}: Line {number} is not USER:HASH with a hash by bcrypt (htpasswd -B)"
                )
            # The first of several lines counts, as it does for Apache.
            users.setdefault(name, digest.encode())
        return users
