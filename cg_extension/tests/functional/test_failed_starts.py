# SPDX-License-Identifier: Apache-2.0
"""A start that can't succeed ends: with status 1, and one line that says what to mend."""

import contextlib
import pathlib
import socket
import sqlite3
from collections.abc import Iterator

import cg_extension
from cg_extension.tests.functional import base, starts

SERVICES = ("standalone", "api", "manager")
PACKAGE = pathlib.Path(cg_extension.__file__).parent


@contextlib.contextmanager
def taken_port() -> Iterator[int]:
    with socket.create_server(("127.0.0.1", 0)) as other:
        yield other.getsockname()[1]


class FailedStartTest(base.FunctionalTest):
    def setUp(self) -> None:
        super().setUp()
        self.starter = self.useFixture(starts.Starter())
        self.arguments = ("--config-file", self.starter.configure())

    def sync(self) -> None:
        """Make the database that services other than cg-standalone find."""
        ended = self.starter.run("manage", *self.arguments, "db", "sync")
        self.assertEqual(0, ended.status, ended.output)

    def assert_ends(self, command: str, *words: str, arguments: tuple[str, ...] = ()) -> str:
        """It ends with a line that holds these words, under its own name and alone.

        Gives all that it printed.
        """
        action = {"manage": ("db", "sync"), "status": ("upgrade", "check")}.get(command, ())
        ended = self.starter.run(command, *self.arguments, *arguments, *action)
        self.assertEqual(1, ended.status, f"{command}: {ended.output}")
        self.assertNotIn("Traceback", ended.output)
        name = "cg-api" if command == "wsgi" else f"cg-{command}"
        told = [line for line in ended.output.splitlines() if line.startswith(f"{name}: ")]
        self.assertEqual([ended.last_line], told, ended.output)
        for word in words:
            self.assertIn(word, ended.last_line)
        self.assertNotIn(" ERROR ", ended.output)
        return ended.output


class OptionsTest(FailedStartTest):
    def assert_refused(
        self, option: str, value: str, *words: str, text: str = "", command: str = "standalone"
    ) -> None:
        if text:
            self.starter.configure(f"{text}\n{option} = {value}\n")
        else:
            self.starter.configure(**{option: value})
        self.assert_ends(command, option, value, *words)

    def test_every_command_refuses_a_value_that_can_not_work(self) -> None:
        for command in (*SERVICES, "manage", "status"):
            self.assert_refused("osapi_max_limit", "0", "from 1 to", "cg.conf", command=command)

    def test_numbers_have_bounds_and_are_numbers(self) -> None:
        for option, value in (
            ("osapi_max_limit", "abc"),
            ("quota_volumes", "-5"),
            ("quota_gigabytes", "ten"),
            ("osapi_volume_threads", "0"),
            ("osapi_volume_listen_port", "65536"),
            ("operation_workers", "0"),
            ("operation_max_attempts", "0"),
            ("operation_lease", "-1"),
            ("operation_lease", "nan"),
            ("operation_retry_delay", "inf"),
            ("operation_poll_interval", "0"),
            ("shutdown_timeout", "1e300"),
        ):
            with self.subTest(option=option, value=value):
                self.assert_refused(option, value, "It must be a")

    def test_an_empty_value_does_not_stand_for_a_default(self) -> None:
        for option in ("osapi_max_limit", "quota_groups", "host", "state_path", "operation_lease"):
            with self.subTest(option=option):
                self.assert_refused(option, "")

    def test_words_are_those_that_there_are(self) -> None:
        for option, value, *words in (
            ("auth_strategy", "none", "noauth"),
            ("public_endpoint", "cloud.example.org", "http"),
            ("allow_noauth_on_network", "perhaps"),
            ("host", "node@one", "@"),
            ("enabled_backends", "one,one", "twice"),
            ("osapi_volume_listen", "no such host"),
        ):
            with self.subTest(option=option, value=value):
                self.assert_refused(option, value, *words)

    def test_those_of_backends_and_their_drivers_count_too(self) -> None:
        backend = "[one]\nvolume_driver = {}".format
        for driver, option, value in (
            ("file", "reserved_percentage", "101"),
            ("file", "max_over_subscription_ratio", "0.5"),
            ("file", "file_path", ""),
            ("lvm", "lvm_type", "fat"),
            ("lvm", "snapshot_cow_percent", "0"),
            ("lvm", "lvm_pool_data_limit", "nan"),
            ("lvm", "lvm_freeze_deadline", "0"),
            ("lvm", "volume_clear_ionice", "-c3 '"),
            ("lvm", "lvm_copy_workers", "many"),
        ):
            with self.subTest(option=option, value=value):
                self.assert_refused(option, value, "[one]", text=backend(driver))
        self.starter.configure()
        self.sync()
        self.assert_refused(
            "reserved_percentage", "-1", "[one]", text=backend("file"), command="manager"
        )

    def test_those_of_libraries_count_too(self) -> None:
        for section, option, value in (
            ("database", "max_pool_size", "-1"),
            ("database", "max_retries", "often"),
            ("oslo_middleware", "max_request_body_size", "0"),
            ("oslo_middleware", "max_request_body_size", "1k"),
            ("metrics", "port", "99999"),
            ("cors", "allow_credentials", "perhaps"),
            ("oslo_policy", "enforce_new_defaults", "perhaps"),
        ):
            with self.subTest(option=option, value=value):
                self.assert_refused(option, value, text=f"[{section}]")

    def test_options_that_do_not_go_together_are_refused(self) -> None:
        self.starter.configure(service_down_time=5, report_interval=10)
        self.assert_ends("standalone", "service_down_time = 5", "report_interval")
        self.starter.configure(
            "[one]\nvolume_driver = lvm\nlvm_freeze_deadline = 40\n", operation_lease=30
        )
        self.assert_ends("standalone", "lvm_freeze_deadline = 40", "operation_lease")

    def test_a_backend_must_be_described(self) -> None:
        for backends, words in (
            ("", ["enabled_backends is empty"]),
            ("two", ["volume_driver", "[two]"]),
            ("database", ["database"]),
            ("one,,two", ["enabled_backends = one,,two"]),
        ):
            self.starter.configure(enabled_backends=backends)
            self.assert_ends("standalone", *words)
        for driver in ("tape", "cg_extension.drivers.file.driver"):
            self.starter.configure(f"[one]\nvolume_driver = {driver}\n")
            self.assert_ends("standalone", "[one] volume_driver", driver)

    def test_arguments_of_the_command_line_are_named(self) -> None:
        for arguments in (
            ("--port", "99999"),
            ("--port", "-1"),
            ("--host", "a b"),
            ("--state-path", ""),
        ):
            self.assert_ends("standalone", " ".join(arguments), arguments=arguments)


