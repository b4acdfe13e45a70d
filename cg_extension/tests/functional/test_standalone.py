# SPDX-License-Identifier: Apache-2.0
"""``cg-standalone`` as its user meets it: starts, stops, errors, logs and notifications."""

import contextlib
import os
import pathlib
import re
import shutil
import socket
import sqlite3
import subprocess
import sys
from collections.abc import Sequence
from typing import Any

import fixtures
import requests

from cg_extension.tests import waiting
from cg_extension.tests.deployment import processes, warm
from cg_extension.tests.functional import base


def run_command(
    module: str, arguments: Sequence[str], **environment: str
) -> subprocess.CompletedProcess[str]:
    """A command of ``cg_extension.cmd`` that ends by itself."""
    return warm.run(
        *(f"cg_extension.cmd.{module}:main", arguments), environment={**os.environ, **environment}
    )


class StandaloneTest(base.FunctionalTest):
    def start(self, config: Any = None, **options: Any) -> base.Standalone:
        return self.useFixture(base.Standalone(config, **options))

    def assert_fails(self, arguments: Sequence[str], *words: str) -> None:
        """It ends with one line that holds these words, and with no traceback."""
        ended = run_command("standalone", arguments)
        self.assertEqual(1, ended.returncode, ended.stderr)
        self.assertNotIn("Traceback", ended.stderr)
        for word in words:
            self.assertIn(word, ended.stderr.strip().splitlines()[-1])

    def test_it_needs_no_configuration_and_keeps_its_state_in_one_place(self) -> None:
        self.useFixture(fixtures.EnvironmentVariable(warm.VARIABLE))  # As its user starts it.
        service = self.start()
        self.assertTrue(service.url.startswith("http://127.0.0.1:"))
        volume = service.client().create("/volumes", {"volume": {"size": 1}})
        self.assertEqual([f"volume-{volume}"], os.listdir(service.state_path / "volumes"))
        self.assertEqual(0, service.stop())
        service.start()
        self.assertEqual("available", service.client().wait(f"/volumes/{volume}")["status"])

    def test_a_clean_stop_ends_what_is_under_way(self) -> None:
        service = self.start()
        client = service.client()
        for _ in range(5):
            client.post("/volumes", {"volume": {"size": 1}})
        self.assertEqual(0, service.stop())
        self.assertIn("Stopped", service.log)
        self.assertNotIn("Traceback", service.log)
        service.start()
        for volume in service.client().get("/volumes")["volumes"]:
            self.assertEqual("available", client.wait(f"/volumes/{volume['id']}")["status"])

    def test_a_second_one_on_the_same_state_says_so(self) -> None:
        service = self.start()
        path = str(service.state_path)
        self.assert_fails(["--state-path", path, "--port", "0"], path, "running")

    def test_a_port_that_is_taken_says_so(self) -> None:
        port = self.start().url.rpartition(":")[2]
        other = self.useFixture(fixtures.TempDir()).path
        self.assert_fails(["--state-path", other, "--port", port], port, "in use")

    def test_a_state_path_that_can_not_be_made_says_so(self) -> None:
        self.assert_fails(["--state-path", "/proc/nowhere", "--port", "0"], "/proc/nowhere")

    def test_a_configuration_file_that_is_not_there_says_so(self) -> None:
        self.assert_fails(["--config-file", "/nowhere/cg.conf"], "/nowhere/cg.conf")

    def test_noauth_is_not_served_to_the_network(self) -> None:
        path = self.useFixture(fixtures.TempDir()).path
        arguments = ["--state-path", path, "--host", "0.0.0.0", "--port", "0"]
        self.assert_fails(arguments, "allow_noauth_on_network")

    def test_a_requests_id_is_in_the_managers_log_and_notifications(self) -> None:
        service = self.start({"oslo_messaging_notifications": {"driver": "log"}})
        client = service.client()
        answer = client.request(
            "POST", "/consistencygroups", {"consistencygroup": {"volume_types": "__DEFAULT__"}}
        )
        request_id = answer.headers["x-openstack-request-id"]
        group = answer.json()["consistencygroup"]["id"]
        client.wait(f"/consistencygroups/{group}")
        waiting.eventually(lambda: "consistencygroup.create.end" in service.log, "notified")
        lines = [line for line in service.log.splitlines() if request_id in line]
        for logger in ("cg_extension.reference.wsgi", "cg_extension.reference.manager.runner"):
            self.assertTrue(any(logger in line for line in lines), f"{logger}: {lines}")
        events = re.findall(r'"event_type": "([\w.]+)"', service.log)
        self.assertEqual(["consistencygroup.create.start", "consistencygroup.create.end"], events)

    def test_one_backend_that_does_not_come_up_does_not_stop_another(self) -> None:
        service = self.start(
            {
                "DEFAULT": {"enabled_backends": "good,bad", "report_interval": 0.5},
                "good": {"volume_driver": "file"},
                "bad": {"volume_driver": "file", "file_path": "/proc/nowhere"},
            }
        )
        client = service.client()
        client.create("/volumes", {"volume": {"size": 1}})

        def states() -> dict[str, str]:
            return {
                found["host"].rpartition("@")[2]: found["state"]
                for found in client.get("/os-services")["services"]
            }

        waiting.eventually(lambda: states() == {"good": "up", "bad": "down"}, "one is down")

    def test_a_changed_policy_file_counts_and_a_broken_one_changes_nothing(self) -> None:
        policy = pathlib.Path(self.useFixture(fixtures.TempDir()).path, "rules.yaml")
        policy.write_text("{}")
        service = self.start({"oslo_policy": {"policy_file": policy}})
        client = service.client(roles="member")

        def status() -> int:
            return client.request("GET", "/volumes").status_code

        def health() -> str:
            return requests.get(f"{service.url}/healthcheck", timeout=30).text

        self.assertEqual((200, "OK"), (status(), health()))
        policy.write_text('"volume:get_all": "!"\n')
        waiting.eventually(lambda: status() == 403, "locked down")
        policy.write_text('"volume:get_all": "role:\n')
        waiting.eventually(lambda: str(policy) in health(), "the health check names the file")
        self.assertEqual(403, status())
        self.assertEqual(1, service.log.count(f"Policy file {policy}: "))
        policy.write_text('"volume:get_all": "role:member"\n')
        waiting.eventually(lambda: status() == 200, "open again")
        self.assertEqual("OK", health())


