"""Sensors: what is refused, when they poll again, the result of an answer."""

from typing import Any
from unittest.mock import patch

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tradewind.model.sensor import MOST_KEYS, Sensor, TaskSensor
from tradewind.model.trigger import TriggerSpec
from tradewind.model.trigger_sensor import TriggerSensor
from tradewind.plan.cel.compiler import ExpressionError
from tradewind.plan.documents.problem import Invalid
from tradewind.plan.documents.read import read
from tradewind.plan.sensors import sensor as sensor_plan
from tradewind.plan.sensors.sensor import ANSWERS, asked, evaluate, key, pause, remembered, until
from tradewind.plan.sensors.sql_query import bounded
from tradewind.plan.triggers.trigger import check

from plan.game import defined

HTTP = {"http": {"url": "https://example.com"}}
BUCKET = {"endpoint": "https://s3.example.com", "bucket": "b", "secretName": "s"}
SQL = {"host": "db", "database": "d", "secretName": "s", "query": "SELECT id FROM orders"}
JOB = {"apiVersion": "batch/v1", "kind": "Job", "name": "j"}


def problems_of_task(**sensor: Any) -> list[str]:
    try:
        defined({"a": {"sensor": sensor}})
    except Invalid as error:
        return [str(problem) for problem in error.problems]
    return []


def problems_of_trigger(when: str = "", params: dict[str, Any] | None = None, **sensor: Any) -> list[str]:
    spec = {"dag": "d", "sensor": sensor, "params": params or {}, **({"when": when} if when else {})}
    return [str(problem) for problem in check(read(TriggerSpec, spec), None)]


@pytest.mark.parametrize(
    ("sensor", "problem"),
    [
        ({}, "spec.tasks.a.sensor: asks nothing; write one of "),
        ({**HTTP, "interval": "100ms"}, "spec.tasks.a.sensor.interval: 100ms is too short; 1s is the shortest"),
        ({**HTTP, "until": "1 + 1"}, "spec.tasks.a.sensor.until: `1 + 1`: gives an integer, not true or false"),
        ({**HTTP, "until": "stats == 200"}, "there is no 'stats'; a sensor's until can use status, body, params.NAME"),
        ({"http": {"url": "https://$[[ params.x ]]"}}, "spec.tasks.a.sensor.http.url: "),
        ({"http": {"url": "https://x"}, "bucket": {**BUCKET}}, "http and bucket exclude each other"),
        (
            {"bucket": {**BUCKET, "key": "a", "prefix": "b"}},
            "spec.tasks.a.sensor.bucket: key and prefix exclude each other",
        ),
        (
            {"bucket": BUCKET, "until": "object.key == 'x'"},
            "there is no 'object.key'; a sensor's until can use count, objects",
        ),
        (
            {"run": {"dag": "d", "logicalDate": "today"}},
            "spec.tasks.a.sensor.run.logicalDate: 'today' is not a point in time",
        ),
        (
            {"run": {"dag": "d", "task": "a[01]"}},
            "spec.tasks.a.sensor.run.task: 'a[01]' is not valid here; write the name of a task, or task[index] for an item",
        ),
        (
            {"run": {"dag": "d"}, "until": "state == 'Succeeded'"},
            "there is no 'state'; a sensor's until can use phase, name, results",
        ),
        (
            {"object": {**JOB, "kind": "Secret"}},
            "spec.tasks.a.sensor.object.kind: its values would be stored in the run's status",
        ),
        (
            {"object": {**JOB, "condition": "x' || true"}},
            "spec.tasks.a.sensor.object.condition: not a type of conditions",
        ),
        (
            {"sql": {**SQL, "host": "db:5432"}},
            "spec.tasks.a.sensor.sql.host: 'db:5432' is not a host name or address",
        ),
        (
            {"sql": {**SQL, "host": "/run/postgresql"}},
            "spec.tasks.a.sensor.sql.host: '/run/postgresql' is not a host name",
        ),
        (
            {"sql": {**SQL, "query": "SELECT '$[[ run.date ]]'"}},
            "spec.tasks.a.sensor.sql.query: `$[[ ]]` is not rendered in SQL; write $1 in its place",
        ),
        ({"sql": {**SQL, "query": "-- all\nDELETE FROM orders"}}, "spec.tasks.a.sensor.sql.query: not a SELECT; write"),
        ({"sql": {**SQL, "timeout": "0s"}}, "spec.tasks.a.sensor.sql.timeout: leaves no time; write such as 10s"),
        ({"sql": {**SQL, "parameters": ["1", "$[[ params.x ]]"]}}, "spec.tasks.a.sensor.sql.parameters[1]: "),
        ({"sql": SQL, "until": "status == 200"}, "there is no 'status'; a sensor's until can use count, rows"),
        ({"http": {"url": "https://x"}, "until": "tasks.b.outputs.x == 1"}, "there is no task 'b'"),
    ],
)
def test_tasks_that_can_never_ask_are_refused(sensor: dict[str, Any], problem: str) -> None:
    found = problems_of_task(**sensor)
    assert found and problem in found[0], found


