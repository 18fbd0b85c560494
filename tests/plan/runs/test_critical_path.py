"""The chain of tasks that determined when a run ended, and how each of its steps spent its time."""

from collections.abc import Mapping
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tradewind.plan.dags.definition import Definition
from tradewind.plan.outcomes.attempt import Attempt, key, parse_key
from tradewind.plan.outcomes.state import State
from tradewind.plan.outcomes.trigger_rule import RULES
from tradewind.plan.runs.critical_path import Step, critical_path

from plan.game import defined

ITEMS = {"range": {"stop": 3}}


def ran(**times: list[tuple[int, int]]) -> dict[str, list[Attempt]]:
    """Attempts by task, as (start, end); all but the last failed. An item is written task__index."""
    named = {name.replace("__", "[") + "]" if "__" in name else name: found for name, found in times.items()}
    return {
        name: [
            Attempt(name, number, start, end, "" if number == len(found) else "Error")
            for number, (start, end) in enumerate(found, 1)
        ]
        for name, found in named.items()
    }


def task(*dependencies: str, **more: Any) -> dict[str, Any]:
    return {"dependsOn": list(dependencies), "command": ["x"], **more}


CHAIN = {"a": task(), "b": task("a"), "c": task("b")}
DIAMOND = {"a": task(), "b": task("a"), "c": task("a"), "d": task("b", "c")}

