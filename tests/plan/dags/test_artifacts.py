"""Mistakes in artifacts are reported when the DAG is applied."""

from typing import Any

import pytest
from tradewind.plan.dags.compile import define
from tradewind.plan.documents.problem import Invalid

MAKE = {"image": "x", "artifacts": {"outputs": {"model": {"path": "m.bin"}}}}
STORE = {"store": {"volume": {"claimName": "work"}}}


def use(**given: Any) -> dict[str, Any]:
    return {"image": "x", "dependsOn": ["make"], "artifacts": {"inputs": {"model": {"path": "in", **given}}}}


def problems(tasks: dict[str, Any], artifacts: dict[str, Any] | None = STORE) -> list[str]:
    try:
        define({"tasks": {"make": MAKE, **tasks}, **({"artifacts": artifacts} if artifacts else {})})
    except Invalid as invalid:
        return [str(problem) for problem in invalid.problems]
    return []


def test_artifacts_of_a_task_upstream_are_fine_and_the_task_waits_for_it() -> None:
    assert problems({"use": use(**{"from": "make.model"})}) == []
    definition = define(
        {
            "artifacts": STORE,
            "tasks": {
                "make": MAKE,
                "between": {"image": "x", "dependsOn": ["make"]},
                "use": {**use(**{"from": "make.model"}), "dependsOn": ["between"], "triggerRule": "Always"},
            },
        }
    )
    assert definition.needs["use"] == ("make",)


@pytest.mark.parametrize(
    ("task", "words"),
    [
        (use(**{"from": "make.other"}), "use.artifacts.inputs.model.from: make makes no artifact 'other'; it makes: make.model"),
        (use(**{"from": "make"}), "use.artifacts.inputs.model.from: 'make' names no artifact; write TASK.ARTIFACT"),
        (use(**{"from": "nobody.model"}), "use.artifacts.inputs.model.from: `tasks.nobody.outputs` (at character 13): there is no task 'nobody'"),
        ({**use(**{"from": "make.model"}), "dependsOn": []}, "tasks.make is not upstream of this task"),
        (use(**{"from": "make.model", "path": "../x"}), "use.artifacts.inputs.model.path: '../x' is not a path below a folder"),
        (use(**{"from": "make.model", "path": "/x"}), "'/x' is not a path below a folder"),
        (
            {"wait": {"duration": "1s"}, "artifacts": {"outputs": {"a": {"path": "a"}}}},
            "use.artifacts: this task has no container that could use them; remove it",
        ),
        (
            {"image": "x", "artifacts": {"outputs": {"a-b": {"path": "a"}}}},
            "use.artifacts.outputs.a-b: not an artifact name",
        ),
        (
            {"image": "x", "outputs": {"artifacts": {}}, "artifacts": {"outputs": {"a": {"path": "a"}}}},
            "use.outputs.artifacts: the task's artifacts have this name",
        ),
        (
            {
                "image": "x",
                "dependsOn": ["make"],
                "artifacts": {
                    "inputs": {"a": {"from": "make.model", "path": "in"}, "b": {"from": "make.model", "path": "in/b"}}
                },
            },
            "use.artifacts.inputs.b.path: lies in the way of a",
        ),
    ],
)  # fmt: skip
def test_mistakes_are_named_with_their_field(task: dict[str, Any], words: str) -> None:
    found = problems({"use": task})
    assert any(f"spec.tasks.{words}" in text or words in text for text in found), found


@pytest.mark.parametrize(
    ("artifacts", "words"),
    [
        (
            None,
            "spec.tasks.make.artifacts: there is no store for artifacts; write spec.artifacts.store with volume or s3",
        ),
        ({"store": {}}, "spec.artifacts.store: needs one place; write either volume or s3"),
        (
            {"store": {"volume": {"claimName": "c", "path": "../c"}}},
            "spec.artifacts.store.volume.path: '../c' is not a path",
        ),
        (
            {"store": {"s3": {"endpoint": "s3.example.com", "bucket": "b", "secretName": "s"}}},
            "spec.artifacts.store.s3.endpoint: not an address; write e.g. https://s3.example.com",
        ),
    ],
)
def test_a_store_is_needed_and_checked(artifacts: dict[str, Any] | None, words: str) -> None:
    assert any(words in text for text in problems({}, artifacts)), problems({}, artifacts)