@pytest.mark.parametrize(
    ("sensor", "problem"),
    [
        (
            {"http": {**HTTP["http"], "headers": {"Transfer-Encoding": "chunked"}}, "key": "body"},
            "spec.sensor.http.headers.Transfer-Encoding: Transfer-Encoding is set by the sender itself",
        ),
        (
            {"http": {**HTTP["http"], "timeout": "6m"}, "key": "body"},
            "spec.sensor.http.timeout: 6m is longer than the 5m that the operator waits for a server; ask for less",
        ),
        ({"sql": {**SQL, "timeout": "1h"}, "key": "rows"}, "spec.sensor.sql.timeout: 1h is longer than the 5m"),
        (HTTP, "spec.sensor.key: required; write an expression that identifies each result, such as `body.version`"),
        (
            {"sql": SQL},
            "spec.sensor.key: required; write an expression that identifies each result, such as `item.id`, with `items: rows`",
        ),
        ({"sql": {**SQL, "parameters": ["$[[ rows ]]"]}, "key": "1"}, "spec.sensor.sql.parameters[0]: `rows`"),
        ({**HTTP, "key": "item.id"}, "spec.sensor.key: `item.id` (at character 5): there is no 'item.id'"),
        ({**HTTP, "key": "body.a", "items": "'text'"}, "spec.sensor.items: `'text'`: gives a string, not a list"),
        ({**HTTP, "key": "body.a", "cursor": "run.date"}, "there is no 'run.date'; there are trigger.name, "),
        ({"http": {"url": "$[[ body ]]"}, "key": "1"}, "spec.sensor.http.url: `body`"),
        (
            {**HTTP, "key": "1", "envFrom": {"A": {}}},
            "spec.sensor.envFrom.A: needs one source; write secretKeyRef or configMapKeyRef",
        ),
        (
            {**HTTP, "key": "1", "when": "item.id > 1"},
            "spec.when: `item.id > 1` (at character 5): there is no 'item.id'",
        ),
        (
            {**HTTP, "key": "1", "params": {"a": "$[[ item ]]"}},
            "spec.params.a: `item` (at character 1): there is no 'item'",
        ),
    ],
)
def test_triggers_that_can_never_fire_are_refused(sensor: dict[str, Any], problem: str) -> None:
    found = problems_of_trigger(**sensor)
    assert found and problem in found[0], found


def test_what_is_right_is_taken() -> None:
    assert not problems_of_task(**HTTP, until="status == 200 && body.ready && run.date < '2027'")
    url = {"url": "https://x/?after=$[[ cursor ]]&now=$[[ now ]]"}
    more: dict[str, Any] = {"items": "body.items", "key": "[item.id, cursor]", "cursor": "body.next"}
    assert not problems_of_task(run={"dag": "d", "task": "a[9999]"}, until="state != '' && phase != 'Failed'")
    for query in (
        "select 1",
        "(SELECT 1) UNION (SELECT 2)",
        "/* a */ WITH a AS (SELECT 1) SELECT * FROM a;",
        "TABLE a",
    ):
        poll = {**SQL, "query": query, "parameters": ["$[[ run.date ]]", "x"]}
        assert not problems_of_task(sql=poll, until="count > 1 && rows[0].id != 2")
    rows = {"items": "rows", "key": "item.id", "cursor": "rows[count - 1].id"}
    assert not problems_of_trigger(sql={**SQL, "parameters": ["$[[ cursor == '' ? 0 : cursor ]]"]}, **rows)
    assert not problems_of_trigger("item.n > 1 && run.date != ''", {"p": "$[[ item.id ]]"}, http=url, **more)


