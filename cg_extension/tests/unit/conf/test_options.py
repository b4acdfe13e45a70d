# SPDX-License-Identifier: Apache-2.0
"""No option of ours leaves a value open that could not work, whichever group it is in."""

import math
from collections.abc import Callable, Iterator

from oslo_config import cfg, types
from oslo_log import log
from oslotest import base

from cg_extension import conf as cg_conf
from cg_extension.conf import check, errors


def options() -> Iterator[tuple[str, cfg.Opt]]:
    for group, listed in cg_conf.list_opts():
        for option in listed:
            yield group, option


class OptionsTest(base.BaseTestCase):
    def numbers(self) -> Iterator[cfg.Opt]:
        found = [option for _, option in options() if isinstance(option.type, types.Number)]
        self.assertGreater(len(found), 20)
        yield from found

    def assert_refused(self, option: cfg.Opt, *values: str) -> None:
        for value in values:
            self.assertRaises(ValueError, option.type, value)

    def test_every_number_is_bounded_on_both_sides(self) -> None:
        for option in self.numbers():
            with self.subTest(option=option.name):
                least, most = option.type.min, option.type.max
                self.assertTrue(math.isfinite(least) and math.isfinite(most))
                self.assert_refused(option, str(least - 1), str(most + 1), "1e400", "-inf", "nan")
                self.assertEqual((least, most), (option.type(least), option.type(str(most))))

    def test_no_number_is_empty_but_one_that_may_be_missing(self) -> None:
        for option in self.numbers():
            with self.subTest(option=option.name):
                if option.default is None:
                    self.assertIsNone(option.type(""))
                else:
                    self.assert_refused(option, "", "  ", "many")

    def test_no_text_is_empty_where_there_is_a_default(self) -> None:
        for group, option in options():
            if isinstance(option.type, types.String) and option.default:
                with self.subTest(group=group, option=option.name):
                    self.assert_refused(option, "")

    def test_what_requests_name_is_as_they_can_name_it(self) -> None:
        found = {option.name: option for _, option in options()}
        for name in (
            "storage_availability_zone",
            "backend_availability_zone",
            "default_volume_type",
        ):
            with self.subTest(option=name):
                self.assert_refused(found[name], " x", "x ", " ", "x" * 256, "x\0")
                self.assertEqual("a b", found[name].type("a b"))

    def test_every_default_is_a_value_that_can_be_given(self) -> None:
        for group, option in options():
            if option.default is not None:
                with self.subTest(group=group, option=option.name):
                    option.type(option.default)

    def test_an_error_tells_what_would_be_right(self) -> None:
        for option in self.numbers():
            if option.default is not None:
                error = self.assertRaises(ValueError, option.type, "1e9999")
                self.assertIn(f"from {option.type.min} to {option.type.max}", str(error))


class CheckTest(base.BaseTestCase):
    def configured(
        self, text: str, register: Callable[[cfg.ConfigOpts], None] = cg_conf.register_opts
    ) -> cfg.ConfigOpts:
        self.path = self.create_tempfiles([("cg", text)], ext=".conf")[0]
        conf = cfg.ConfigOpts()
        cg_conf.register_opts(conf)
        register(conf)
        conf(["--config-file", self.path], project="cg_extension")
        return conf

    def assert_refused(self, text: str, *words: str) -> None:
        error = self.assertRaises(errors.StartError, check.check, self.configured(text))
        for word in words:
            self.assertIn(word, str(error))

    def test_the_defaults_hold(self) -> None:
        check.check(self.configured(""))

    def test_option_value_file_and_what_is_right_are_named(self) -> None:
        self.assert_refused("[metrics]\nport = 0\n", "[metrics] port = 0 (", "equal to 1")
        self.assert_refused("[DEFAULT]\noperation_workers = no\n", "operation_workers = no (")
        conf = self.configured("[DEFAULT]\nquota_groups = -2\n")
        error = self.assertRaises(errors.StartError, check.check, conf)
        self.assertIn(f"quota_groups = -2 ({self.path}): ", str(error))

    def test_options_of_libraries_have_bounds_where_they_need_some(self) -> None:
        for group, name, value in (
            ("keystone_authtoken", "http_connect_timeout", 0),
            ("cors", "max_age", -1),
            (None, "max_logfile_size_mb", -1),
        ):
            conf = self.configured("")
            conf.register_opt(cfg.IntOpt(name), group=group)
            conf.set_override(name, value, group=group)
            error = self.assertRaises(errors.StartError, check.check, conf)
            self.assertIn(name, str(error))

    def test_an_option_of_a_library_that_needs_a_number_is_not_left_empty(self) -> None:
        for name in ("log_rotate_interval", "max_logfile_count", "max_logfile_size_mb"):
            conf = self.configured(f"[DEFAULT]\n{name} =\n", log.register_options)
            error = self.assertRaises(errors.StartError, check.check, conf)
            self.assertIn(f"{name} =  ({self.path}): It must be a whole number", str(error))

    def test_files_of_libraries_must_be_there(self) -> None:
        conf = self.configured("")
        conf.register_opt(cfg.StrOpt("ssl_ca_file", default=""), group="oslo_messaging_rabbit")
        check.check(conf)
        conf.set_override("ssl_ca_file", "/nowhere/ca.pem", group="oslo_messaging_rabbit")
        error = self.assertRaises(errors.StartError, check.check, conf)
        self.assertEqual(
            "[oslo_messaging_rabbit] ssl_ca_file = /nowhere/ca.pem: No such file or directory",
            str(error),
        )

    def test_a_log_that_would_turn_for_ever_is_refused(self) -> None:
        for kind, is_right in (("Days", False), ("Midnight", False), ("Weekday", True)):
            text = f"log_rotate_interval = 0\nlog_rotate_interval_type = {kind}\n"
            conf = self.configured(f"[DEFAULT]\n{text}", log.register_options)
            if is_right:
                check.check(conf)
            else:
                error = self.assertRaises(errors.StartError, check.check, conf)
                self.assertIn("log_rotate_interval = 0 (", str(error))

    def test_a_reference_to_an_option_that_there_is_not_is_named(self) -> None:
        self.assert_refused("[DEFAULT]\nstate_path = $nowhere/x\n", "state_path", "does not exist")

    def test_a_backend_is_down_only_after_it_missed_a_heartbeat(self) -> None:
        for down, report in ((10, 10), (5, 20)):
            text = f"[DEFAULT]\nservice_down_time = {down}\nreport_interval = {report}\n"
            self.assert_refused(text, "service_down_time", "report_interval")

    def test_a_backend_can_not_have_the_name_of_other_options(self) -> None:
        conf = self.configured("")
        for name in ("metrics", "host", "DEFAULT"):
            self.assertRaises(errors.StartError, cg_conf.register_backend_opts, conf, name)
