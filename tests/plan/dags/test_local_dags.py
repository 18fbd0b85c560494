"""DAGs within a DAG's manifest: each is judged as a DAG of its own, and how tasks call them."""

import copy
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tradewind.control.dags.judgement import about
from tradewind.control.dags.validation import review
from tradewind.model.base import MAX_TASKS
from tradewind.model.local_dag import MOST_LOCAL_DAGS
from tradewind.plan.dags.compile import define
from tradewind.plan.dags.lifecycle import PAIRS
from tradewind.plan.dags.service_accounts import of_dag, of_template
from tradewind.plan.documents.problem import Invalid
from tradewind.plan.templates.render import Ref, render, uses_templates
from tradewind.plan.triggers.cycles import assets_of, called_by

Body = dict[str, Any]
DONE: Body = {"compute": {"ok": "true"}}


def call(name: str, **params: Any) -> Body:
    return {"dag": {"local": name, **({"params": params} if params else {})}}


def region(**fields: Any) -> Body:
    tasks = {"load": {"compute": {"rows": "params.days"}}, "sum": {"dependsOn": ["load"], **DONE}}
    results = {} if "tasks" in fields else {"outputs": {"rows": "tasks.load.outputs.rows"}}
    return {"params": {"days": {"type": "integer"}}, "tasks": tasks, **results, **fields}


def told(spec: Body) -> list[str]:
    return [str(problem) for problem in review("DAG", spec).problems]


def test_a_task_that_runs_a_local_dag_has_its_results() -> None:
    spec = {
        "tasks": {
            "each": {"forEach": {"range": {"stop": 3}}, **call("region", days="$[[ item ]]")},
            "all": {"dependsOn": ["each"], "compute": {"rows": "tasks.each.outputs.map(o, o.rows)"}},
        },
        "dags": {"region": region()},
    }
    assert told(spec) == []
    definition = define(spec)
    assert [path for path, _ in definition.all_tasks] == [
        "spec.tasks.each",
        "spec.tasks.all",
        "spec.dags.region.tasks.load",
        "spec.dags.region.tasks.sum",
    ]
    spec["tasks"]["all"]["compute"] = {"rows": "tasks.each.outputs[0].rwos"}
    assert "did you mean rows?" in told(spec)[0]


def test_a_local_dag_takes_over_what_applies_to_all_tasks() -> None:
    spec = {
        "defaults": {"image": "one", "env": {"A": "1", "B": "1"}, "timeout": "5m"},
        "podRetention": "Never",
        "priority": 7,
        "maxActiveRuns": 1,
        "tasks": {"run": call("part")},
        "dags": {"part": {"defaults": {"env": {"B": "2"}, "image": "two"}, "tasks": {"x": {"env": {"C": "3"}}}}},
    }
    part = define(spec).local["part"]
    task = part.tasks["x"]
    assert (task.image, task.timeout, task.env) == ("two", "5m", {"A": "1", "B": "2", "C": "3"})
    assert (part.spec.pod_retention, part.spec.priority, part.spec.max_active_runs) == ("Never", 7, None)


MISTAKES = [
    ({"tasks": {"x": call("regoin")}}, "spec.tasks.x.dag.local: there is no local DAG 'regoin'; did you mean region?"),
    ({"tasks": {"x": call("region")}}, "spec.tasks.x.dag.params.days: required"),
    ({"tasks": {"x": call("region", days=1, dyas=2)}}, "spec.tasks.x.dag.params.dyas: no such param; did you mean days?"),
    ({"tasks": {"x": call("region", days="many")}}, "spec.tasks.x.dag.params.days: "),
    (
        {"tasks": {"x": {**call("region", days=1), "outputs": {"row": {}}}}},
        "spec.tasks.x.outputs.row: local DAG region has no output 'row'; did you mean rows?",
    ),
    ({"tasks": {"x": {"dag": {}}}}, "spec.tasks.x.dag: needs one DAG; write either name"),
    ({"tasks": {"x": {"dag": {"name": "a", "local": "region"}}}}, "spec.tasks.x.dag: needs one DAG"),
    ({"dags": {"region": []}}, "spec.dags.region: a list, not a mapping"),
    ({"dags": {"region": {}}}, "spec.dags.region.tasks: required; write tasks by name"),
    ({"dags": {"region": region(tasks={})}}, "spec.dags.region.tasks: "),
    ({"dags": {"region": region(), "A_b": {"tasks": {"x": DONE}}}}, "spec.dags.A_b: not a name of a DAG"),
    ({"dags": []}, "spec.dags: a list, not a mapping"),
    ({"dags": {"region": region(suspend=True)}}, "spec.dags.region.suspend: a local DAG has no such field; write it in spec"),
    ({"dags": {"region": region(dags={"a": region()})}}, "spec.dags.region.dags: a local DAG has no such field"),
    ({"dags": {"region": region(template={"name": "t"})}}, "spec.dags.region.template: a local DAG has no such field"),
    ({"dags": {"region": region(paralelism=3)}}, "spec.dags.region.paralelism: unknown field; did you mean parallelism?"),
    ({"dags": {"region": region(outputs={"rows": "tasks.lod.outputs.rows"})}}, "spec.dags.region.outputs.rows: "),
    (
        {"dags": {"region": region(tasks={"a": call("region", days=1)})}},
        "spec.dags.region.tasks.a.dag.local: local DAGs run each other in a circle: region -> region; break it",
    ),
    (
        {"params": {"outer": {}}, "dags": {"region": region(tasks={"a": {"compute": {"x": "params.outer"}}})}},
        "spec.dags.region.tasks.a.compute.x: `params.outer`",
    ),
    (
        {"tasks": {"up": DONE, "x": call("region", days=1)}, "dags": {"region": region(tasks={"a": {**DONE, "dependsOn": ["up"]}})}},
        "spec.dags.region.tasks.a.dependsOn[0]: there is no task 'up'",
    ),
    (
        {"defaults": {"imaeg": "x"}, "dags": {"region": region(tasks={"a": {"command": ["x"]}})}},
        "spec.defaults.imaeg: unknown field; did you mean image?",
    ),
    ({"dags": {f"d{at}": region() for at in range(MOST_LOCAL_DAGS + 1)}}, "spec.dags: 33 DAGs; at most 32"),
]  # fmt: skip


