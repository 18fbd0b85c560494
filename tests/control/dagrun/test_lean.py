"""Runs with more values than any needs: they take little memory, are refused, and say why."""

import tracemalloc
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tradewind.control.dagrun import lean
from tradewind.control.dagrun.informer import RunInformer
from tradewind.control.dagrun.run import Run, read_run
from tradewind.control.manager.engine import Engine
from tradewind.kube.resources import RUNS, Resource
from tradewind.model.bounded import PARAM_VALUES_LIMIT, values_in, values_written

from control.triggerworld import Server

META = {"name": "r", "namespace": "ns", "uid": "u", "resourceVersion": "7", "creationTimestamp": "2026-01-01T00:00:00Z"}
JSON = st.recursive(
    st.none() | st.booleans() | st.text(alphabet='ab,"\\[]{}:'),
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.text(alphabet='a,"\\[{', max_size=3), inner, max_size=4)
    ),
)


def many(values: int = 500_000) -> dict[str, Any]:
    return {"rows": [[] for _ in range(values)]}


def run(**spec: Any) -> dict[str, Any]:
    return {"metadata": META, "spec": {"dag": "d", **spec}}


def told(body: dict[str, Any]) -> Run:
    """What the informer reports of a run."""
    found = list[Run]()
    informer = RunInformer(Server(0.0), (None,), lambda uid: 0, lambda run, deleted: found.append(run), lambda *_: None)
    informer.take_event("ADDED", orjson.dumps(body))
    return found[0]


@given(JSON)
def test_values_are_counted_without_parsing_as_they_are_with(value: Any) -> None:
    assert values_written(orjson.dumps(value)) == values_in(value, 10**9)


@pytest.mark.parametrize("spec", [{"params": many()}, {"edits": [{"action": "Succeed", "outputs": {"a": many()}}]}])
def test_a_run_with_too_many_values_takes_little_memory_and_is_told_without_them(spec: Any) -> None:
    raw = orjson.dumps(run(**spec))
    found = list[Run]()
    informer = RunInformer(Server(0.0), (None,), lambda uid: 0, lambda run, deleted: found.append(run), lambda *_: None)
    tracemalloc.start()
    informer.take_event("ADDED", raw)
    most = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert most < 6 * len(raw), "its text, and copies of that"
    assert found[0].params in ({}, lean.MANY_PARAMS) and [*found[0].edits] in ([], [lean.MANY_EDITS])
    assert read_run(orjson.loads(raw)) == found[0], "answers tell the same"


def test_edits_before_those_that_are_too_much_stay_as_they_are() -> None:
    small = {"action": "Skip", "tasks": ["a"]}
    large = {"action": "Succeed", "tasks": ["a"], "outputs": {"a": many(20_000)}}
    body = run(edits=[small, large, large, large, small])
    wanted = [small, large, large, lean.MANY_EDITS, small]
    assert [*told(body).edits] == wanted == [*read_run(body).edits]


def test_a_run_with_as_many_values_as_may_be_is_told_whole() -> None:
    body = run(params=many(PARAM_VALUES_LIMIT - 2), edits=[{"action": "Skip", "tasks": ["a"]}])
    assert told(body) == read_run(body) and len(told(body).params["rows"]) == PARAM_VALUES_LIMIT - 2


class Api(Server):
    async def replace(self, resource: Resource, namespace: str, name: str, body: Any, subresource: str = "") -> Any:
        return self.put(resource, {**self.objects[resource.plural, name], "status": body["status"]})


async def test_a_run_with_too_many_params_fails_whether_or_not_its_dag_is_there() -> None:
    api = Api(0.0)
    engine = Engine(api, (), "x", "me")
    new = read_run(api.put(RUNS, {"metadata": {"name": "r"}, "spec": {"dag": "d", "params": many(30_000)}}))
    engine.runs.feed.seen(new, False)
    await engine.host.run("ns", engine.runs.reconcile(new.uid))
    status = api.objects[RUNS.plural, "r"]["status"]
    assert status["phase"] == "Failed"
    assert any("hold more than 20,000 values" in item.get("message", "") for item in status["conditions"])