class ReadinessTest(base.FunctionalTest):
    """Who waits for the service is told when it can work, not just that it runs."""

    def setUp(self) -> None:
        super().setUp()
        self.root = pathlib.Path(self.useFixture(fixtures.TempDir()).path)
        # In the way of the backend's directory, until it is removed.
        self.obstacle = self.root / "storage"
        self.obstacle.touch()
        self.listener = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.addCleanup(self.listener.close)
        self.listener.bind(str(self.root / "notify"))
        self.listener.settimeout(waiting.PATIENCE)

    def start(self, module: str) -> processes.Process:
        port = processes.free_port()
        self.url = f"http://127.0.0.1:{port}"
        config = self.root / "cg.conf"
        config.write_text(
            f"[DEFAULT]\nstate_path = {self.root}/state\nenabled_backends = one\n"
            f"osapi_volume_listen_port = {port}\nreport_interval = 0.2\ntransport_url = fake:/\n"
            f"[one]\nvolume_driver = file\nfile_path = {self.obstacle}/volumes\n"
        )
        arguments = ["--config-file", str(config)]
        self.assertEqual(0, run_command("manage", [*arguments, "db", "sync"]).returncode)
        command = f"from cg_extension.cmd import {module} as m; m.main()"
        process = processes.Process(
            module,
            [sys.executable, "-c", command, *arguments],
            self.root / "log",
            {"NOTIFY_SOCKET": str(self.root / "notify")},
        )
        self.addCleanup(process.stop)
        process.start()
        return process

    def told(self) -> str:
        return self.listener.recv(4096).decode()

    def test_it_is_ready_when_a_backend_is_up_and_not_before(self) -> None:
        for module in ("standalone", "manager"):
            self.obstacle.touch()
            process = self.start(module)
            self.assertNotIn("READY", self.told())
            waiting.eventually(lambda p=process: "does not come up" in p.printed(), "tried")
            if module == "standalone":
                # It answers all the same: what is asked about is there.
                waiting.eventually(lambda p=process: "Serving the API" in p.printed(), "served")
                self.assertEqual(
                    503, requests.get(f"{self.url}/healthcheck", timeout=30).status_code
                )
            self.assertNotIn("Ready for work", process.printed())
            self.obstacle.unlink()
            self.assertIn("READY=1", self.told())
            self.assertIn("Ready for work: up: ", process.printed())
            process.stop()
            self.assertIn("STOPPING=1", self.told())
            shutil.rmtree(self.obstacle)
            (self.root / "log").unlink()

    def test_a_stop_does_not_wait_for_a_backend(self) -> None:
        process = self.start("manager")
        waiting.eventually(lambda: "does not come up" in process.printed(), "tried")
        process.terminate()
        # Half of what a stop would wait for work that is under way.
        waiting.eventually(lambda: not process.is_running(), "ended", 30)
        self.assertIn("Stopped", process.printed())

    def test_an_api_process_is_ready_when_it_answers(self) -> None:
        self.start("api")
        self.assertIn("READY=1", self.told())
        self.assertTrue(requests.get(f"{self.url}/v3", timeout=30).ok)


