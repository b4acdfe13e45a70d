# SPDX-License-Identifier: Apache-2.0
"""Which errors are an operator's to mend, and how they read."""

import json
import os
import traceback

import oslo_messaging
import testtools
from oslo_config import cfg
from oslotest import base

from cg_extension.conf import errors, kinds


class BlamingTest(base.BaseTestCase):
    def test_what_a_library_raises_is_put_on_the_subject(self) -> None:
        with self.assertRaisesRegex(errors.StartError, "^the file: Expecting value"):
            with errors.blaming("the file"):
                json.loads("nonsense")

    def test_what_the_system_refuses_is_too(self) -> None:
        with self.assertRaisesRegex(errors.StartError, "^log: /nowhere/x: No such file"):
            with errors.blaming("log"):
                os.stat("/nowhere/x")

    def test_a_fault_of_ours_stays_one(self) -> None:
        with testtools.ExpectedException(AttributeError):
            with errors.blaming("the file"):
                kinds.IntOpt("x", min=0, max=1).type(Broken())

    def test_no_part_of_a_password_that_was_taken_for_a_port_is_told(self) -> None:
        conf = cfg.ConfigOpts()
        conf([], project="cg_extension", default_config_files=[])
        with self.assertRaisesRegex(errors.StartError, "^url: .* such as %2F") as raised:
            with errors.blaming("url"):
                oslo_messaging.TransportURL.parse(conf, "rabbit://u:sec/ret@host:1/")
        whole = "".join(traceback.format_exception(raised.exception))
        self.assertNotIn("'sec'", whole)

    def test_what_was_named_already_is_not_named_again(self) -> None:
        with self.assertRaisesRegex(errors.StartError, "^named$"):
            with errors.blaming("the file"):
                raise errors.StartError("named")


class Broken:
    def __int__(self) -> int:
        return self.nothing  # type: ignore[attr-defined, no-any-return]


class DescribeTest(base.BaseTestCase):
    def test_it_is_one_line(self) -> None:
        for error, text in (
            (ValueError("one\n[SQL: two]"), "one"),
            (ValueError("heading:\n  cause\nmore"), "heading: cause"),
            (KeyError("'name'"), "'name'"),
            (ValueError(), "ValueError"),
            (OSError(2, "No such file", "/x"), "/x: No such file"),
        ):
            self.assertEqual(text, errors.describe(error))
