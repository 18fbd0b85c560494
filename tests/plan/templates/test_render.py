"""A DAG that uses templates becomes one that uses none, and every problem is reported where it was written and where it
is used."""

import contextlib
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st
from tradewind.model.task import Task
from tradewind.plan.dags.compile import TemplateNotFound, define
from tradewind.plan.dags.template_check import sample
from tradewind.plan.documents.problem import Invalid
from tradewind.plan.templates.overlay import PODLESS
from tradewind.plan.templates.render import Ref, Rendering, render

LOAD = """
params:
  table: {}
  rows: {type: integer, min: 1, default: 5}
  tries: {type: integer, default: 2}
  token: {type: secret, default: {name: vault, key: db}}
task:
  image: loader
  timeout: 10m
  retries: {limit: "$[[ inputs.tries + 1 ]]"}
  env: {TABLE: "$[[ inputs.table ]]", ROWS: "$[[ inputs.rows ]]", TOKEN: "$[[ inputs.token ]]"}
  outputs: {loaded: {type: integer}}
  script: {shell: "load $TABLE"}
"""
SHELF: dict[Ref, Any] = {
    Ref(kind, name): yaml.safe_load(text)
    for kind, name, text in [
        ("TaskTemplate", "load", LOAD),
        ("ClusterTaskTemplate", "load", LOAD.replace("loader", "everywhere")),
        (
            "TaskTemplate",
            "raw",
            'params: {t: {}}\ntask: {template: {name: load, params: {table: "raw_$[[ inputs.t ]]", tries: 7}}, env: {RAW: "1"}}',
        ),
        (
            "DAGTemplate",
            "daily",
            """
params: {table: {}, image: {default: busybox}}
dag:
  description: Loads $[[ inputs.table ]].
  params: {region: {default: north}}
  maxActiveRuns: 3
  history: {succeeded: {limit: 5}}
  defaults: {image: "$[[ inputs.image ]]", env: {A: "1", B: "2"}, timeout: 1h}
  tasks:
    count: {command: [count]}
    load: {dependsOn: [count], template: {name: raw, params: {t: "$[[ inputs.table ]]"}}, when: "tasks.count.outputs.rows > 0"}
""",
        ),
        (
            "DAGTemplate",
            "weekly",
            'params: {t: {}}\ndag: {template: {name: daily, params: {table: "$[[ inputs.t ]]_w"}}, priority: 5}',
        ),
        ("TaskTemplate", "a", "task: {template: {name: b}}"),
        ("TaskTemplate", "b", "task: {template: {name: c}}"),
        ("TaskTemplate", "c", "task: {template: {name: b}}"),
        ("TaskTemplate", "lost", "task: {template: {name: nowhere}}"),
        ("ClusterTaskTemplate", "mixed", "task: {template: {name: load, params: {table: x}}}"),
        ("ClusterDAGTemplate", "mixed", "dag: {tasks: {a: {template: {name: load, params: {table: x}}}}}"),
        ("DAGTemplate", "both", "dag: {tasks: {a: {image: x}}, template: {name: daily, params: {table: x}}}"),
        (
            "TaskTemplate",
            "typo",
            "params: {n: {type: integer}}\ntask: {image: x, colour: red, timeout: soon, when: params.x, priority: '$[[ inputs.n ]]'}",
        ),
        ("TaskTemplate", "broken", "parameters: {}"),
        ("TaskTemplate", "bounded", "params: {n: {type: integer, min: x}}\ntask: {image: x}"),
        *(("TaskTemplate", f"t{n}", f"task: {{template: {{name: t{n + 1}}}}}") for n in range(20)),
    ]
}


def rendered(text: str) -> Rendering:
    return render(yaml.safe_load(text), SHELF.get)


def task(text: str) -> dict[str, Any]:
    made = rendered(f"{{tasks: {{a: {text}}}}}")
    assert not made.problems and not made.missing
    found: dict[str, Any] = made.spec["tasks"]["a"]
    return found


