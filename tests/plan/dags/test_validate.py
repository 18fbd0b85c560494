"""The messages about a DAG that could not run."""

from typing import Any

import pytest
from tradewind.plan.dags.compile import define
from tradewind.plan.documents.problem import Invalid


def task(**more: Any) -> dict[str, Any]:
    return {"image": "busybox", **more}


def refusal(spec: Any) -> str:
    with pytest.raises(Invalid) as caught:
        define(spec)
    return str(caught.value)


@pytest.mark.parametrize(
    ("spec", "words"),
    [
        ({}, "spec.tasks: required"),
        ({"tasks": {}}, "spec.tasks: empty; write tasks by name: {NAME: {image: ...}}"),
        ("text", "spec: text, not a mapping; write fields under it: description"),
        ({"tasks": {"a": {}}}, "spec.tasks.a.image: required; name an image here or in spec.defaults.image"),
        ({"tasks": {"a": task(nope=1)}}, "spec.tasks.a.nope: unknown field"),
        ({"tasks": {"a": task(env={"A": 3})}}, 'spec.tasks.a.env.A: 3 without quotes is a number, not text; write "3"'),
        ({"tasks": {"Bad_Name": task()}}, "spec.tasks.Bad_Name: not a task name; use at most 63 lower-case letters"),
        ({"tasks": {"a" * 64: task()}}, "not a task name"),
        ({"tasks": {"a\n": task()}}, "not a task name"),
        ({"params": {"p\n": {}}, "tasks": {"a": task()}}, "not a param name"),
        ({"tasks": {"a": task(outputs={"o\n": {}})}}, "not an output name"),
        ({"tasks": {"a": task(dependsOn=["b"])}}, "spec.tasks.a.dependsOn[0]: there is no task 'b'; there are: a"),
        ({"tasks": {"a": task(dependsOn=["a"])}}, "cycle: a -> a"),
        ({"tasks": {"a": task(dependsOn=["b"]), "b": task(dependsOn=["a"])}}, "in a cycle"),
        (
            {"tasks": {"a": task(timeout="soon")}},
            "spec.tasks.a.timeout: 'soon' is not a duration; write a number and a unit",
        ),
        (
            {"tasks": {"a": {"dag": {"name": "b", "logicalDate": "2026-01-31T06:00:00"}}}},
            "spec.tasks.a.dag.logicalDate: '2026-01-31T06:00:00' has no time zone: add Z",
        ),
        (
            {"tasks": {"a": {"dag": {"name": "b", "logicalDate": "$[[ params.day ]]"}}}},
            "spec.tasks.a.dag.logicalDate: `params.day`",
        ),
        ({"tasks": {"a": task(script={"python": "1"}, command=["x"])}}, "script and command/args exclude each other"),
        ({"tasks": {"a": task(script={})}}, "spec.tasks.a.script: needs one program; write either python or shell"),
        ({"tasks": {"a": task(script={"python": "1", "shell": "1"})}}, "write either python or shell"),
        ({"tasks": {"a": task(envFrom={"S": {}})}}, "spec.tasks.a.envFrom.S: needs one source"),
        (
            {"tasks": {"a": task(env={"S": "1"}, envFrom={"S": {"secretKeyRef": {"name": "n", "key": "k"}}})}},
            "spec.tasks.a.envFrom.S: set in env too",
        ),
        (
            {"tasks": {"a": task(produces=[{"name": "x", "partition": "$[[ outputs.day"}])}},
            "spec.tasks.a.produces[0].partition: `$[[ outputs.day`: `$[[` without `]]`",
        ),
        (
            {
                "tasks": {
                    "a": task(),
                    "b": task(dependsOn=["a"], produces=[{"name": "x", "metadata": {"n": "$[[ tasks.a.state ]]"}}]),
                }
            },
            "spec.tasks.b.produces[0].metadata.n: `tasks.a.state` (at character",
        ),
        (
            {"tasks": {"a": task()}, "produces": [{"name": "x", "partition": "$[[ outputs.day ]]"}]},
            "spec.produces[0].partition: `outputs.day`",
        ),
        ({"tasks": {"a": task(env={"A": "$[[ params.x ]]"})}}, "spec.tasks.a.env.A: `params.x` (at character"),
        (
            {"tasks": {"a": task(), "b": task(args=["$[[ tasks.a.outputs.x ]]"])}},
            "spec.tasks.b.args[0]: `tasks.a.outputs.x`",
        ),
        ({"params": {"p": {"default": 3}}, "tasks": {"a": task()}}, "spec.params.p.default: 3 is not a string"),
        (
            {"params": {"p": {"type": "integer", "enum": ["x"]}}, "tasks": {"a": task()}},
            "spec.params.p.enum[0]: 'x' is not an integer",
        ),
        ({"params": {"p-q": {}}, "tasks": {"a": task()}}, "spec.params.p-q: not a param name"),
        (
            {"tasks": {"a": task(retries={"limit": -1})}},
            "spec.tasks.a.retries.limit: -1 is too small; write at least 0",
        ),
        (
            {"tasks": {"a": task(http={"url": "http://x", "method": "BREW"})}},
            "spec.tasks.a.http.method: 'BREW' is not known; write one of GET",
        ),
        (
            {"tasks": {"a": task(http={"url": "http://x"})}},
            "spec.tasks.a.image: http tasks need no image; remove it",
        ),
        (
            {"tasks": {"a": task(triggerRule="AllSuceeded")}},
            "spec.tasks.a.triggerRule: there is no rule 'AllSuceeded'; did you mean AllSucceeded? write CEL, or one of",
        ),
        (
            {"tasks": {"a": task(triggerRule="Failed(b)")}},
            "spec.tasks.a.triggerRule: `Failed(b)` (at character 8): there is no 'b'",
        ),
        (
            {"tasks": {"a": task(triggerRule="1 + 1")}},
            "spec.tasks.a.triggerRule: `1 + 1`: gives an integer, not true or false",
        ),
        ({"tasks": {"a": task(triggerRule="Failed(")}}, "spec.tasks.a.triggerRule: `Failed(` (at character"),
        (
            {"tasks": {"a": task(when="params.n > 1")}},
            "spec.tasks.a.when: `params.n > 1` (at character 7): there is no params.n",
        ),
        ({"tasks": {"a": task(when="run.name")}}, "spec.tasks.a.when: `run.name`: gives a string, not true or false"),
        (
            {"tasks": {"a": task(when="$[[ true ]]")}},
            "spec.tasks.a.when: `$[[ ]]` in an expression; write the expression alone",
        ),
        ({"tasks": {"a": task(when="x" * 5_000)}}, "spec.tasks.a.when: 5000 characters; use at most 4096"),
        (
            {"tasks": {"a": task(when=True)}},
            'spec.tasks.a.when: true without quotes is a boolean, not text; write "true"',
        ),
        ({"tasks": {"a": task(), "b": task(when="tasks.a.state == 'x'")}}, "tasks.a is not upstream of this task"),
        (
            {"tasks": {"a": task(priority="high")}},
            "spec.tasks.a.priority: 'high' is not a whole number; write one such as 3",
        ),
        ({"tasks": {"a": task(podTemplate={"spec": {"x": "$[[ nope ]]"}})}}, "spec.tasks.a.podTemplate.spec.x: `nope`"),
        (
            {"tasks": {"a": task(resources={"limits": {"memory": "$[[ nope ]]"}})}},
            "spec.tasks.a.resources.limits.memory: `nope`",
        ),
        (
            {"tasks": {"a": task(), "b": task(dependsOn=["a"], when="tasks.a.status == 'Failed'")}},
            "there is no tasks.a.status; did you mean tasks.a.state?",
        ),
        (
            {"tasks": {"a": {"wait": {"duration": 5}}}},
            "spec.tasks.a.wait.duration: 5 has no unit; write 5s for seconds",
        ),
        ({"tasks": {"a": task(env={"L": [1]})}}, "spec.tasks.a.env.L: a list, not text; write JSON in quotes: '[1]'"),
        ({"tasks": {"a": task(retry=3)}}, "spec.tasks.a.retry: unknown field; write retries: {limit: ...}"),
        ({"tasks": {"a": {"http": {"url": "$[[ nope ]]"}}}}, "spec.tasks.a.http.url: `nope`"),
        ({"tasks": {"a": {"http": {"url": "x", "headers": {"H": "$[[ nope ]]"}}}}}, "spec.tasks.a.http.headers.H"),
    ],
)
def test_each_mistake_is_named_with_its_field(spec: Any, words: str) -> None:
    assert words in refusal(spec)


