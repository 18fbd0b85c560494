"""The Lua script of docs/gitops.md, in Argo CD's Lua, over objects as the operator leaves them."""

import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from lupa.lua51 import LuaRuntime
from tradewind.control.shared.conditions import readiness

DOCUMENT = (Path(__file__).parents[3] / "docs" / "gitops.md").read_text()


def script() -> str:
    """The script in the ConfigMap."""
    (body,) = (
        found
        for block in re.findall(r"```yaml\n(.*?)```", DOCUMENT, re.DOTALL)
        if (found := yaml.safe_load(block))["kind"] == "ConfigMap"
    )
    customizations = yaml.safe_load(body["data"]["resource.customizations"])
    assert customizations.keys() == {"tradewind.dev/*"}
    return str(customizations["tradewind.dev/*"]["health.lua"])


def health(status: dict[str, Any] | None, generation: int = 3) -> tuple[str, str]:
    lua = LuaRuntime(unpack_returned_tuples=True)
    body = {"metadata": {"generation": generation}, "status": status}
    lua.globals().obj = lua.table_from(
        {name: value for name, value in body.items() if value is not None}, recursive=True
    )
    found = lua.execute(script())
    return found["status"], found["message"]


def status(word: str, reason: str, message: str = "", field: str = "phase") -> dict[str, Any]:
    conditions = readiness(word, reason, message, {}, 3, 0)
    return {field: word, "observedGeneration": 3, "conditions": conditions}


@pytest.mark.parametrize(
    ("told", "expected"),
    [
        (status("Valid", "Valid"), ("Healthy", "Valid")),
        (status("Invalid", "Invalid", "a cycle"), ("Degraded", "Invalid: a cycle")),
        (status("Invalid", "TemplateNotFound", "t"), ("Progressing", "TemplateNotFound: t")),
        (status("Waiting", "DAGNotFound", "no DAG"), ("Progressing", "DAGNotFound: no DAG")),
        (status("Suspended", "Suspended"), ("Suspended", "Suspended")),
        (status("Running", "Running"), ("Progressing", "Running")),
        (status("Succeeded", "Succeeded"), ("Healthy", "Succeeded")),
        (status("Cancelled", "Cancelled"), ("Degraded", "Cancelled")),
        (status("Pending", "Pending", field="outcome"), ("Suspended", "Pending")),
        (status("Rejected", "Rejected", field="outcome"), ("Healthy", "Rejected")),
        (None, ("Progressing", "waits for the operator")),
        ({"used": 1}, ("Progressing", "waits for the operator")),
        ({"conditions": []}, ("Progressing", "waits for the operator")),
    ],
)
def test_health_follows_ready(told: dict[str, Any] | None, expected: tuple[str, str]) -> None:
    assert health(told) == expected


def test_a_status_of_an_earlier_spec_says_nothing() -> None:
    assert health(status("Valid", "Valid"), generation=4)[0] == "Progressing"
