# SPDX-License-Identifier: Apache-2.0
"""What configuration files set and nobody reads is found, and told with what may be meant."""

import pathlib
import re
from unittest import mock

import fixtures
from oslotest import base

from cg_extension.cmd import config
from cg_extension.conf import check, unread

ETC = pathlib.Path(__file__).resolve().parents[4] / "etc/cg_extension"


class UnreadTest(base.BaseTestCase):
    def setUp(self) -> None:
        super().setUp()
        self.file = pathlib.Path(self.useFixture(fixtures.TempDir()).path) / "cg_extension.conf"

    def _unread(self, text: str) -> list[str]:
        return self._unread_in(self.file, text)

    def _unread_in(self, file: pathlib.Path, text: str) -> list[str]:
        file.write_text(text)
        conf = config.new_conf()
        conf(["--config-file", str(file)], project=config.PROJECT)
        return [found.replace(f" ({file})", "") for found in unread.find(conf)]

    def _assert_found(self, told: str, text: str) -> None:
        self.assertEqual([told], self._unread(text))

    def test_a_misspelt_option_is_told_with_the_one_that_may_be_meant(self) -> None:
        meant = "There is no such option; {} may be meant"
        self._assert_found(
            f"[DEFAULT] quota_volumess: {meant.format('quota_volumes')}",
            "[DEFAULT]\nquota_volumess = 1\nquota_volumes = 2\n",
        )
        self._assert_found(
            f"[oslo_messaging_rabbit] heartbeet_rate: {meant.format('heartbeat_rate')}",
            "[oslo_messaging_rabbit]\nheartbeet_rate = 1\n",
        )

    def test_a_misspelt_section_is_told_once(self) -> None:
        self._assert_found(
            "[databse]: There is no such section; [database] may be meant",
            "[databse]\nconnection = sqlite://\nmax_retries = 1\n",
        )

    def test_an_option_in_the_wrong_section_is_told_with_the_right_one(self) -> None:
        self._assert_found(
            "[DEFAULT] connection: There is no such option; there is one in [database]",
            "[DEFAULT]\nconnection = sqlite://\n",
        )

    def test_the_options_of_our_drivers_are_known_and_no_others_in_their_backends(self) -> None:
        self._assert_found(
            "[one] lvm_freeze_dedline: There is no such option; lvm_freeze_deadline may be meant",
            "[one]\nvolume_driver = lvm\nlvm_freeze_deadline = 1\nlvm_freeze_dedline = 1\n",
        )
        self.assertEqual([], self._unread("[one]\nvolume_driver = theirs\nanything = 1\n"))
        self.assertEqual([], self._unread("[DEFAULT]\nenabled_backends = one\n[one]\nanything = 1"))

    def test_names_that_libraries_have_replaced_are_known(self) -> None:
        self.assertEqual([], self._unread("[database]\nmax-overflow = 1\n"))
        self.assertEqual([], self._unread("[DEFAULT]\nlog_config = file\n"))

    def test_the_case_of_a_sections_name_does_not_matter(self) -> None:
        self.assertEqual([], self._unread("[Database]\nconnection = sqlite://\n"))
        self.assertEqual([], self._unread("[ONE]\nvolume_driver = lvm\nlvm_pool_name = pool\n"))
        self.assertEqual(
            [], self._unread("[DEFAULT]\nenabled_backends = One\n[one]\nanything = 1\n")
        )

    def test_the_sections_of_keystones_plugins_may_hold_anything(self) -> None:
        self.assertEqual(
            [],
            self._unread("[keystone_authtoken]\nauth_section = mine\n[mine]\nanything = 1\n"),
        )

    def test_values_are_not_told(self) -> None:
        self.assertNotIn("secret", "".join(self._unread("[DEFAULT]\npasword = secret\n")))

    def test_all_that_the_sample_has_is_known(self) -> None:
        sample = (ETC / "cg_extension.conf.sample").read_text()
        written = re.sub(r"(?m)^#(\w+ = )", r"\1", sample)
        self.assertGreater(written.count("\nconnection = "), 0)
        self.file.write_text(written)
        with mock.patch.object(check, "files", return_value=[str(self.file)]):
            self.assertEqual([], self._unread_in(self.file.with_name("empty.conf"), ""))

    def test_the_sample_has_what_is_known(self) -> None:
        generator = (ETC / "config-generator.conf").read_text()
        self.assertEqual(unread.NAMESPACES, tuple(re.findall("(?m)^namespace = (.*)$", generator)))