DAYS = {"wait": {"type": "duration", "default": "1h"}, "day": {"type": "date", "default": "2026-02-01"}}


@pytest.mark.parametrize(
    ("condition", "words"),
    [
        ("tasks.a.state == 'Fail'", "there is no state 'Fail'; did you mean Failed? there are: Cancelled, Failed"),
        ("'Success' != tasks.a.state", "there is no state 'Success'; did you mean Succeeded?"),
        ("tasks.a.state in ['Failed', 'Running']", "there is no state 'Running'; there are: Cancelled"),
        ("tasks.many.states.exists(s, s == 'Fail')", "there is no state 'Fail'"),
        ("'Fail' in tasks.many.states || tasks.many.states[0] == 'Skipped'", "there is no state 'Fail'"),
        ("tasks.many.states[0] == 'Skiped'", "did you mean Skipped?"),
        ("params.wait > '30m'", "as a text; write duration(params.wait) > duration('30m')"),
        ("'30m' <= params.wait", "write duration('30m') <= duration(params.wait)"),
        ("tasks.a.outputs.took < params.wait", "write duration(tasks.a.outputs.took) < duration(params.wait)"),
        ("params.wait == 'half an hour'", "'half an hour' is not a duration; write one such as 90s"),
        ("params.day > '2026-2-1'", "'2026-2-1' is not a date; write '2026-02-01'"),
        ("params.day in ['2026-02-01', 'today']", "'today' is not a date; write one such as '2026-01-31'"),
        ("params.day == '2026-W05-1'", "'2026-W05-1' is not a date; write one such as '2026-01-31'"),
        ("run.date < '2026-02-31'", "'2026-02-31' is not a date; write one such as"),
    ],
)
def test_comparisons_that_can_never_be_right_are_refused(condition: str, words: str) -> None:
    tasks = {"a": task(outputs={"took": {"type": "duration"}}), "many": task(forEach={"items": [1]})}
    spec = {"params": DAYS, "tasks": {**tasks, "b": task(dependsOn=["a", "many"], when=condition)}}
    told = refusal(spec)
    assert "spec.tasks.b.when: " in told and words in told