def refusal(text: str) -> str:
    with pytest.raises(Invalid) as caught:
        define(yaml.safe_load(text), SHELF.get)
    return str(caught.value)


def test_a_task_is_its_template_with_the_inputs_in_it() -> None:
    assert task("{template: {name: load, params: {table: users, rows: 9}}}") == {
        "image": "loader",
        "timeout": "10m",
        "retries": {"limit": 3},
        "env": {"TABLE": "users", "ROWS": "9"},
        "envFrom": {"TOKEN": {"secretKeyRef": {"name": "vault", "key": "db"}}},
        "outputs": {"loaded": {"type": "integer"}},
        "script": {"shell": "load $TABLE"},
    }


def test_what_the_task_says_itself_wins() -> None:
    made = task(
        "{template: {name: load, params: {table: users}}, timeout: 1m, command: [x], env: {ROWS: '0', TOKEN: plain, MORE: '1'},"
        " outputs: {more: {}}, dependsOn: []}"
    )
    assert made["timeout"] == "1m" and made["env"] == {"TABLE": "users", "ROWS": "0", "TOKEN": "plain", "MORE": "1"}
    assert made["command"] == ["x"] and "script" not in made and made["envFrom"] == {}
    assert made["outputs"].keys() == {"loaded", "more"}


@pytest.mark.parametrize(
    "way", ["http: {url: x}", "wait: {seconds: 1s}", "approval: {}", "compute: {outputs: {n: '1'}}", "dag: {name: x}"]
)
def test_a_task_that_needs_no_pod_has_neither_program_nor_image_of_its_template(way: str) -> None:
    made = task(f"{{template: {{name: load, params: {{table: x}}}}, {way}}}")
    assert "image" not in made and "script" not in made and way.partition(":")[0] in made


def test_every_way_to_say_what_a_task_does_is_known() -> None:
    fields = Task.model_fields
    assert {name for name in PODLESS if name in fields} == set(PODLESS)
    assert all(Task.model_construct(**{way: "x"}).podless for way in PODLESS)


def test_a_template_of_the_cluster_is_meant_only_when_it_is_said() -> None:
    assert task("{template: {name: load, cluster: true, params: {table: x}}}")["image"] == "everywhere"
    assert task("{template: {name: load, params: {table: x}}}")["image"] == "loader"


def test_templates_use_templates() -> None:
    made = task("{template: {name: raw, params: {t: users}}}")
    assert made["env"] == {"TABLE": "raw_users", "ROWS": "5", "RAW": "1"} and made["retries"] == {"limit": 8}


def test_a_dag_is_an_instance_of_a_template() -> None:
    text = "{template: {name: weekly, params: {t: users}}, defaults: {env: {B: '3'}}, params: {day: {type: date, default: '2026-01-31'}}}"
    made = rendered(text).spec
    assert "template" not in made and made["description"] == "Loads users_w." and made["priority"] == 5
    assert made["defaults"] == {"image": "busybox", "env": {"A": "1", "B": "3"}, "timeout": "1h"}
    assert made["params"].keys() == {"region", "day"} and made["maxActiveRuns"] == 3
    assert made["tasks"]["load"]["env"]["TABLE"] == "raw_users_w" and made["tasks"]["load"]["dependsOn"] == ["count"]
    definition = define(yaml.safe_load(text), SHELF.get)
    assert definition.graph.order == ("count", "load")


def test_a_run_time_value_is_evaluated_when_the_task_starts() -> None:
    made = task("{template: {name: load, params: {table: '$[[ params.table ]]', token: '$[[ params.token ]]'}}}")
    assert made["env"] == {"TABLE": "$[[ params.table ]]", "ROWS": "5", "TOKEN": "$[[ params.token ]]"}
    text = "{params: {table: {}, token: {type: secret}}, tasks: {a: {template: {name: load, params: {table: '$[[ params.table ]]', token: '$[[ params.token ]]'}}}}}"
    assert define(yaml.safe_load(text), SHELF.get).secrets == {"token"}


