"""The chart's alerts and dashboard: Prometheus's own tool checks the rules, and nothing names a metric that does not
exist."""

import itertools
import json
import re
import subprocess
from pathlib import Path
from typing import Any, get_args

import pytest
import yaml
from cluster.promtool import promtool
from tradewind import metrics
from tradewind.kube import resources, writes
from tradewind.model.run import Phase
from tradewind.plan.outcomes.attempt import FAILURES, LOSSES, PREEMPTIONS, STOPPED
from tradewind.plan.outcomes.state import State

from chart.rendering import CHART, ROOT, needs_helm, of, rendered

RULES = CHART / "files" / "rules.yaml"
TESTS = Path(__file__).with_name("rules_test.yaml")
GROUPS: list[dict[str, Any]] = yaml.safe_load(RULES.read_text())["groups"]
ALERTS: dict[str, dict[str, Any]] = {
    rule["alert"]: rule for group in GROUPS for rule in group["rules"] if "alert" in rule
}
RECORDS: dict[str, str] = {
    rule["record"]: rule["expr"] for group in GROUPS for rule in group["rules"] if "record" in rule
}
DASHBOARD: dict[str, Any] = json.loads((CHART / "files" / "dashboard.json").read_text())
QUERIES = [target["expr"] for panel in DASHBOARD["panels"] for target in panel.get("targets", [])]
VARIABLES = [variable["query"]["query"] for variable in DASHBOARD["templating"]["list"] if variable["type"] == "query"]
DOCUMENT = (ROOT / "docs" / "monitoring.md").read_text()
RUNBOOKS = ROOT / "docs" / "runbooks"
DOCS = "https://github.com/tradewind-dev/tradewind/blob/main/docs"

SUFFIXES = {"counter": ["_total"], "histogram": ["_bucket", "_sum", "_count"], "gauge": [""]}
FAMILIES = [
    *metrics.REGISTRY.collect(),
    *metrics.ADMISSION.collect(),
    *metrics.EVENTS.collect(),
    *metrics.RECORDER.collect(),
]
NAMES = {family.name + suffix for family in FAMILIES for suffix in SUFFIXES[family.type]}
TARGET_LABELS = {"namespace", "job", "instance"}
"""Labels that Prometheus adds, and rules may use."""
VALUES = {
    "stage": set(re.findall(r'labels\("(\w+)"\)', Path(metrics.__file__).read_text())),
    "phase": set(get_args(Phase)),
    "state": set(State),
    "outcome": {"Succeeded", *FAILURES, *LOSSES, *PREEMPTIONS, *STOPPED},
    "resource": {item.plural for item in vars(resources).values() if isinstance(item, resources.Resource)},
}
"""Labels whose values are known beforehand."""
# The first use may download promtool or build Helm, or wait for another that does.
pytestmark = pytest.mark.timeout(600)


def check(*arguments: str | Path) -> None:
    done = subprocess.run([promtool(), *arguments], capture_output=True, text=True, timeout=200)
    assert done.returncode == 0, done.stdout + done.stderr


def selectors(expression: str) -> list[tuple[str, dict[str, str]]]:
    """The metrics of an expression, each with its label matchers."""
    text = re.sub(r"\b(by|on|without|ignoring|group_left|group_right)\s*\([^)]*\)", " ", expression)
    text = re.sub(r"\[[^]]*\]", " ", text)  # ranges
    found = re.findall(r"(?<![\w.:])([a-zA-Z_:][\w:]*)\s*(\(|\{[^}]*\})?", text)
    return [
        (name, dict(re.findall(r'(\w+)\s*(?:=~|!~|!=|=)\s*"([^"]*)"', rest)))
        for name, rest in found
        if rest != "(" and name not in ("and", "or", "unless", "bool", "offset")
    ]


def labels_of(name: str) -> set[str]:
    """The labels of a metric: prometheus_client exposes them nowhere else while it has no samples."""
    for metric in vars(metrics).values():
        own = getattr(metric, "_name", None)
        if own and name in {own + suffix for suffix in ("", "_total", "_bucket", "_sum", "_count")}:
            return set(metric._labelnames) | ({"le"} if name.endswith("_bucket") else set())
    return set()  # of the process collector


def test_prometheus_accepts_the_rules() -> None:
    check("check", "rules", RULES)


def test_alerts_fire_when_they_should_and_only_then() -> None:
    check("test", "rules", TESTS)


def test_every_alert_is_seen_to_fire() -> None:
    assert set(re.findall(r'ALERTS\{alertname="(\w+)",alertstate="firing"', TESTS.read_text())) == set(ALERTS)


def test_prometheus_understands_every_query_of_the_dashboard(tmp_path: Path) -> None:
    queries = [query.replace("$__rate_interval", "5m") for query in QUERIES]
    rules = [{"record": f"query:{number}", "expr": query} for number, query in enumerate(queries)]
    file = tmp_path / "queries.yaml"
    file.write_text(yaml.safe_dump({"groups": [{"name": "queries", "rules": rules}]}))
    check("check", "rules", file)


def test_selectors_are_found_in_an_expression() -> None:
    expression = 'sum by (job, le) (rate(a_total{code=~"0|5..",x!="y"}[5m])) > 1e3 and on (job) b:c == 0 or absent(d)'
    assert selectors(expression) == [("a_total", {"code": "0|5..", "x": "y"}), ("b:c", {}), ("d", {})]


