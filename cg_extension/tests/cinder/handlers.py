# SPDX-License-Identifier: Apache-2.0
"""What the contract's files ask of gabbi beyond gabbi's own keys."""

from gabbi import handlers
from gabbi.handlers import base


class StringsNotHandler(base.ResponseHandler):
    """``response_strings_not``: texts that the answer must not contain."""

    test_key_suffix = "strings_not"
    test_key_value: list[str] = []

    def action(self, test, item, value=None):
        """Fail when the answer has ``item`` in it."""
        test.assertNotIn(test.replace_template(item), test.output)


ALL = [*handlers.RESPONSE_HANDLERS, StringsNotHandler]
