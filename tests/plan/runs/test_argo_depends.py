"""The translation of Argo's `depends` in the documents does what Argo does."""

import re
from itertools import product
from pathlib import Path

import pytest

from plan.game import Game, defined

PAGE = (Path(__file__).parents[3] / "docs/coming-from-argo.md").read_text().partition("## `depends`")[2]
ROWS = [
    tuple(cell.replace("\\|", "|") for cell in row)
    for row in re.findall(r"^\| `(.*?)` \| `(.*?)` \|$", PAGE, re.MULTILINE)
]
MADE = {"Succeeded": {}, "Failed": {}, "Skipped": {"when": "false"}}


def argo_runs(depends: str, states: dict[str, str]) -> bool:
    """Argo's result: a bare name is true for a task that succeeded or was skipped."""

    def asked(match: re.Match[str]) -> str:
        wanted = {match[2]} if match[2] else {"Succeeded", "Skipped"}
        return str(states[match[1]] in wanted)

    text = re.sub(r"\b([ab])(?:\.(\w+))?\b", asked, depends)
    return bool(eval(text.replace("&&", " and ").replace("||", " or ").replace("!", " not ")))


def test_the_page_has_a_table() -> None:
    assert len(ROWS) > 7


@pytest.mark.parametrize(("depends", "rule"), ROWS, ids=[row[0] for row in ROWS])
def test_a_rule_runs_when_argo_would(depends: str, rule: str) -> None:
    for one, other in product(MADE, repeat=2):
        states = {"a": one, "b": other}
        game = Game(defined({"a": MADE[one], "b": MADE[other], "c": {"dependsOn": ["a", "b"], "triggerRule": rule}}))
        game.play(lambda key, _, states=states: "Error" if states.get(key) == "Failed" else "")
        assert (game.states()["c"] == "Succeeded") is argo_runs(depends, states), (depends, rule, states)


def test_what_is_omitted_for_a_failure_is_no_skip() -> None:
    """a fails, b after it is omitted, and c, which names b alone, is too: Argo's workflow fails."""
    bare = "Succeeded(b) || Skipped(b)"
    tasks = {
        "a": {},
        "b": {"dependsOn": ["a"], "triggerRule": "Succeeded(a)"},
        "c": {"dependsOn": ["b"], "triggerRule": bare},
    }
    for rule in (bare, "NoneFailed"):
        tasks["c"]["triggerRule"] = rule
        game = Game(defined(tasks))
        plan = game.play(lambda key, _: "Error" if key == "a" else "")
        assert (game.states()["b"], game.states()["c"], plan.phase) == ("UpstreamFailed", "UpstreamFailed", "Failed")
