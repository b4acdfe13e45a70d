# SPDX-License-Identifier: Apache-2.0
"""What the contract's files ask of gabbi beyond gabbi's own keys."""

from typing import Any

from gabbi import handlers


class AbsentStrings(handlers.base.ResponseHandler):  # type: ignore[misc]
    """``response_strings_not``: strings that the body must not have."""

    test_key_suffix = "strings_not"
    test_key_value: list[str] = []

    def action(self, test: Any, item: str, value: None = None) -> None:
        """Fail when the body has ``item``."""
        test.assertNotIn(test.replace_template(item), test.output)
