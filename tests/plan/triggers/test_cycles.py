"""Triggers whose runs lead back to their own DAG, over ends, assets and sub-DAGs."""

from collections.abc import Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tradewind.plan.triggers import cycles
from tradewind.plan.triggers.cycles import DAG, Graph, Topic, Trigger, assets_of, called_by, circle

Follows = Mapping[str, tuple[str, list[str]]]
"""By trigger, its DAG and what it follows: `a` for the end of DAG a, `@x` for asset x."""


def topic(text: str) -> Topic:
    return ("assets", "ns", text[1:]) if text.startswith("@") else ("completed", "ns", f"ns/{text}")


def graph(triggers: Follows, makes: Mapping[str, list[str]], calls: Mapping[str, list[str]]) -> Graph:
    def of(dag: DAG) -> list[Topic]:
        return [topic(dag[1]), *(topic(f"@{asset}") for asset in makes.get(dag[1], ()))]

    def followers(wanted: Topic) -> list[Trigger]:
        return [("ns", name) for name, (_, followed) in triggers.items() if wanted in map(topic, followed)]

    return Graph(
        dag=lambda trigger: ("ns", triggers[trigger[1]][0]),
        follows=lambda trigger: [topic(text) for text in triggers[trigger[1]][1]],
        followers=followers,
        makes=of,
        calls=lambda dag: [("ns", name) for name in calls.get(dag[1], ())],
    )


def found(trigger: str, triggers: Follows, **more: dict[str, list[str]]) -> str:
    way = circle(graph(triggers, more.get("makes", {}), more.get("calls", {})), ("ns", trigger))
    return str(way).partition(": ")[2] if way else ""


@pytest.mark.parametrize(
    ("triggers", "more", "words"),
    [
        ({"t": ("a", ["b"])}, {}, ""),
        ({"t": ("a", ["a"])}, {}, "DAG ns/a -> its end, trigger ns/t -> DAG ns/a"),
        ({"t": ("a", ["@x"])}, {"makes": {"a": ["x"]}}, "DAG ns/a -> asset x, trigger ns/t -> DAG ns/a"),
        (
            {"t": ("a", ["@x"]), "u": ("b", ["a"])},
            {"makes": {"b": ["x"]}},
            "DAG ns/a -> its end, trigger ns/u -> DAG ns/b -> asset x, trigger ns/t -> DAG ns/a",
        ),
        (
            {"t": ("a", ["@x"])},
            {"makes": {"c": ["x"]}, "calls": {"a": ["b"], "b": ["c"]}},
            "DAG ns/a -> its sub-DAG ns/b -> its sub-DAG ns/c -> asset x, trigger ns/t -> DAG ns/a",
        ),
        ({"t": ("a", ["@x"]), "u": ("b", ["@x"])}, {"makes": {"b": ["x"]}}, ""),
    ],
)
def test_a_circle_is_told_step_by_step(triggers: Follows, more: dict[str, dict[str, list[str]]], words: str) -> None:
    assert found("t", triggers, **more) == words


@given(st.lists(st.tuples(st.integers(0, 5), st.integers(0, 5)), max_size=12))
def test_a_trigger_is_in_a_circle_when_its_dag_leads_to_what_it_follows(edges: list[tuple[int, int]]) -> None:
    triggers = {f"t{at}": (str(to), [str(of)]) for at, (of, to) in enumerate(edges)}
    reach = {dag: {dag} for dag in range(6)}
    for _ in range(6):
        for of, to in edges:
            for seen in reach.values():
                if of in seen:
                    seen.add(to)
    for at, (of, to) in enumerate(edges):
        assert bool(found(f"t{at}", triggers)) == (of in reach[to])


def test_more_dags_than_are_looked_at_end_the_search(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cycles, "CYCLE_STEPS_LIMIT", 3)
    chain = {f"t{at}": (str(at + 1), [str(at)]) for at in range(9)} | {"last": ("0", ["9"])}
    assert not found("last", chain)


@pytest.mark.parametrize(
    "spec", [None, [], {"tasks": []}, {"produces": {"name": "x"}, "tasks": {"a": 1, "b": {"dag": 7}}}]
)
def test_a_spec_that_is_none_produces_and_calls_nothing(spec: object) -> None:
    assert not assets_of(spec) and not called_by(spec)


def test_what_a_spec_produces_and_calls_is_read_from_run_and_tasks() -> None:
    spec = {
        "produces": [{"name": "x"}, {}],
        "tasks": {"a": {"produces": [{"name": "y"}]}, "b": {"dag": {"name": "sub"}}, "c": {"dag": {}}},
    }
    assert assets_of(spec) == {"x", "y"} and called_by(spec) == {"sub"}


def test_what_a_search_takes_is_bounded_by_edges_however_dense_the_graph_is() -> None:
    dags = [f"d{at}" for at in range(300)]
    looked = 0

    def of(trigger: Trigger) -> DAG:
        nonlocal looked
        looked += 1
        return ("ns", trigger[1])

    dense = Graph(
        dag=of,
        follows=lambda trigger: [topic("@none")],
        followers=lambda wanted: [("ns", name) for name in dags],
        makes=lambda dag: [topic(f"@{at}") for at in range(64)],
        calls=lambda dag: [],
    )
    assert circle(dense, ("ns", "d0")) is None
    assert looked <= cycles.CYCLE_EDGES_LIMIT + 1
