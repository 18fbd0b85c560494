"""A run that is followed in a pipe: a line for each change, and what it waits for when nothing changes."""

import io
from dataclasses import replace

import pytest
from tradewind.cli.output.terminal import Console
from tradewind.cli.views import screen as module
from tradewind.cli.views.screen import Screen
from tradewind.control.dagrun.run import Run
from tradewind.look.run_rows import Part, Row
from tradewind.plan.outcomes.state import State

RUN = Run("r", "default", "u", 1, 1, 0, False, "d", {}, "Running", {"phase": "Running"})


def row(task: str, state: State, message: str = "") -> Row:
    return Row(task, state, 0, (), None, None, message, run="r")


def lines(*looks: list[Row], words: type[str] = str) -> list[str]:
    console = Console()
    console.file = io.StringIO()
    with Screen(console, "title", words) as screen:
        for rows in looks:
            screen.show(RUN, rows)
    return str(console.file.getvalue()).splitlines()


def test_a_message_that_changes_is_a_line() -> None:
    missing, broken = (row("a", State.PENDING, f"secret {name} not found") for name in ("db", "mail"))
    assert lines([missing], [missing], [broken]) == [
        "a: Pending: secret db not found",
        "run r: Running",
        "a: Pending: secret mail not found",
    ]


def test_a_message_in_which_only_numbers_change_is_not() -> None:
    assert len(lines(*([row("a", State.WAITING, f"again in {left} s")] for left in (9, 8, 7)))) == 2


def test_what_is_below_a_task_is_named_after_it() -> None:
    sub = row("sub", State.RUNNING).with_parts([Part(RUN, [row("x", State.FAILED, "why")])])
    assert "sub/x: Failed: why" in lines([sub])


def test_after_a_while_it_says_what_it_still_waits_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "QUIET", 0.0)
    rows = [row(task, State.PENDING, "no node") for task in "abcd"]
    blocked, done = row("e", State.BLOCKED), row("f", State.SUCCEEDED)
    said = lines([*rows, blocked, done])[-1]
    assert said == "still waiting for a (Pending: no node), b (Pending: no node), c (Pending: no node) and 1 more"


def test_after_a_while_it_says_why_a_run_is_queued(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "QUIET", 0.0)
    console = Console()
    console.file = io.StringIO()
    with Screen(console, "title") as screen:
        screen.show(replace(RUN, status={"phase": "Queued", "message": "waits for run p1"}), [])
    assert "still waiting: run r is Queued: waits for run p1" in str(console.file.getvalue())