def test_a_dag_without_templates_is_what_it_was() -> None:
    spec = {"tasks": {"a": {"image": "x"}}}
    assert render(spec).spec is spec


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        (
            "{tasks: {a: {template: {name: load}}}}",
            "spec.tasks.a.template.params.table: required; give a string (TaskTemplate load, spec.params.table)",
        ),
        (
            "{tasks: {a: {template: {name: load, params: {table: x, rows: 0}}}}}",
            "spec.tasks.a.template.params.rows: 0 is out of bounds; at least 1 (TaskTemplate load, spec.params.rows)",
        ),
        (
            "{tasks: {a: {template: {name: load, params: {table: x, row: 1}}}}}",
            "spec.tasks.a.template.params.row: no such param; TaskTemplate load declares: rows, table, token, tries",
        ),
        (
            "{tasks: {a: {template: {name: load, params: {table: x, tries: '$[[ run.attempt ]]'}}}}}",
            "spec.tasks.a.template: `$[[ (run.attempt) + 1 ]]` is not known before a run begins, and this field is; write a plain value;"
            " in a template, an expression of inputs alone (TaskTemplate load, spec.task.retries.limit)",
        ),
        (
            "{tasks: {a: {template: {name: load, params: {table: '$[[ params.x ]]'}}}}}",
            "spec.tasks.a.template: `params.x` (at character 7): there is no params.x; declared are: none; declare it under spec.params (TaskTemplate load, spec.task.env.TABLE)",
        ),
        (
            "{template: {name: daily, params: {table: '$[[ params.x ]]'}}}",
            "declared are: params.region (TaskTemplate load, spec.task.env.TABLE, used by TaskTemplate raw, spec.task.template,"
            " used by DAGTemplate daily, spec.dag.tasks.load.template)",
        ),
        (
            "{tasks: {a: {template: {name: a}}}}",
            "templates use each other in a cycle: b -> c -> b; remove one of these uses (TaskTemplate c",
        ),
        (
            "{tasks: {a: {template: {name: t0}}}}",
            "spec.tasks.a.template: more than 8 templates use each other: t0 -> t1 -> t2",
        ),
        ("{tasks: {a: {template: {name: load, colour: red}}}}", "spec.tasks.a.template.colour: unknown field"),
        ("{tasks: {a: {template: {}}}}", "spec.tasks.a.template.name: required"),
        (
            "{tasks: {a: {template: {name: bounded, params: {n: 3}}}}}",
            "spec.tasks.a.template.params.n: its own bounds don't fit (min: 'x' is not an integer); write an integer",
        ),
        (
            "{tasks: {a: {template: {name: mixed, cluster: true}}}}",
            "spec.tasks.a.template: a template of the whole cluster can't use TaskTemplate load, which each namespace may have or not; use one"
            " of the whole cluster (cluster: true, a ClusterTaskTemplate) (ClusterTaskTemplate mixed, spec.task.template)",
        ),
        (
            "{template: {name: mixed, cluster: true}}",
            "spec.template: a template of the whole cluster can't use TaskTemplate load, which each namespace may have or not; use one of the"
            " whole cluster (cluster: true, a ClusterTaskTemplate) (ClusterDAGTemplate mixed, spec.dag.tasks.a.template)",
        ),
        (
            "{template: {name: both}}",
            "template and tasks exclude each other; write one of them (DAGTemplate both, spec.dag)",
        ),
        (
            "{template: {name: daily, params: {table: x}}, tasks: {a: {image: x}}}",
            "spec: template and tasks exclude each other",
        ),
        ("{description: nothing}", "spec.tasks: required; write either spec.tasks or spec.template"),
        (
            "{tasks: {a: {template: {name: broken}}}}",
            "spec.tasks.a.template: required (TaskTemplate broken, spec.task)",
        ),
        (
            "{tasks: {a: {template: {name: typo, params: {n: 1}}}}}",
            "spec.tasks.a.template: unknown field; remove it; there are: allowFailure, approval, args, artifacts, command, compute, dag",
        ),
        (
            "{tasks: {a: {image: x, env: {X: '$[[ inputs.x ]]'}}}}",
            "spec.tasks.a.env.X: `inputs.x` (at character 7): there is no 'inputs.x'",
        ),
        ("{tasks: {a: {template: {name: load, params: {table: '$[[ inputs.t ]]'}}}}}", "there is no 'inputs.t'"),
        (
            "{tasks: {a: {template: {name: load, params: {table: x}}, colour: red}}}",
            "spec.tasks.a.colour: unknown field",
        ),
    ],
)
def test_a_mistake_is_told_where_it_is_used_and_where_it_was_written(text: str, wanted: str) -> None:
    assert wanted in refusal(text)