@pytest.mark.parametrize(
    "expression",
    [
        *(pytest.param(rule["expr"], id=name) for name, rule in ALERTS.items()),
        *(pytest.param(expression, id=name) for name, expression in RECORDS.items()),
        *(pytest.param(query, id=f"query-{number}") for number, query in enumerate(QUERIES)),
        *(pytest.param(re.sub(r"label_values\((.*), \w+\)", r"\1", query), id=query) for query in VARIABLES),
    ],
)
def test_every_metric_and_label_that_is_asked_for_exists(expression: str) -> None:
    found = selectors(expression)
    assert found
    for name, matchers in found:
        assert name in NAMES | RECORDS.keys() | {"up"}
        if name in NAMES:
            assert matchers.keys() <= labels_of(name) | TARGET_LABELS
        for label in matchers.keys() & VALUES.keys():
            assert set(matchers[label].split("|")) <= VALUES[label]


def test_names_that_others_export_too_count_only_beside_the_operator() -> None:
    for expression in [*(rule["expr"] for rule in ALERTS.values()), *RECORDS.values()]:
        names = {name for name, _ in selectors(expression)}
        if any(name.startswith(("workqueue_", "process_")) for name in names):
            assert "tradewind_leader" in names
    for query in QUERIES:  # there, jobs are those that have a tradewind_leader
        assert 'job=~"$job"' in query


def test_numbers_and_names_of_the_code_are_those_of_the_rules() -> None:
    assert f"tradewind_api_write_limit <= {writes.LEAST:g}\n" in ALERTS["TradewindWritesThrottled"]["expr"]
    [(_, matchers)] = selectors(RECORDS["tradewind:attempts_lost:increase_30m"])
    assert matchers["outcome"].split("|") == list(LOSSES)


@pytest.mark.parametrize("name", list(ALERTS))
def test_an_alert_says_how_bad_it_is_what_it_means_and_where_to_read_on(name: str) -> None:
    alert = ALERTS[name]
    assert alert["labels"]["severity"] in {"critical", "warning"}
    assert alert["annotations"].keys() == {"summary", "description", "runbook_url"}
    assert "Look at" in alert["annotations"]["description"] or "look at" in alert["annotations"]["description"]
    assert alert["annotations"]["runbook_url"] == f"{DOCS}/runbooks/{name}.md"
    page = (RUNBOOKS / f"{name}.md").read_text()
    summary = re.sub(r"\{\{ \$labels\.(\w+) \}\}", r"(\1)", alert["annotations"]["summary"])
    assert page.startswith(f"# {name}\n") and summary in page and "{{" not in page
    assert f"Severity {alert['labels']['severity']}" in page and f"after {alert.get('for', 'it has held once')}" in page


def test_the_document_explains_every_metric_and_no_alert_that_is_not() -> None:
    for family in FAMILIES:
        suffix = "_total" if family.type == "counter" else ""
        if not family.name.startswith("process_"):
            assert f"`{family.name}{suffix}`" in DOCUMENT
    assert re.findall(r"^\| \[(\w+)\]\(runbooks/\1\.md\) ", DOCUMENT, re.MULTILINE) == list(ALERTS)
    assert {path.stem for path in RUNBOOKS.iterdir()} == set(ALERTS)


@needs_helm
def test_alerts_lead_to_the_pages_where_they_are() -> None:
    for url in (DOCS, "https://wiki.example.com/tradewind"):
        values = {"prometheusRule": {"enabled": True, "docsURL": url}}
        [rules] = of(rendered(values), "PrometheusRule")
        alerts = [rule for group in rules["spec"]["groups"] for rule in group["rules"] if "alert" in rule]
        assert {rule["annotations"]["runbook_url"] for rule in alerts} == {
            f"{url}/runbooks/{name}.md" for name in ALERTS
        }


def test_panels_have_their_own_ids_and_places() -> None:
    panels = DASHBOARD["panels"]
    assert len({panel["id"] for panel in panels}) == len(panels)
    places = [panel["gridPos"] for panel in panels]
    assert all(place["x"] + place["w"] <= 24 for place in places)
    for one, other in itertools.combinations(places, 2):
        beside = one["x"] + one["w"] <= other["x"] or other["x"] + other["w"] <= one["x"]
        below = one["y"] + one["h"] <= other["y"] or other["y"] + other["h"] <= one["y"]
        assert beside or below, (one, other)


def test_panels_ask_the_data_source_that_was_chosen_and_say_what_they_show() -> None:
    for panel in DASHBOARD["panels"]:
        assert panel["type"] == "row" or panel["description"]
        for part in [panel, *panel.get("targets", [])] if panel["type"] != "row" else []:
            assert part["datasource"] == {"type": "prometheus", "uid": "${datasource}"}


@needs_helm
def test_the_chart_carries_both_files_unchanged_and_only_when_asked() -> None:
    assert not of(rendered({}), "ConfigMap") and not of(rendered({}), "PrometheusRule")
    objects = rendered({"dashboards": {"enabled": True}, "prometheusRule": {"enabled": True}})
    [dashboard], [rule] = of(objects, "ConfigMap"), of(objects, "PrometheusRule")
    assert json.loads(dashboard["data"]["tradewind.json"]) == DASHBOARD
    assert dashboard["metadata"]["labels"]["grafana_dashboard"] == "1"
    assert rule["spec"] == {"groups": GROUPS}


@needs_helm
def test_the_label_by_which_grafana_finds_the_dashboard_can_be_another() -> None:
    labels = {"grafana_dashboard": None, "dashboards": "batch"}
    [dashboard] = of(rendered({"dashboards": {"enabled": True, "labels": labels}}), "ConfigMap")
    assert dashboard["metadata"]["labels"]["dashboards"] == "batch"
    assert "grafana_dashboard" not in dashboard["metadata"]["labels"]