@pytest.mark.parametrize(("fields", "words"), MISTAKES, ids=lambda item: item if isinstance(item, str) else "")
def test_a_mistake_is_told_at_its_place(fields: Body, words: str) -> None:
    spec = {"tasks": {"x": call("region", days=1)}, "dags": {"region": region()}, **fields}
    (found,) = told(spec)
    assert found.startswith(words)


WRONG: dict[str, Body] = {
    "contents": {"script": {"shell": "x"}, "compute": {"a": "1"}},
    "dangling": {**DONE, "dependsOn": ["none"]},
    "expression": {"compute": {"a": "params.none"}},
    "unknown field": {**DONE, "when_": "x"},
    "type": {**DONE, "retries": {"limit": "many"}},
    "image": {"command": ["x"]},
    "trigger rule": {**DONE, "triggerRule": "AllDoen"},
    "pod": {"image": "x", "podTemplate": {"spec": {"foo": 1}}},
    "resources": {"image": "x", "resources": {"limits": {"cpu": "lots"}}},
    "script": {"image": "x", "script": {"shell": "echo $[[ params.days ]]"}},
    "constant": {"compute": {"a": "1/0"}},
    "artifacts": {"image": "x", "artifacts": {"outputs": {"a": {"path": "a"}}}},
    "items": {**DONE, "forEach": {"items": "x"}},
    "handler": {**DONE, "handles": {"of": ["none"]}},
    "teardown": {**DONE, "teardown": {"of": ["none"]}},
    "fits": DONE,
}


@given(st.dictionaries(st.sampled_from("abcd"), st.sampled_from(sorted(WRONG)), min_size=1))
def test_a_local_dag_has_the_problems_that_it_has_as_a_dag_of_its_own(kinds: dict[str, str]) -> None:
    own = region(tasks={name: copy.deepcopy(WRONG[kind]) for name, kind in kinds.items()})
    whole = {"tasks": {"x": call("part", days=1)}, "dags": {"part": copy.deepcopy(own)}}
    assert told(whole) == [problem.replace("spec.", "spec.dags.part.", 1) for problem in told(own)]


def test_local_dags_call_each_other_without_circles_and_eight_deep() -> None:
    def chain(length: int) -> Body:
        dags = {f"d{at}": {"tasks": {"x": call(f"d{at + 1}")}} for at in range(1, length)}
        return {"tasks": {"x": call("d1")}, "dags": {**dags, f"d{length}": {"tasks": {"x": DONE}}}}

    assert told(chain(8)) == []
    assert told(chain(9)) == ["spec.dags.d1: more than 8 DAGs within each other; let fewer of them call each other"]
    spec = chain(3)
    spec["dags"]["d3"]["tasks"]["y"] = call("d1")
    assert told(spec) == [
        "spec.dags.d3.tasks.y.dag.local: local DAGs run each other in a circle: d1 -> d2 -> d3 -> d1; break it"
    ]


