"""The pages for people who come from Airflow and Argo: what they name exists, and they count right."""

import re
from pathlib import Path
from typing import Any

import click
import pytest
from plan.game import Game, defined
from tradewind.cli.main import main
from tradewind.model.crd import manifests
from tradewind.plan.outcomes.state import State

DOCS = Path(__file__).parents[2] / "docs"
PAGES = {name: (DOCS / f"coming-from-{name}.md").read_text() for name in ("airflow", "argo")}
GOALS = {"airflow": 90, "argo": 95}
COUNTED = "## How much can be written"
ROW = re.compile(r"^\| (.+?) \|(.*)\|$", re.MULTILINE)
OURS = {
    name: [row.partition(" | ")[2] for row in re.findall(r"^\| .*$", page.partition(COUNTED)[0], re.MULTILINE)]
    for name, page in PAGES.items()
}
"""The right columns of all rows."""
CODE = re.compile(r"`([^`]+)`")
FREE = {"conf", "done", "north"}
"""Names in examples that their authors choose."""


def _fields(schema: Any) -> set[str]:
    """All names of fields in the schemas of all kinds."""
    if isinstance(schema, list):
        return set().union(*map(_fields, schema))
    if not isinstance(schema, dict):
        return set()
    own = schema["properties"] if isinstance(schema.get("properties"), dict) else {}
    return set(own).union(*map(_fields, schema.values()))


FIELDS = _fields(manifests())
USED = [(name, code) for name, rows in OURS.items() for row in rows for code in CODE.findall(row)]


def test_the_pages_have_rows() -> None:
    assert all(len(rows) > 50 for rows in OURS.values()) and len(FIELDS) > 200


@pytest.mark.parametrize(("page", "code"), [item for item in USED if item[1].startswith("tradewind ")])
def test_a_command_that_a_page_names_exists_with_its_options(page: str, code: str) -> None:
    words = code.split()[1:]
    command = main.get_command(click.Context(main), words[0])
    assert command is not None, code
    known = {option for param in command.params for option in param.opts + param.secondary_opts}
    assert {word.partition("=")[0] for word in words if re.match(r"--?[a-z]", word)} <= known, code


@pytest.mark.parametrize(("page", "code"), [item for item in USED if re.search(r"\b[a-z][A-Za-z]+: ", item[1])])
def test_a_field_that_a_page_names_exists(page: str, code: str) -> None:
    names = re.findall(r"(?:^|[{ ,])([a-z][A-Za-z0-9]*): ", re.sub(r"\"[^\"]*\"|'[^']*'", "", code))
    assert {name for name in names if name not in FREE} <= FIELDS, code


@pytest.mark.parametrize("page", list(PAGES))
def test_the_features_are_counted_right_and_the_goal_is_met(page: str) -> None:
    table = [
        row.strip("| ").split("|") for row in PAGES[page].partition(COUNTED)[2].splitlines() if row.startswith("| ")
    ]
    counts, names = [0, 0, 0], list[str]()
    for _, *columns in (re.split(r" ?\| ?", "|".join(row) + " | | ") for row in table[1:-1]):
        for index, column in enumerate(columns[:3]):
            found = [name for name in column.split("; ") if name.strip()]
            counts[index] += len(found)
            names += found
    total, said = sum(counts), [*map(str.strip, table[-1])]
    assert len({*names}) == total, "each counts once"
    assert said == [f"**{total} features**", *(f"**{count}: {100 * count / total:.1f} %**" for count in counts)]
    assert 100 * (counts[0] + counts[1]) / total >= GOALS[page]


@pytest.mark.parametrize(
    ("rule", "after_a_failure", "after_a_loss"),
    [
        ("Succeeded(a) || Lost(a)", State.UPSTREAM_FAILED, State.READY),
        ("Succeeded(a) || Failed(a) && !Lost(a)", State.READY, State.UPSTREAM_FAILED),
    ],
)
def test_failures_and_losses_can_be_allowed_apart(rule: str, after_a_failure: State, after_a_loss: State) -> None:
    assert rule.replace("||", r"\|\|") in PAGES["argo"]
    for reason, state in (("Error", after_a_failure), ("NodeLost", after_a_loss)):
        tasks: dict[str, Any] = {
            "a": {"retries": {"infrastructureLimit": 0}},
            "b": {"dependsOn": ["a"], "triggerRule": rule},
        }
        game = Game(defined(tasks))
        [start] = game.plan().starts
        game.start(start)
        game.end("a", reason)
        game.plan()
        assert game.planner.ledger.states["b"] is state