CASES: dict[str, tuple[Mapping[str, Any], dict[str, list[Attempt]], Mapping[str, State], list[Step]]] = {
    "nothing has run": (CHAIN, {}, {}, []),
    "a chain, with what passes before each start": (
        CHAIN,
        ran(a=[(101, 105)], b=[(107, 110)], c=[(110, 120)]),
        {},
        [Step("a", 1, 0, 4), Step("b", 2, 0, 3), Step("c", 0, 0, 10)],
    ),
    "of two branches the one that ended last": (
        DIAMOND,
        ran(a=[(100, 110)], b=[(110, 111)], c=[(110, 150)], d=[(152, 153)]),
        {},
        [Step("a", 0, 0, 10), Step("c", 0, 0, 40), Step("d", 2, 0, 1)],
    ),
    "attempts that failed, and the waits between them, are a share of their own": (
        CHAIN,
        ran(a=[(100, 105), (115, 120), (140, 150)], b=[(151, 152)]),
        {},
        [Step("a", 0, 40, 10), Step("b", 1, 0, 1)],
    ),
    "a run under way: as far as it has come": (
        CHAIN,
        ran(a=[(100, 105)], b=[(106, 109)]),
        {},
        [Step("a", 0, 0, 5), Step("b", 1, 0, 3)],
    ),
    "a task that was skipped is stepped through": (
        {"a": task(), "s": task("a", when="false"), "c": task("s", triggerRule="AllDone")},
        ran(a=[(100, 130)], c=[(131, 132)]),
        {"s": State.SKIPPED},
        [Step("a", 0, 0, 30), Step("c", 1, 0, 1)],
    ),
    "of a fan-out the item that ended last": (
        {"f": task(forEach=ITEMS), "end": task("f")},
        ran(f__0=[(100, 101)], f__1=[(100, 140)], f__2=[(100, 120)], end=[(141, 142)]),
        {},
        [Step("f[1]", 0, 0, 40), Step("end", 1, 0, 1)],
    ),
    "an item of a chain of fan-outs waits for its counterpart only": (
        {"f": task(forEach=ITEMS), "g": task("f", forEach={"itemsOf": "f"})},
        ran(f__0=[(100, 101)], f__1=[(100, 120)], g__0=[(102, 190)], g__1=[(121, 122)]),
        {},
        [Step("f[0]", 0, 0, 1), Step("g[0]", 1, 0, 88)],
    ),
    "an item whose counterpart never ran waits for what that waited for": (
        {
            "a": task(),
            "f": task("a", forEach=ITEMS, when="index > 0"),
            "g": task("f", forEach={"itemsOf": "f"}, triggerRule="AllDone"),
        },
        ran(a=[(100, 110)], f__1=[(111, 112)], g__0=[(113, 150)], g__1=[(114, 115)]),
        {},
        [Step("a", 0, 0, 10), Step("g[0]", 3, 0, 37)],
    ),
    "a rule that needs one success waits for the first": (
        {"a": task(), "b": task(), "c": task("a", "b", triggerRule="OneSucceeded")},
        ran(a=[(100, 110)], b=[(100, 111)], c=[(112, 150)]),
        {"a": State.SUCCEEDED, "b": State.SUCCEEDED},
        [Step("a", 0, 0, 10), Step("c", 2, 0, 38)],
    ),
    "a rule that needs one failure waits for that, whatever succeeded before": (
        {"a": task(), "b": task(), "c": task("a", "b", triggerRule="OneFailed")},
        ran(a=[(100, 105)], b=[(100, 111)], c=[(112, 150)]),
        {"a": State.SUCCEEDED, "b": State.FAILED},
        [Step("b", 0, 0, 11), Step("c", 1, 0, 38)],
    ),
    "of a rule in CEL what ended by its start counts, the last of it": (
        {name: task() for name in "abx"} | {"c": task("a", "b", "x", triggerRule="Done(a) && Done(b) || Done(x)")},
        ran(a=[(100, 105)], b=[(100, 111)], x=[(100, 130)], c=[(112, 150)]),
        {},
        [Step("b", 0, 0, 11), Step("c", 1, 0, 38)],
    ),
    "what an expression names is waited for, too": (
        {
            "a": task(outputs={"n": {"type": "integer"}}),
            "b": task(),
            "c": task("a", "b", triggerRule="OneSucceeded", when="tasks.a.state == 'Succeeded'"),
        },
        ran(a=[(100, 120)], b=[(100, 101)], c=[(121, 150)]),
        {"a": State.SUCCEEDED, "b": State.SUCCEEDED},
        [Step("a", 0, 0, 20), Step("c", 1, 0, 29)],
    ),
    "a task that always runs waits for nobody": (
        {"a": task(), "c": task("a", triggerRule="Always")},
        ran(a=[(100, 110)], c=[(101, 150)]),
        {},
        [Step("c", 1, 0, 49)],
    ),
    "within a second the later in the graph ended later": (
        CHAIN,
        ran(a=[(100, 100)], b=[(100, 100)], c=[(100, 100)]),
        {},
        [Step("a", 0, 0, 0), Step("b", 0, 0, 0), Step("c", 0, 0, 0)],
    ),
    "a node's clock that is behind makes nothing negative": (
        CHAIN,
        ran(a=[(100, 110)], b=[(105, 108)], c=[(111, 112)]),
        {},
        [Step("a", 0, 0, 10), Step("b", 0, 0, 0), Step("c", 1, 0, 1)],
    ),
    "a run that began anew after its first attempts counts from these": (
        CHAIN,
        ran(a=[(50, 60)], b=[(60, 61), (101, 102)]),
        {},
        [Step("a", 0, 0, 10), Step("b", 0, 41, 1)],
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_the_path_is_the_chain_that_determined_the_end(case: str) -> None:
    tasks, attempts, states, expected = CASES[case]
    assert critical_path(defined(tasks), attempts, 100, states) == expected


@pytest.mark.parametrize("depth", [5_000])
def test_a_long_chain_is_walked_to_its_beginning(depth: int) -> None:
    tasks = {f"t{place}": task(*([f"t{place - 1}"] if place else [])) for place in range(depth)}
    attempts = ran(**{f"t{place}": [(place, place + 1)] for place in range(0, depth, 2)})
    path = critical_path(defined(tasks), attempts, 0)
    assert len(path) == depth // 2 and sum(step.seconds for step in path) == depth - 1


@st.composite
def histories(draw: st.DrawFn) -> tuple[Definition, dict[str, list[Attempt]], int, dict[str, State]]:
    """Any graph, with any attempts, including ones that no run could have."""
    tasks: dict[str, Any] = {}
    for place in range(draw(st.integers(1, 7))):
        above = [name for name in tasks if draw(st.booleans())]
        made = tasks[f"t{place}"] = task(*above)
        if above:
            made["triggerRule"] = draw(st.sampled_from([*RULES, " || ".join(f"Done({name})" for name in above)]))
        outs = [name for name in above if "forEach" in tasks[name]]
        if outs and draw(st.booleans()):
            made["forEach"] = {"itemsOf": outs[0]}
        elif draw(st.integers(0, 3)) == 0:
            made["forEach"] = ITEMS
    times = st.tuples(st.integers(0, 50), st.integers(0, 20))
    attempts: dict[str, list[Attempt]] = {}
    for name, made in tasks.items():
        for index in range(3) if "forEach" in made else [None]:
            unit = key(name, index)
            found = draw(st.lists(times, max_size=3))
            attempts[unit] = [Attempt(unit, n, at, at + took, "Error") for n, (at, took) in enumerate(found, 1)]
    states = {name: draw(st.sampled_from(State)) for name in tasks}
    return defined(tasks), attempts, draw(st.integers(0, 60)), states


@given(histories())
def test_the_seconds_of_a_path_add_up_and_its_steps_follow_the_graph(
    history: tuple[Definition, dict[str, list[Attempt]], int, dict[str, State]],
) -> None:
    definition, attempts, began, states = history
    path = critical_path(definition, attempts, began, states)
    ends = [found[-1].end for found in attempts.values() if found]
    assert bool(path) == bool(ends)
    if not path:
        return
    assert all(min(step.waited, step.retried, step.ran) >= 0 for step in path)
    assert attempts[path[-1].task][-1].end == max(ends)
    began = min(began, attempts[path[0].task][0].start, attempts[path[0].task][-1].end)
    highest = max(attempts[step.task][-1].end for step in path)
    assert sum(step.seconds for step in path) == highest - began == max(ends) - began
    for before, after in pairwise(path):
        assert parse_key(before.task)[0] in _reached(definition, attempts, parse_key(after.task)[0])


def _reached(definition: Definition, attempts: Mapping[str, list[Attempt]], name: str) -> set[str]:
    """The tasks above, up to the first with an attempt on each path. For a chain of fan-outs an item may have none."""
    found: set[str] = set()
    todo = list(definition.graph.upstream[name])
    while todo:
        task_ = todo.pop()
        found.add(task_)
        source = definition.tasks[task_].for_each
        if source or not attempts[task_]:
            todo += definition.graph.upstream[task_]
    return found