def test_missing_templates_are_told_all_at_once() -> None:
    text = "{tasks: {a: {template: {name: nowhere}}, b: {template: {name: lost}}, c: {template: {name: x, cluster: true}}}}"
    with pytest.raises(TemplateNotFound) as caught:
        define(yaml.safe_load(text), SHELF.get)
    assert caught.value.missing == (Ref("TaskTemplate", "nowhere"), Ref("ClusterTaskTemplate", "x"))
    assert "spec.tasks.a.template: there is no TaskTemplate nowhere; apply it" in str(caught.value)


def test_what_is_wrong_for_sure_comes_before_what_is_missing() -> None:
    assert "spec.tasks.b.template.params.table: required" in refusal(
        "{tasks: {a: {template: {name: nowhere}}, b: {template: {name: load}}}}"
    )


def test_many_tasks_of_one_template_are_rendered() -> None:
    spec = {"tasks": {f"t{n}": {"template": {"name": "raw", "params": {"t": f"t{n}"}}} for n in range(2_000)}}
    assert len(define(spec, SHELF.get).tasks) == 2_000


def test_what_is_too_large_with_its_templates_filled_in_is_refused() -> None:
    big = {"task": {"image": "x", "env": {"X": "x" * 30_000}}}
    spec = {"tasks": {f"t{n}": {"template": {"name": "big"}} for n in range(60)}}
    with pytest.raises(
        Invalid, match=r"spec: more than 1\.4 MB with its templates filled in; a Kubernetes object has at most 1\.5 MB"
    ):
        define(spec, lambda _: big)


ODD = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(0, 3)
    | st.sampled_from(["", "a", "$[[ inputs.x ]]", "$[[", "inputs.x", "$[[ inputs.y + 1 ]]"]),
    lambda inner: (
        st.lists(inner, max_size=2)
        | st.dictionaries(
            st.sampled_from(
                [
                    "template",
                    "name",
                    "params",
                    "x",
                    "task",
                    "dag",
                    "tasks",
                    "env",
                    "envFrom",
                    "dependsOn",
                    "defaults",
                    "when",
                    "script",
                    "default",
                ]
            ),
            inner,
            max_size=3,
        )
    ),
    max_leaves=12,
)


@settings(max_examples=300)
@given(ODD, ODD)
def test_whatever_is_written_is_rendered_or_refused(spec: Any, template: Any) -> None:
    for kind in ("TaskTemplate", "DAGTemplate"):
        with contextlib.suppress(Invalid):
            sample(Ref(kind, "a"), template, lambda _: spec)
    for use in (spec, {"template": {"name": "a", "params": {"x": "1"}}}, {"tasks": {"a": {"template": {"name": "a"}}}}):
        with contextlib.suppress(Invalid):
            define(
                use,
                lambda ref: {"params": {"x": {}}, "task": template, "dag": template} if ref.name == "a" else template,
            )