class PlacesTest(FailedStartTest):
    """Ports, files and directories."""

    def test_a_port_of_another_is_named(self) -> None:
        self.sync()
        with taken_port() as port:
            for command in ("standalone", "api"):
                self.starter.configure(osapi_volume_listen_port=port)
                self.assert_ends(command, f"osapi_volume_listen_port = {port}", "in use")
            self.starter.configure(f"[metrics]\nport = {port}\n")
            for command in (*SERVICES, "wsgi"):
                self.assert_ends(command, f"port = {port}", "[metrics]")

    def test_an_address_that_is_not_ours_is_named(self) -> None:
        for option in ("osapi_volume_listen", "listen"):
            for address in ("192.0.2.1", "no-such-host.invalid"):
                text = "[metrics]\nport = 1\n"
                if option == "listen":
                    self.starter.configure(f"{text}listen = {address}\n")
                else:
                    self.starter.configure(
                        osapi_volume_listen=address, allow_noauth_on_network=True
                    )
                self.assert_ends("standalone", f"{option} = {address}")

    def test_state_that_can_not_be_written_is_named(self) -> None:
        file = self.starter.write("file", "")
        for path in ("/proc/nowhere", f"{file}/below"):
            self.starter.configure(state_path=path)
            for command in ("standalone", "manage"):
                self.assert_ends(command, path)

    def test_a_log_file_that_can_not_be_written_is_named(self) -> None:
        self.starter.configure(log_file="/proc/nowhere/log")
        for command in (*SERVICES, "manage", "status"):
            self.assert_ends(command, "/proc/nowhere/log")

    def test_with_a_log_file_the_line_is_in_it_too(self) -> None:
        path = self.starter.directory / "log"
        self.starter.configure(log_file=path, enabled_backends="")
        self.assert_ends("standalone", "enabled_backends")
        self.assertIn("CRITICAL", path.read_text())
        self.assertIn("enabled_backends is empty", path.read_text())
        self.assertNotIn("Traceback", path.read_text())

    def test_a_configuration_file_that_is_none_is_named(self) -> None:
        for name, content, *words in (
            ("broken.conf", "[DEFAULT\n", "broken.conf"),
            ("words.conf", "[DEFAULT]\nno equals sign\n", "words.conf"),
            ("bare.conf", "quota_volumes = 5\n", "bare.conf"),
            ("binary.conf", b"\xff\xfe\x00", "binary.conf", "UTF-8"),
        ):
            with self.subTest(name=name):
                self.arguments = ("--config-file", self.starter.write(name, content))
                self.assert_ends("standalone", *words)
        for path in ("/nowhere/cg.conf", str(self.starter.directory)):
            self.arguments = ("--config-file", path)
            for command in (*SERVICES, "manage", "status"):
                self.assert_ends(command, path)

    def test_a_logging_configuration_that_is_none_is_named(self) -> None:
        broken = self.starter.write("logging.ini", "[loggers]\n")
        for path in ("/nowhere/logging.ini", broken):
            self.starter.configure(log_config_append=path)
            self.assert_ends("standalone", path)
        self.starter.configure(default_log_levels="sqlalchemy")
        self.assert_ends("standalone", "default_log_levels", "sqlalchemy")
        self.starter.configure(logging_default_format_string="%(message")
        self.assert_ends("standalone", "logging_default_format_string = %(message")

    def test_a_paste_file_that_does_not_fit_is_named(self) -> None:
        ours = (PACKAGE / "reference/wsgi/api-paste.ini").read_text()
        cinders = "[composite:osapi_volume]\nuse = call:cinder.api:root_app_factory\n/: apiversions"
        for name, content, *words in (
            ("cinder.ini", cinders, "noauth", "another service"),
            ("filter.ini", ours.replace(" api\n", " rate_limit api\n"), "rate_limit"),
            ("egg.ini", ours.replace("cg_extension#cors", "cg_extension#coors"), "coors"),
            ("package.ini", ours.replace("egg:cg_extension#cors", "egg:nobodys#c"), "nobodys"),
            ("call.ini", ours.replace("egg:cg_extension#cors", "call:no.module:x"), "no"),
            ("broken.ini", "[pipeline:noauth\n", "broken.ini"),
            ("binary.ini", b"\xff\xfe", "binary.ini"),
        ):
            with self.subTest(name=name):
                path = self.starter.write(name, content)
                self.starter.configure(api_paste_config=path)
                self.assert_ends("standalone", path, *words)
        self.starter.configure(api_paste_config="/nowhere/paste.ini")
        self.assert_ends("standalone", "api_paste_config", "/nowhere/paste.ini")

    def test_a_file_of_users_that_is_none_is_named(self) -> None:
        for content in (None, "ann\n", "ann:secret\n", b"\xff\xfe"):
            path = str(self.starter.directory / "users")
            if content is not None:
                self.starter.write("users", content)
            self.starter.configure(auth_strategy="http_basic", http_basic_auth_user_file=path)
            self.assert_ends("standalone", "http_basic_auth_user_file", path)

    def test_a_policy_file_that_holds_no_rules_is_named(self) -> None:
        for content, *words in (
            ('"volume:create": "role:a\n', "line"),
            ("- a\n- b\n", "NAME: RULE"),
            ("5\n", "NAME: RULE"),
            (b"\x00\x01\xff", ""),
            ('"volume:create":\n', "volume:create"),
            ('"volume:create": 5\n', "volume:create"),
            ('"volume:create": "role:a and"\n', "volume:create"),
            ('"volume:create": "role:a or admin"\n', "volume:create"),
            ('"volume:create": "rule:nobody_wrote_it"\n', "nobody_wrote_it"),
            ('"volume:create": "rule:a"\n"a": "rule:b"\n"b": "rule:a"\n', "refers to itself"),
        ):
            with self.subTest(content=content):
                path = self.starter.write("rules.yaml", content)
                self.starter.configure(f"[oslo_policy]\npolicy_file = {path}\n")
                self.assert_ends("standalone", *words)
        self.starter.write("policy.d/a.yaml", "5\n")
        self.starter.configure("")
        self.assert_ends("standalone", "policy.d/a.yaml")

    def test_a_policy_file_that_is_not_there_is_told_at_the_start(self) -> None:
        self.starter.configure(
            "[oslo_policy]\npolicy_file = /nowhere/rules.yaml\n",
            osapi_volume_listen="192.0.2.1",
            allow_noauth_on_network=True,
        )
        ended = self.starter.run("standalone", *self.arguments)
        self.assertIn("WARNING", ended.output)
        self.assertIn("/nowhere/rules.yaml", ended.output)


