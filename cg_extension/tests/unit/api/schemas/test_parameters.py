# SPDX-License-Identifier: Apache-2.0
from oslotest import base

from cg_extension.api.schemas import parameters


class SplitTest(base.BaseTestCase):
    def test_blanks_stray_commas_and_repetitions_do_not_count(self) -> None:
        self.assertEqual(["b", "a"], parameters.split(" b,a , ,b,"))

    def test_nothing_is_an_empty_list(self) -> None:
        for text in (None, "", " ", ",", " , ,"):
            self.assertEqual([], parameters.split(text))
