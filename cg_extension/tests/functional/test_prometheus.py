# SPDX-License-Identifier: Apache-2.0
"""The dashboard and the alert rules, asked of a real Prometheus that scrapes a running service."""

import json
import pathlib
import re
import subprocess
from typing import Any

import fixtures
import requests
import yaml

from cg_extension.tests import waiting
from cg_extension.tests.deployment import deployment, processes, servers
from cg_extension.tests.functional import base

CONFIGURATION = pathlib.Path(__file__).parents[3] / "etc/cg_extension"
RULES = CONFIGURATION / "prometheus-alerts.yaml"
DASHBOARD = CONFIGURATION / "grafana-dashboard.json"
PAGE = CONFIGURATION.parents[1] / "docs/monitoring.md"

# Our metrics, and those with their selectors.
_METRIC = re.compile(r"cg_\w+(?<!_created)\b")
_SELECTOR = re.compile(r"cg_\w+(?:\{[^}]*\})?")


class Prometheus(servers.Server):
    """Scrapes one port every second, and evaluates our rules."""

    def __init__(self, target: int) -> None:
        super().__init__()
        self._target = target

    def _prepare(self) -> list[str]:
        config = {
            "global": {"scrape_interval": "1s", "evaluation_interval": "1s"},
            "rule_files": [str(RULES)],
            "scrape_configs": [
                {
                    "job_name": "cg_extension",
                    "static_configs": [{"targets": [f"127.0.0.1:{self._target}"]}],
                }
            ],
        }
        path = self.directory / "prometheus.yml"
        path.write_text(yaml.safe_dump(config))
        return [
            "prometheus",
            f"--config.file={path}",
            f"--storage.tsdb.path={self.directory / 'data'}",
            f"--web.listen-address=127.0.0.1:{self.port}",
        ]

    def get(self, path: str, **parameters: str) -> Any:
        """The data of an answer."""
        url = f"http://127.0.0.1:{self.port}/api/v1/{path}"
        answer = requests.get(url, params=parameters, timeout=30).json()
        if answer["status"] != "success":
            raise AssertionError(f"{parameters}: {answer}")
        return answer["data"]

    def query(self, expression: str) -> list[Any]:
        """The series that an expression has now."""
        found: list[Any] = self.get("query", query=expression)["result"]
        return found

    def _answers(self) -> bool:
        try:
            return bool(self.query("up == 1"))
        except requests.RequestException:  # Until it is ready it answers 503, as text.
            return False


def dashboard_queries() -> list[str]:
    """As Grafana sends them, which puts in what its variables stand for."""
    dashboard = json.loads(DASHBOARD.read_text())
    return [
        target["expr"].replace("$__rate_interval", "5m")
        for panel in dashboard["panels"]
        for target in panel["targets"]
    ]


def rules() -> list[dict[str, Any]]:
    (group,) = yaml.safe_load(RULES.read_text())["groups"]
    found: list[dict[str, Any]] = group["rules"]
    return found


class PrometheusTest(base.FunctionalTest):
    def setUp(self) -> None:
        super().setUp()
        self.port = processes.free_port()
        config = {
            "DEFAULT": {"enabled_backends": "pool", "report_interval": 0.5},
            "pool": {"volume_driver": "pool"},
            "metrics": {"port": self.port},
        }
        directory = pathlib.Path(self.useFixture(fixtures.TempDir()).path)
        environment = deployment.install_test_drivers(directory)
        self.service = self.useFixture(base.Standalone(config, environment))
        self.prometheus = self.useFixture(Prometheus(self.port))

    def test_all_that_the_dashboard_and_the_rules_name_is_there(self) -> None:
        self.service.client().get("/consistencygroups")
        waiting.eventually(
            lambda: self.prometheus.query(
                'cg_api_request_seconds_count{status="200"} and on () cg_pool_used_ratio'
            ),
            "a scrape after the request and the first heartbeat",
        )
        queries = [*dashboard_queries(), *(rule["expr"] for rule in rules())]
        named = {selector for query in queries for selector in _SELECTOR.findall(query)}
        # A scrape on a busy machine may take too long, and then there is none of that moment.
        missing = {
            selector
            for selector in named
            if not self.prometheus.query(f"last_over_time({selector}[1m])")
        }
        # There is no series of a status that no answer has had yet.
        self.assertEqual({'cg_api_request_seconds_count{status=~"5.."}'}, missing)
        for query in queries:
            self.prometheus.query(query)
        # And the dashboard leaves nothing out.
        told = filter(_METRIC.fullmatch, self.prometheus.get("label/__name__/values"))
        shown = _METRIC.findall(" ".join(dashboard_queries()))
        self.assertEqual(set(map(_family, told)), set(map(_family, shown)))

    def test_a_running_service_is_no_alert_and_a_stopped_one_is(self) -> None:
        healthy = {rule["name"]: rule for rule in self.evaluated()}
        self.assertEqual({rule["alert"] for rule in rules()}, set(healthy))
        self.service.stop()
        waiting.eventually(lambda: "CGNotMonitored" in self.pending(), "an alert is pending")

    def evaluated(self) -> list[Any]:
        """The rules, when each was evaluated since the service was scraped, and is no alert."""

        def inactive() -> list[Any]:
            """All or none of them: a scrape on a busy machine may take too long."""
            is_scraped = self.prometheus.query("cg_backend_up")
            found: list[Any] = self.prometheus.get("rules")["groups"][0]["rules"]
            states = {(rule["health"], rule["state"]) for rule in found}
            return found if is_scraped and states == {("ok", "inactive")} else []

        return waiting.eventually(inactive, "all rules were evaluated, and none is an alert")

    def pending(self) -> set[str]:
        return {series["metric"]["alertname"] for series in self.prometheus.query("ALERTS")}


def _family(name: str) -> str:
    return re.sub("_(bucket|count|sum)$", "", name)


class RulesTest(base.FunctionalTest):
    def promtool(self, *arguments: object) -> None:
        done = subprocess.run(
            ["promtool", *map(str, arguments)], capture_output=True, text=True, check=False
        )
        self.assertEqual(0, done.returncode, done.stdout + done.stderr)

    def test_promtool_finds_the_rules_right(self) -> None:
        self.promtool("check", "rules", RULES)

    def test_each_rule_fires_when_it_should_and_no_earlier(self) -> None:
        self.promtool("test", "rules", RULES.with_suffix(".test.yaml"))
        tested = yaml.safe_load(RULES.with_suffix(".test.yaml").read_text())["tests"]
        fired = {
            each["alertname"]
            for test in tested
            for each in test.get("alert_rule_test", ())
            if each["exp_alerts"]
        }
        self.assertEqual({rule["alert"] for rule in rules()}, fired)

    def test_the_page_says_of_each_alert_what_to_do(self) -> None:
        headings = re.findall(r"^### (CG\w+)$", PAGE.read_text(), re.MULTILINE)
        self.assertEqual([rule["alert"] for rule in rules()], headings)
        for rule in rules():
            anchor = f"docs/{PAGE.name}#{rule['alert'].lower()}"
            self.assertEqual(anchor, rule["annotations"]["runbook"])
