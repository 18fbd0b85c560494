"""Records by kind and namespace."""

import random
from typing import Any

import orjson
from hypothesis import given
from hypothesis import strategies as some
from tradewind.kube.resources import DAGS, RUNS, Resource
from tradewind.server.access import Scope
from tradewind.server.cache.cache import Cache
from tradewind.server.cache.records import Record, RunRecord, body_record, dag_record, run_record

ALL = Scope(RUNS, None)


def raw(name: str, namespace: str = "a", version: int = 1, created: str = "2026-01-01T00:00:00Z", **body: Any) -> bytes:
    meta = {"name": name, "namespace": namespace, "uid": f"uid-{namespace}-{name}", "resourceVersion": str(version)}
    given_meta = body.pop("metadata", {})
    return orjson.dumps({"metadata": {**meta, "creationTimestamp": created, **given_meta}, **body})


def cache() -> tuple[Cache, list[tuple[Resource, str, bool]]]:
    seen: list[tuple[Resource, str, bool]] = []

    def changed(resource: Resource, record: Record, gone: bool) -> None:
        seen.append((resource, record.name, gone))

    return Cache(changed), seen


def names(made: Cache, scope: Scope = ALL, after: tuple[int, str] | None = None) -> list[str]:
    return [record.name for record in made.runs(scope, after)]


def test_runs_come_the_newest_first_across_namespaces() -> None:
    made, _ = cache()
    days = list(range(1, 29))
    random.Random(1).shuffle(days)
    for day in days:
        made.put(RUNS, run_record(raw(f"r{day:02d}", "ab"[day % 2], created=f"2026-01-{day:02d}T00:00:00Z")))
    assert names(made) == [f"r{day:02d}" for day in range(28, 0, -1)]
    assert names(made, Scope(RUNS, frozenset({"b"}))) == [f"r{day:02d}" for day in range(27, 0, -2)]
    assert names(made, Scope(RUNS, frozenset())) == []
    third = list(made.runs(ALL))[2]
    assert names(made, ALL, third.order) == [f"r{day:02d}" for day in range(25, 0, -1)]


def test_an_older_version_changes_nothing_and_a_deletion_is_told() -> None:
    made, seen = cache()
    made.put(RUNS, run_record(raw("r", version=5, status={"phase": "Running"})))
    made.put(RUNS, run_record(raw("r", version=4, status={"phase": "Queued"})))
    found = made.run(ALL, "a", "r")
    assert found is not None and found.phase == "Running" and len(seen) == 1
    made.drop(RUNS, "a", "r")
    made.drop(RUNS, "a", "r")
    assert seen[1:] == [(RUNS, "r", True)] and names(made) == [] and made.occupied(RUNS) == []


def test_nothing_of_another_namespace_is_found() -> None:
    made, _ = cache()
    made.put(RUNS, run_record(raw("r", "secret")))
    made.put(DAGS, dag_record(raw("d", "secret")))
    mine, dags = Scope(RUNS, frozenset({"a"})), Scope(DAGS, frozenset({"a"}))
    assert made.run(mine, "secret", "r") is None and names(made, mine) == [] and made.count(mine) == 0
    assert made.body(dags, "secret", "d") is None and made.bodies(dags) == []
    assert made.body(Scope(DAGS, None), "secret", "d") is not None


@given(some.lists(some.tuples(some.integers(0, 9), some.integers(1, 3), some.booleans()), max_size=40))
def test_what_is_listed_is_what_is_there(steps: list[tuple[int, int, bool]]) -> None:
    made, _ = cache()
    there: dict[str, int] = {}
    for version, (number, day, gone) in enumerate(steps, 1):
        name = f"r{number}"
        if gone:
            made.drop(RUNS, "a", name)
            there.pop(name, None)
        else:
            day = there.get(name, day)
            made.put(RUNS, run_record(raw(name, version=version, created=f"2026-01-0{day}T00:00:00Z")))
            there[name] = day
    found = list(made.runs(ALL))
    assert sorted(record.name for record in found) == sorted(there)
    assert [record.created for record in found] == sorted((record.created for record in found), reverse=True)


def test_a_run_is_reduced_to_what_lists_show() -> None:
    body = {
        "metadata": {"labels": {"tradewind.dev/trigger-type": "schedule", "tradewind.dev/trigger": "nightly"}},
        "spec": {"dag": "etl", "logicalDate": "2026-01-01T00:00:00+01:00", "desiredState": "Suspended"},
        "status": {"phase": "Running", "startedAt": "2026-01-01T00:00:05Z", "done": 3, "total": 7, "failed": 1},
    }
    body["status"]["waiting"] = [{"task": "t", "reason": "PoolFull", "message": "full"}]  # type: ignore[index]
    found = run_record(raw("r", **body))
    assert (found.dag, found.how, found.maker, found.message) == ("etl", "schedule", "nightly", "full")
    assert (found.done, found.total, found.failed, found.desired) == (3, 7, 1, "Suspended")
    assert found.started == found.created + 5 and found.logical == found.created - 3600 and not found.final


def test_a_status_of_another_form_hides_no_run() -> None:
    for status in ({"phase": 3}, {"done": "x"}, [], "x", {"waiting": 1}, {"produced": [{"name": 1}]}):
        found = run_record(raw("r", spec={"dag": "etl"}, status=status))
        assert isinstance(found, RunRecord) and found.dag == "etl" and "can't be read" in found.message
    for times in ({"startedAt": "yesterday"}, {"finishedAt": ""}):
        assert run_record(raw("r", spec={"dag": "etl"}, status=times)).started is None


def test_of_a_dag_only_what_lists_show_is_kept() -> None:
    tasks = {
        "a": {"command": ["x" * 10_000], "dag": {"name": "sub"}},
        "b": {"produces": [{"name": "sales"}]},
        "c": {"image": "x"},
    }
    found = dag_record(raw("d", spec={"tasks": tasks, "defaults": {"image": "x"}, "description": "what"}))
    assert found.spec["tasks"] == {"a": {"dag": {"name": "sub"}}, "b": {"produces": [{"name": "sales"}]}}
    assert "defaults" not in found.spec and found.spec["description"] == "what"
    for spec in ({"tasks": 3}, {"tasks": {"a": None}}, [], {"dags": {"x": 1}}, None):
        assert dag_record(raw("d", spec=spec)).name == "d"


def test_an_object_of_very_many_values_is_kept_without_its_spec() -> None:
    found = body_record(raw("t", spec={"params": {"many": list(range(300_000))}}))
    assert found.spec == {} and found.name == "t"