@given(failures=st.integers(0, 1_000), interval=st.integers(1, 4_000), seed=st.text())
def test_the_time_between_polls_grows_with_failures_up_to_a_bound(failures: int, interval: int, seed: str) -> None:
    sensor = read(Sensor, {**HTTP, "interval": f"{interval}s"})
    wait = pause(sensor, failures, seed)
    assert interval <= wait <= max(interval, 600) * 1.1
    assert failures > 0 or wait <= interval * 1.1


def batch(body: Any, **sensor: str) -> Any:
    made = read(TriggerSensor, {**HTTP, "key": "body", **sensor})
    values = {"trigger.name": "t", "trigger.namespace": "n", "cursor": "c", "now": "", "status": 200, "body": body}
    return asked(made, values), made


def test_an_answer_is_one_thing_or_a_list_of_them() -> None:
    found, sensor = batch({"n": 1}, key="body.n")
    assert [key(sensor, values) for values in found.found] == ["1"] and found.cursor == "c"
    found, sensor = batch({"list": [{"id": "x"}, {"id": 2}]}, items="body.list", key="item.id", cursor="'next'")
    assert [key(sensor, values) for values in found.found] == ['"x"', "2"] and found.cursor == "next"


@pytest.mark.parametrize(
    ("body", "sensor", "problem"),
    [
        ([1] * (MOST_KEYS + 1), {"items": "body"}, "spec.sensor.items: 201 items, at most 200 are allowed"),
        ({"a": 1}, {"items": "body"}, "spec.sensor.items: gives no list"),
        ({"a": 1}, {"cursor": "body"}, "spec.sensor.cursor: gives no text, number or true/false"),
        ("x" * 2_000, {"cursor": "body"}, "spec.sensor.cursor: gives no text, number or true/false of at most 1024"),
        ({}, {"cursor": "body.next"}, "spec.sensor.cursor: "),
    ],
)
def test_answers_that_cannot_be_used_say_which_field_and_why(body: Any, sensor: dict[str, str], problem: str) -> None:
    with pytest.raises(ExpressionError, match=problem):
        batch(body, **sensor)


@given(st.lists(st.lists(st.integers(0, 20).map(str), max_size=8, unique=True), max_size=6))
def test_the_keys_of_the_latest_poll_are_always_remembered(polls: list[list[str]]) -> None:
    kept: list[str] = []
    with patch.object(sensor_plan, "MOST_KEYS", 8):
        for dealt in polls:
            kept = remembered(kept, dealt)
            assert set(dealt) <= set(kept) and len(kept) <= 8 and len(set(kept)) == len(kept)


def test_without_until_the_usual_has_to_hold() -> None:
    job = read(TaskSensor, {"object": {**JOB, "condition": "Complete"}})
    variables, complete = ANSWERS["object"], {"type": "Complete", "status": "True"}
    for found, holds in (
        ({"found": False, "object": None}, False),
        ({"found": True, "object": {}}, False),
        ({"found": True, "object": {"status": {"conditions": [{**complete, "status": "False"}]}}}, False),
        ({"found": True, "object": {"status": {"conditions": [{"type": "Failed", "status": "True"}, complete]}}}, True),
    ):
        assert evaluate(until(job), variables, found) is holds
    assert until(read(TaskSensor, {"sql": SQL})) == "count > 0"
    assert until(read(TaskSensor, {"run": {"dag": "d"}})) == "phase == 'Succeeded'"
    assert until(read(TaskSensor, {"run": {"dag": "d", "task": "a"}})) == "state == 'Succeeded'"


def test_the_server_bounds_what_a_query_gives_whatever_it_ends_with() -> None:
    for end in ("", ";", " ;\n", " -- and a comment"):
        lines = bounded("SELECT 1" + end, 11, 22).splitlines()
        assert lines[0].startswith("SELECT left(row_to_json(found)::text, 22)") and lines[-1] == ") AS found LIMIT 11"
        assert not lines[1].rstrip().endswith(";")
