"""Tasks that a command means: named, by pattern, and with what they depend on."""

from typing import Any

import click
import pytest
from plan.game import Game, defined
from tradewind.cli.objects.chosen_tasks import chosen

TASKS: dict[str, Any] = {
    "list": {},
    "load-a": {"dependsOn": ["list"]},
    "load-b": {"dependsOn": ["list"]},
    "load-c": {"dependsOn": ["list"], "when": "false"},
    "items": {"dependsOn": ["load-a"], "forEach": {"range": {"stop": 2}}},
    "report": {"dependsOn": ["items", "load-b"]},
    "other": {},
}


def played(tasks: dict[str, Any]) -> Game:
    game = Game(defined(tasks))
    game.play(lambda key, _: "", lambda key: {})
    return game


@pytest.mark.parametrize(
    ("texts", "how", "tasks"),
    [
        (["load-*"], {"clears": True}, ["load-a", "load-b"]),  # load-c has not run
        (["load-*"], {}, ["load-a", "load-b", "load-c"]),
        (["load-?", "report"], {}, ["report", "load-a", "load-b", "load-c"]),
        (["load-c"], {"clears": True}, ["load-c"]),  # refused later, with the reason
        (["report"], {"clears": True, "upstream": True}, ["report", "list", "load-a", "load-b", "items"]),
        (["items[1]"], {"clears": True, "upstream": True}, ["items[1]", "list", "load-a"]),
        (["load-*"], {"clears": True, "upstream": True}, ["list", "load-a", "load-b"]),
        (["list", "list"], {}, ["list"]),
        (["nope"], {"upstream": True}, ["nope"]),
        (["*t"], {}, ["list", "report"]),
    ],
)
def test_the_tasks_that_are_meant(texts: list[str], how: dict[str, bool], tasks: list[str]) -> None:
    assert chosen(played(TASKS).planner, texts, **how) == tasks


@pytest.mark.parametrize(
    ("texts", "words"),
    [
        (["lod-*"], "no task matches 'lod-*'; there are: "),
        (["load.a*"], "no task matches 'load.a*'"),
        (["*-c"], "none of these tasks has run: load-c; there is nothing to clear"),
    ],
)
def test_a_pattern_that_means_nothing_is_told(texts: list[str], words: str) -> None:
    with pytest.raises(click.ClickException) as caught:
        chosen(played(TASKS).planner, texts, clears=True)
    assert words in caught.value.message


def test_more_tasks_than_an_edit_holds_are_told_before_it_is_made() -> None:
    planner = played({f"t{number:03}": {} for number in range(101)}).planner
    with pytest.raises(click.ClickException, match="101 tasks are meant, and one edit names at most 100"):
        chosen(planner, ["t*"])
    assert len(chosen(planner, ["t0*"])) == 100