class DependenciesTest(FailedStartTest):
    """Databases, brokers, extensions."""

    def test_a_connection_that_is_no_databases_is_named(self) -> None:
        text = self.starter.write("text", "no database\n" * 100)
        for url, *words in (
            ("nonsense", ""),
            ("oracle9://db/cg", "oracle9"),
            ("mysql+cymysql://db/cg", "cymysql"),
            ("sqlite:////nowhere/cg.sqlite", "/nowhere"),
            (f"sqlite:///{text}", text),
            ("postgresql+psycopg2://u:secret@127.0.0.1:port/cg", ""),
        ):
            self.starter.configure(f"[database]\nconnection = {url}\n")
            with self.subTest(url=url):
                self.assert_ends("standalone", "[database] connection", *words)
        for command in ("manager", "manage", "api"):
            self.assert_ends(command, "[database] connection")

    def test_a_server_that_is_not_there_is_named_without_the_password(self) -> None:
        options = "max_retries = 1\nretry_interval = 0\n"
        for scheme in ("postgresql+psycopg2", "mysql+pymysql"):
            url = f"{scheme}://cg:secret@127.0.0.1:1/cg"
            self.starter.configure(f"[database]\nconnection = {url}\n{options}")
            told = self.assert_ends("api", "[database] connection", "127.0.0.1")
            self.assertNotIn("secret", told)

    def test_a_word_that_is_no_check_is_named(self) -> None:
        ended = self.starter.run("status", *self.arguments, "upgrade", "chek")
        self.assertEqual(1, ended.status, ended.output)
        self.assertEqual("cg-status: upgrade chek: It must be: upgrade check", ended.last_line)

    def test_a_database_of_a_newer_release_is_told_as_such(self) -> None:
        self.sync()
        path = self.starter.directory / "state/cg_extension.sqlite"
        with contextlib.closing(sqlite3.connect(path)) as conn:
            conn.execute("UPDATE alembic_version SET version_num = '9999'")
            conn.commit()
        for command in (*SERVICES, "manage"):
            self.assert_ends(command, "newer than this release", "9999")
        ended = self.starter.run("status", *self.arguments, "upgrade", "check")
        self.assertEqual(2, ended.status)
        self.assertIn("newer than this", " ".join(ended.output.split()))
        self.assertNotIn("db sync", ended.output)

    def test_a_database_without_schema_says_how_to_make_it(self) -> None:
        for command in ("manager", "api"):
            self.assert_ends(command, "cg-manage db sync")

    def test_a_broker_that_can_not_be_one_is_named_without_the_password(self) -> None:
        self.sync()
        for url in (
            "nonsense",
            "carrier-pigeon://u:secret@loft/",
            "rabbit://u:secret@broker:port/",
            "://",
        ):
            self.starter.configure(transport_url=url)
            for command in SERVICES if url == "nonsense" else ("standalone",):
                with self.subTest(url=url, command=command):
                    self.assertNotIn("secret", self.assert_ends(command, "transport_url"))

    def test_a_notification_driver_that_there_is_not_is_named(self) -> None:
        self.starter.configure("[oslo_messaging_notifications]\ndriver = megaphone\n")
        self.assert_ends("standalone", "oslo_messaging_notifications", "megaphone")

    def test_an_extension_that_there_is_not_is_named(self) -> None:
        self.sync()
        self.starter.configure(required_extensions="backups")
        for command in ("standalone", "api"):
            self.assert_ends(command, "required_extensions", "backups")

    def test_a_health_check_that_there_is_not_is_named(self) -> None:
        self.starter.configure("[healthcheck]\nbackends = pulse\n")
        self.assert_ends("standalone", "pulse")


class UndoneTest(FailedStartTest):
    def test_what_a_failed_start_began_does_not_stand_in_the_way_of_the_next(self) -> None:
        with taken_port() as port:
            self.starter.configure(f"[metrics]\nport = {port}\n")
            for _ in range(2):
                self.assert_ends("standalone", f"port = {port}", "in use")