@pytest.mark.parametrize(
    "condition",
    [
        "tasks.a.state == 'Failed' || tasks.a.outputs.state == 'Fail' || tasks.a.state in ['Skipped']",
        "tasks.many.states.all(s, s == 'Succeeded') || ['Fail'].exists(s, s == 'Fail')",
        "tasks.a.state.startsWith('Fail')",
        "duration(params.wait) > duration('30m') && params.wait != '30m'",
        "params.day >= '2026-02-01' || params.day > '2026-02' || run.date != '' || params.day < run.date",
    ],
)
def test_comparisons_that_may_be_right_are_taken(condition: str) -> None:
    tasks = {"a": task(outputs={"state": {}}), "many": task(forEach={"items": [1]})}
    define({"params": DAYS, "tasks": {**tasks, "b": task(dependsOn=["a", "many"], when=condition)}})


def _delay(when: str, delay: str = "1s") -> dict[str, str]:
    return {"when": when, "delay": delay}


def test_rules_of_retries_triggers_and_exits_know_their_words_too() -> None:
    told = refusal(
        {
            "tasks": {
                "a": task(retries={"retryOn": "reason == 'OOM'", "failOn": "reason in ['Error', 'Evict']"}),
                "d": task(
                    retries={
                        "delays": [
                            _delay("exitCode == 1"),
                            _delay("code == 1"),
                            {"delay": "1s"},
                            _delay("true", "soon"),
                        ]
                    }
                ),
                "b": task(dependsOn=["a"], triggerRule="a == 'Fail'"),
                "c": task(onExit=["Always"], when="run.outcome == 'Success'"),
            }
        }
    )
    assert "a.retries.retryOn: `reason == 'OOM'`: there is no reason 'OOM'; did you mean OOMKilled?" in told
    assert "a.retries.failOn: " in told and "there is no reason 'Evict'; did you mean Evicted?" in told
    assert "d.retries.delays[1].when: `code == 1`" in told and "there is no 'code'; there are exitCode, reason" in told
    assert "d.retries.delays[2].when: required" in told and "d.retries.delays[3].delay: 'soon'" in told
    assert "b.triggerRule: `a == 'Fail'`: there is no state 'Fail'; did you mean Failed?" in told
    assert "there is no outcome of a run 'Success'; did you mean Succeeded?" in told


def test_all_mistakes_are_told_at_once_and_the_text_is_bounded() -> None:
    words = refusal({"tasks": {f"t{index}": task(dependsOn=["nope"]) for index in range(100)}})
    assert words.count("there is no task 'nope'") == 10 and "and 90 more" in words and len(words) <= 4_096


def test_defaults_are_merged_into_tasks() -> None:
    made = define(
        {
            "defaults": {"image": "base", "env": {"A": "1", "B": "1"}, "timeout": "5m", "retries": {"limit": 3}},
            "tasks": {
                "a": {"env": {"B": "2"}},
                "b": {"image": "own", "timeout": "1s", "envFrom": {"A": {"secretKeyRef": {"name": "n", "key": "k"}}}},
            },
        }
    )
    a, b = made.tasks["a"], made.tasks["b"]
    assert (a.image, a.env, a.timeout) == ("base", {"A": "1", "B": "2"}, "5m")
    assert (b.image, b.timeout) == ("own", "1s")
    assert "A" not in b.env and "A" in b.env_from
    assert made.terms["a"].retries.limit == 3 and made.terms["a"].pending_timeout == 600


def test_an_image_may_come_from_the_pod_template() -> None:
    define({"tasks": {"a": {"podTemplate": {"spec": {"containers": [{"name": "main", "image": "x"}]}}}}})


def test_ten_thousand_tasks_are_defined() -> None:
    tasks = {f"t{index}": task(dependsOn=[f"t{index - 1}"] if index else []) for index in range(10_000)}
    assert len(define({"tasks": tasks}).graph.order) == 10_000
