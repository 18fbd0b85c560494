"""The service accounts of a DAG's, or a template's, pods: those whose token they may get."""

from typing import Any

import pytest
from tradewind.control.dags.validation import review_dag
from tradewind.plan.dags.service_accounts import ANY, of_dag, of_template
from tradewind.plan.templates.render import nowhere, render

Body = dict[str, Any]
TOKEN = {"name": "t", "projected": {"sources": [{"configMap": {"name": "c"}}, {"serviceAccountToken": {"path": "t"}}]}}


def used(task: Body, **spec: Any) -> dict[str, str]:
    result = review_dag(render({"tasks": {"a": {"image": "x", **task}}, **spec}, nowhere))
    assert not result.problems
    return of_dag(result.content)


def pod(**spec: Any) -> Body:
    return {"podTemplate": {"spec": spec}}


def test_a_task_without_a_token_acts_as_nobody() -> None:
    assert used({}) == {}
    assert used(pod(automountServiceAccountToken=False, volumes=[{"name": "w", "emptyDir": {}}])) == {}
    assert used(pod(volumes=[{"name": "c", "configMap": {"name": "$[[ run.name ]]"}}])) == {}


def test_a_named_account_is_found_wherever_it_is_named() -> None:
    assert used({"serviceAccountName": "loader"}) == {"loader": "spec.tasks.a.serviceAccountName"}
    assert used({}, defaults={"serviceAccountName": "loader"}) == {"loader": "spec.tasks.a.serviceAccountName"}
    for key in ("serviceAccountName", "serviceAccount"):
        assert used(pod(**{key: "loader"})) == {"loader": f"spec.tasks.a.podTemplate.spec.{key}"}


def test_each_account_is_told_once_with_its_first_field() -> None:
    tasks = {name: {"image": "x", "serviceAccountName": account} for name, account in (("b", "two"), ("c", "two"))}
    result = review_dag(render({"tasks": {"a": {"image": "x", "serviceAccountName": "one"}, **tasks}}, nowhere))
    assert of_dag(result.content) == {
        "one": "spec.tasks.a.serviceAccountName",
        "two": "spec.tasks.b.serviceAccountName",
    }


@pytest.mark.parametrize(
    ("template", "field"),
    [
        (pod(automountServiceAccountToken=True), "automountServiceAccountToken"),
        (pod(automountServiceAccountToken="$[[ true ]]"), "automountServiceAccountToken"),
        (pod(volumes=[{"name": "w", "emptyDir": {}}, TOKEN]), "volumes"),
        (pod(volumes=[{"name": "t", "projected": {"sources": ["$[[ params.source ]]"]}}]), "volumes"),
        (pod(volumes=[{"name": "t", "projected": {"sources": "$[[ params.sources ]]"}}]), "volumes"),
        (pod(volumes=[{"name": "t", "projected": "$[[ params.projected ]]"}]), "volumes"),
        (pod(volumes=["$[[ params.volume ]]"]), "volumes"),
        (pod(volumes="$[[ params.volumes ]]"), "volumes"),
    ],
)
def test_a_pod_that_gets_a_token_and_names_no_account_acts_as_the_default_one(template: Body, field: str) -> None:
    assert of_template({"task": template}) == {"default": f"spec.task.podTemplate.spec.{field}"}


def test_a_token_of_a_named_account_is_no_other() -> None:
    template = {**pod(automountServiceAccountToken=True, volumes=[TOKEN]), "serviceAccountName": "loader"}
    assert used(template) == {"loader": "spec.tasks.a.serviceAccountName"}


def test_what_an_expression_decides_is_any_account() -> None:
    where = "spec.tasks.a.podTemplate.spec.serviceAccountName"
    assert used(pod(serviceAccountName="$[[ run.name ]]")) == {ANY: where}
    assert of_template({"task": {"serviceAccountName": "$[[ inputs.account ]]"}}) == {
        ANY: "spec.task.serviceAccountName"
    }
    assert of_template({"task": {"podTemplate": "$[[ inputs.pod ]]"}}) == {ANY: "spec.task.podTemplate"}
    assert of_template({"task": {"podTemplate": {"spec": "$[[ inputs.spec ]]"}}}) == {ANY: "spec.task.podTemplate"}


def test_a_template_of_a_dag_is_searched_in_defaults_and_tasks() -> None:
    dag = {"defaults": {"serviceAccountName": "one"}, "tasks": {"a": {"serviceAccountName": "two"}, "b": {}}}
    assert of_template({"dag": dag}) == {
        "one": "spec.dag.defaults.serviceAccountName",
        "two": "spec.dag.tasks.a.serviceAccountName",
    }


@pytest.mark.parametrize(
    "garbage",
    [
        None,
        "x",
        {},
        {"task": 1},
        {"dag": []},
        {"dag": {"tasks": 3, "defaults": ""}},
        {"task": {"podTemplate": {"spec": {}}}},
        {"task": {"podTemplate": {"metadata": {}}}},
        {"task": pod(volumes=[1, None, {"projected": {"sources": [1, None]}}])},
    ],
)
def test_garbage_acts_as_nobody(garbage: Any) -> None:
    assert of_template(garbage) == {}
