"""The chart's README, its metadata, and `helm test`."""

import runpy
from typing import Any

import pytest
import yaml

from chart.rendering import CHART, ROOT, needs_helm, of, rendered

README = (CHART / "README.md").read_text()


def leaves(values: dict[str, Any], path: str = "") -> set[str]:
    found = set()
    for name, value in values.items():
        found |= leaves(value, f"{path}{name}.") if isinstance(value, dict) and value else {f"{path}{name}"}
    return found


def test_it_is_the_one_that_is_generated() -> None:
    assert runpy.run_path(str(ROOT / "charts" / "readme.py"))["readme"]() == README, "run `make chart-readme`"


def test_every_value_is_in_it_with_words() -> None:
    rows = [line.strip("| ").split(" | ") for line in README.splitlines() if line.startswith("| `")]
    assert all(row[-1] for row in rows)
    names = {row[0].strip("`") for row in rows}
    for leaf in leaves(yaml.safe_load((CHART / "values.yaml").read_text())):
        parts = leaf.split(".")
        assert names & {".".join(parts[:count]) for count in range(1, len(parts) + 1)}, leaf


def test_the_metadata_say_what_it_is_and_where_it_comes_from() -> None:
    chart = yaml.safe_load((CHART / "Chart.yaml").read_text())
    assert {"home", "sources", "icon", "maintainers", "keywords", "annotations"} <= chart.keys()
    assert chart["icon"].endswith("charts/tradewind/icon.svg") and (CHART / "icon.svg").exists()


@needs_helm
@pytest.mark.parametrize(
    ("values", "asked"),
    [
        ({}, ["release-tradewind", "release-tradewind-webhook"]),
        (
            {"webhook": {"enabled": False}, "events": {"enabled": True}},
            ["release-tradewind", "release-tradewind-events-metrics"],
        ),
    ],
)
def test_helm_test_asks_every_process_that_there_is(values: dict[str, Any], asked: list[str]) -> None:
    objects = rendered(values)
    [pod] = of(objects, "Pod")
    assert pod["metadata"]["annotations"]["helm.sh/hook"] == "test"
    assert pod["spec"]["containers"][0]["command"][3:] == [f"http://{name}:8080/readyz" for name in asked]
    services = {body["metadata"]["name"]: body["spec"] for body in of(objects, "Service")}
    assert all(8080 in [port["port"] for port in services[name]["ports"]] for name in asked)