class ManageTest(base.FunctionalTest):
    def setUp(self) -> None:
        super().setUp()
        self.root = self.useFixture(fixtures.TempDir()).path
        self.config = os.path.join(self.root, "cg.conf")
        with open(self.config, "w") as file:
            file.write(
                f"[DEFAULT]\nstate_path = {self.root}/state\nenabled_backends = one\n"
                "[one]\nvolume_driver = file\n"
            )

    def run_command(self, module: str, *arguments: str) -> subprocess.CompletedProcess[str]:
        return run_command(module, ["--config-file", self.config, *arguments])

    def test_the_schema_is_made_once_and_its_version_shown(self) -> None:
        self.assertEqual("empty", self.run_command("manage", "db", "version").stdout.strip())
        first = self.run_command("manage", "db", "sync")
        self.assertEqual(0, first.returncode, first.stderr)
        again = self.run_command("manage", "db", "sync")
        self.assertEqual(first.stdout, again.stdout)
        version = self.run_command("manage", "db", "version").stdout
        self.assertEqual(first.stdout, version)

    def test_a_manager_without_schema_says_how_to_make_it(self) -> None:
        ended = self.run_command("manager")
        self.assertEqual(1, ended.returncode, ended.stderr)
        self.assertIn("cg-manage db sync", ended.stderr.strip().splitlines()[-1])

    def test_usage_is_compared_with_the_rows_and_mended(self) -> None:
        check = ("manage", "quota", "check")
        ended = self.run_command(*check)
        self.assertEqual(1, ended.returncode)
        self.assertIn("cg-manage db sync", ended.stderr.strip().splitlines()[-1])
        self.run_command("manage", "db", "sync")
        right = self.run_command(*check)
        self.assertEqual((0, "projects: 0, differences: 0\n"), (right.returncode, right.stdout))
        with contextlib.closing(sqlite3.connect(f"{self.root}/state/cg_extension.sqlite")) as conn:
            conn.execute(
                "INSERT INTO consistencygroups (id, project_id, status, created_at, "
                "availability_zone) VALUES ('g', 'p', 'available', '2026-01-01', 'nova')"
            )
            conn.commit()
        told = "project p: groups: 0 in use, 1 counted\n"
        for arguments, status, output in (
            ((), 1, f"{told}projects: 1, differences: 1\n"),
            (("--project", "q"), 0, "projects: 0, differences: 0\n"),
            (("--project", "p"), 1, f"{told}projects: 1, differences: 1\n"),
            (("--fix",), 0, f"{told}project p: counted anew\nprojects: 1, differences: 1\n"),
            ((), 0, "projects: 1, differences: 0\n"),
        ):
            ended = self.run_command(*check, *arguments)
            self.assertEqual((status, output), (ended.returncode, ended.stdout), ended.stderr)

    def test_a_backend_that_is_gone_for_good_is_removed_when_nothing_is_left_there(self) -> None:
        self.run_command("manage", "db", "sync")

        def write(statement: str) -> None:
            path = f"{self.root}/state/cg_extension.sqlite"
            with contextlib.closing(sqlite3.connect(path)) as conn:
                conn.execute(statement)
                conn.commit()

        def listed() -> list[list[str]]:
            ended = self.run_command("manage", "service", "list")
            self.assertEqual(0, ended.returncode, ended.stderr)
            return [line.split() for line in ended.stdout.splitlines()[1:]]

        def assert_removed(status: int, output: str, reason: str) -> None:
            ended = self.run_command("manage", "service", "remove", "old@one")
            self.assertEqual((status, output), (ended.returncode, ended.stdout), ended.stderr)
            self.assertIn(reason, (ended.stderr.strip().splitlines() or [""])[-1])

        assert_removed(1, "", "cg-manage: There is no old@one; there are: none")
        write(
            "INSERT INTO services (host, binary, availability_zone, disabled, frozen, state_ok, "
            "heartbeat_at, created_at) VALUES ('old@one', 'cg-manager', 'nova', 0, 0, 1, "
            "'2026-01-01 12:00:00.000000', '2025-01-01 12:00:00.000000')"
        )
        write(
            "INSERT INTO consistencygroups (id, project_id, status, created_at, host, "
            "availability_zone) VALUES ('g', 'p', 'available', '2026-01-01', 'old@one', 'nova')"
        )
        service = ["cg-manager", "old@one", "nova", "enabled", "down", "2026-01-01T12:00:00"]
        self.assertEqual([service], listed())
        assert_removed(1, "", "cg-manage: old@one still has 1 group (g). Start a manager")
        self.assertEqual([service], listed())
        write("DELETE FROM consistencygroups")
        assert_removed(0, "old@one: removed\n", "")
        self.assertEqual([], listed())

    def test_the_upgrade_check_tells_what_to_do_and_then_succeeds(self) -> None:
        self.run_command("manage", "db", "version")
        before = self.run_command("status", "upgrade", "check")
        self.assertEqual(2, before.returncode, before.stderr)
        self.assertIn("db sync", before.stdout)
        self.run_command("manage", "db", "sync")
        after = self.run_command("status", "upgrade", "check")
        self.assertEqual(0, after.returncode, after.stdout)

    def test_the_upgrade_check_finds_a_driver_that_can_not_be_loaded(self) -> None:
        with open(self.config, "a") as file:
            file.write("[DEFAULT]\nenabled_backends = two\n[two]\nvolume_driver = tape\n")
        self.run_command("manage", "db", "sync")
        ended = self.run_command("status", "upgrade", "check")
        self.assertEqual(2, ended.returncode, ended.stdout)
        self.assertIn("tape", ended.stdout)
