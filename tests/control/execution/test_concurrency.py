"""How many runs of a DAG are active at once."""

from dataclasses import replace
from typing import Any

import pytest
from tradewind.control.dagrun.run import Run
from tradewind.control.dagrun.state import RunState
from tradewind.control.execution.concurrency import ConcurrencyDecision, Peer, key_of, key_of_peer, verdict
from tradewind.control.execution.run_start import Defined, RunStarter, look_again
from tradewind.plan.dags.compile import define
from tradewind.plan.dags.definition import Definition


def run(name: str, created: int, priority: int | None = None, cancelled: bool = False, **params: Any) -> Run:
    return Run(
        name,
        "ns",
        f"uid-{name}",
        1,
        1,
        created,
        False,
        "d",
        params,
        "Cancelled" if cancelled else "Running",
        {},
        priority,
    )


def dag(**spec: Any) -> Definition:
    return define({"params": {"region": {"default": "x"}}, "tasks": {"a": {"image": "x"}}, **spec})


def asked(definition: Definition, asking: Run, active: list[Run] = [], waiting: list[Run] = []) -> ConcurrencyDecision:  # noqa: B006
    peers = [
        Peer(peer, begun, key_of_peer(definition, peer))
        for begun, runs in ((True, active), (False, waiting))
        for peer in runs
    ]
    return verdict(definition, asking, key_of(definition, asking, {"region": "x", **asking.params}), peers)


def test_without_a_limit_every_run_begins() -> None:
    assert asked(dag(), run("new", 9), [run(f"r{at}", at) for at in range(50)]).begin


@pytest.mark.parametrize(("spec", "looks"), [({}, False), ({"maxActiveRuns": 2}, True)])
def test_an_end_makes_nobody_look_where_nobody_waits_for_it(spec: dict[str, Any], looks: bool) -> None:
    """Otherwise a burst of runs would cost quadratic time."""
    beginner = RunStarter(None, None, None, None, lambda run: False, lambda: 0.0, None)  # type: ignore[arg-type]
    beginner._defined["ns", "d"] = Defined("1", dag(**spec))
    assert (beginner.room(run("a", 1), None) is not None) is looks


def test_room_is_for_the_next_of_the_same_queue_and_the_same_key() -> None:
    beginner = RunStarter(None, None, None, None, lambda run: False, lambda: 0.0, None)  # type: ignore[arg-type]
    definition = dag(maxActiveRuns=1, concurrencyKey="params.region")
    beginner._defined["ns", "d"] = Defined("1", definition)
    waiting = [
        RunState(replace(run(f"{key}{at}", at), queue=queue)) for key in "ab" for at, queue in ((2, ""), (1, "q"))
    ]
    for state in waiting[:3]:
        beginner._lines[state] = (definition, state.run.name[0])

    def woken(*rooms: tuple[str, str | None]) -> set[str]:
        return {state.run.name for state in beginner.next_in_line(("ns", "d"), rooms, waiting)}

    assert woken(("", "a")) == {"a1", "a2"} and woken(("", "b")) == {"b2"} and woken(("", "c")) == set()
    assert woken(("", None)) == {"a1", "a2", "b2"} and woken(("q", "c")) == {"a1"}
    assert woken(("q", "b"), ("", "c")) == {"a1", "b2"}


def test_a_run_that_has_waited_for_long_looks_for_its_config_map_less_often() -> None:
    assert [look_again(waited) for waited in (-1, 0, 100, 300, 600, 86_400)] == [10, 10, 10, 30, 60, 60]


def test_a_run_too_many_waits_and_says_for_whom() -> None:
    found = asked(dag(maxActiveRuns=2), run("new", 9), [run("b", 2), run("a", 1)])
    assert not found.begin and found.message == "2 of at most 2 runs of DAG d are active; it waits for a"


def test_a_run_far_behind_in_a_line_says_what_stays_true_until_its_turn_is_near() -> None:
    line = [run(f"w{at}", at) for at in range(2, 7)]
    found = asked(dag(maxActiveRuns=1), run("new", 9), [run("a", 1)], line)
    assert not found.begin and found.message == "at most 1 run of DAG d may be active; 5 or more wait before it"


@pytest.mark.parametrize(
    ("waiting", "begins"),
    [
        ([run("older", 1)], False),
        ([run("younger", 99)], True),
        ([run("younger-but-urgent", 99, priority=5)], False),
        ([run("older-but-idle", 1, priority=-5)], True),
    ],
)
def test_those_that_wait_begin_by_priority_and_then_by_age(waiting: list[Run], begins: bool) -> None:
    assert asked(dag(maxActiveRuns=2), run("new", 9), [run("a", 0)], waiting).begin is begins


def test_skip_ends_the_run_that_would_be_one_too_many() -> None:
    found = asked(dag(maxActiveRuns=1, concurrencyPolicy="Skip"), run("new", 9), [run("a", 1)])
    assert found.skip and "is skipped (concurrencyPolicy)" in found.message
    assert asked(dag(maxActiveRuns=1, concurrencyPolicy="Skip"), run("new", 9)).begin


def test_replace_cancels_the_oldest_and_waits_until_it_has_ended() -> None:
    definition = dag(maxActiveRuns=2, concurrencyPolicy="Replace")
    found = asked(definition, run("new", 9), [run("b", 2), run("a", 1)])
    assert not found.begin and [other.name for other in found.cancel] == ["a"]
    found = asked(definition, run("new", 9), [run("b", 2), run("a", 1, cancelled=True)])
    assert not found.begin and not found.cancel
    assert asked(definition, run("new", 9), [run("b", 2)]).begin


def test_runs_with_another_key_do_not_count() -> None:
    definition = dag(maxActiveRuns=1, concurrencyKey="params.region")
    assert asked(definition, run("new", 9, region="south"), [run("a", 1, region="north")]).begin
    found = asked(definition, run("new", 9, region="north"), [run("a", 1, region="north")])
    assert found.message == "1 of at most 1 run of DAG d with key 'north' is active; it waits for a"