def test_a_manifest_has_as_many_tasks_as_a_dag_may() -> None:
    half = {f"t{at}": DONE for at in range(MAX_TASKS // 2)}
    spec = {"tasks": {"x": call("a"), "y": call("b")}, "dags": {"a": {"tasks": half}, "b": {"tasks": half}}}
    assert told(spec) == [f"spec.dags: {MAX_TASKS + 2} tasks with those of spec.tasks; at most {MAX_TASKS} together; make some of them DAGs of their own"]  # fmt: skip


def test_the_dags_of_a_manifest_share_what_exit_tasks_may_depend_on() -> None:
    size = int(PAIRS**0.5) * 3 // 4
    exits = {f"e{at}": {**DONE, "onExit": ["Always"]} for at in range(size)}
    spec = {"tasks": {"x": call("a"), "y": call("b")}, "dags": {name: {"tasks": {"t": DONE, **exits}} for name in "ab"}}
    found = told(spec)
    assert len(found) == 1 and found[0].startswith("spec.dags.b.tasks: together with the other DAGs of this manifest")


def test_a_local_dag_that_no_task_runs_is_noted() -> None:
    spec = {
        "tasks": {"x": call("a")},
        "dags": {"a": {"tasks": {"x": call("b")}}, "b": {"tasks": {"x": DONE}}, "c": {"tasks": {"x": call("d")}}, "d": {"tasks": {"x": DONE}}},
    }  # fmt: skip
    notes = about("", "ns", define(spec)).notes
    assert [note.partition(":")[0] for note in notes] == ["spec.dags.c", "spec.dags.d"]


def test_tasks_of_local_dags_use_task_templates() -> None:
    template = {"params": {"n": {"type": "integer"}}, "task": {"compute": {"n": "inputs.n"}}}

    def find(ref: Ref) -> Any:
        return template if ref.name == "count" else None

    spec = {
        "tasks": {"x": call("a")},
        "dags": {"a": {"tasks": {"t": {"template": {"name": "count", "params": {"n": 3}}}}}},
    }
    assert uses_templates(spec)
    assert render(spec, find).spec["dags"]["a"]["tasks"]["t"] == {"compute": {"n": "3"}}
    assert "template" in spec["dags"]["a"]["tasks"]["t"]  # type: ignore[index]
    spec["dags"]["a"]["tasks"]["t"]["template"]["name"] = "cuont"  # type: ignore[index]
    with pytest.raises(Invalid) as refused:
        define(spec, find)
    assert str(refused.value) == "spec.dags.a.tasks.t.template: there is no TaskTemplate cuont; apply it"
    spec["dags"]["a"]["tasks"]["t"] = {"template": {"name": "count", "params": {"n": "x"}}}  # type: ignore[index]
    with pytest.raises(Invalid) as refused:
        define(spec, find)
    assert str(refused.value).startswith("spec.dags.a.tasks.t.template.params.n: ")


def test_a_dag_template_brings_local_dags() -> None:
    load = {"env": {"TABLE": "$[[ inputs.table ]]"}, "image": "x"}
    body = {"tasks": {"go": call("a")}, "dags": {"a": {"tasks": {"load": load}}}}
    template = {"params": {"table": {}}, "dag": body}
    definition = define({"template": {"name": "t", "params": {"table": "users"}}}, lambda ref: template)
    assert definition.local["a"].tasks["load"].env == {"TABLE": "users"}
    body["dags"]["a"]["tasks"]["load"] = {"image": "x", "when": "inputs.none"}  # type: ignore[index]
    with pytest.raises(Invalid) as refused:
        define({"template": {"name": "t", "params": {"table": "users"}}}, lambda ref: template)
    assert "DAGTemplate t, spec.dag.dags.a.tasks.load.when" in str(refused.value)


def test_what_tasks_of_local_dags_use_is_what_the_dag_uses() -> None:
    tasks: Body = {
        "pod": {"image": "x", "serviceAccountName": "boss", "pools": [{"name": "p", "kind": "ClusterPool"}], "produces": [{"name": "orders"}]},
        "tried": {"image": "x", "podTemplate": {"spec": {"hostNetwork": True}}},
        "sub": {"dag": {"name": "other"}},
    }  # fmt: skip
    spec = {"tasks": {"x": call("a")}, "dags": {"a": {"tasks": tasks}}}
    definition = define(spec)
    assert of_dag(definition) == {"boss": "spec.dags.a.tasks.pod.serviceAccountName"}
    assert of_template({"dag": spec}) == {"boss": "spec.dag.dags.a.tasks.pod.serviceAccountName"}
    found = about("try", "ns", definition)
    assert found.claims == {"p": "spec.dags.a.tasks.pod.pools[0].name"}
    assert list(found.pods.values()) == ["spec.dags.a.tasks.tried"]
    assert (assets_of(spec), called_by(spec)) == ({"orders"}, {"other"})


def test_a_call_is_checked_at_the_cost_of_what_it_gives(monkeypatch: pytest.MonkeyPatch) -> None:
    """Thousands of calls of one local DAG would check its long defaults thousands of times."""
    seen = 0

    def counted(value: Any, **about: Any) -> Any:
        nonlocal seen
        seen += len(str(value))
        return value

    monkeypatch.setattr("tradewind.plan.expressions.typed_values.checked", counted)
    monkeypatch.setattr("tradewind.plan.expressions.typed_values.params_problem", lambda values: counted(values) and "")
    tasks = {f"t{at}": {"dag": {"local": "x"}} for at in range(100)}
    local = {"x": {"params": {"p": {"type": "list", "default": [[]] * 1_000}}, "tasks": {"a": {"compute": {"n": "1"}}}}}
    define({"tasks": tasks, "dags": local})
    assert seen < 20_000
