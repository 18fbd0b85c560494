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
    "given",
    [
        {"reference": "tasks.make.outputs.artifacts.model"},
        {"key": "raw/$[[ run.date ]].csv", "optional": True},
        {"key": "raw/", "optional": True},
        {"url": "$[[ tasks.make.outputs.artifacts.model.uri ]]", "unpack": True, "sha256": "0" * 64},
        {"text": ""},
    ],
)
def test_an_input_may_come_from_elsewhere(given: dict[str, Any]) -> None:
    assert problems({"use": use(**given)}) == []


def test_only_a_text_and_an_address_need_no_store() -> None:
    def alone(**given: Any) -> list[str]:
        try:
            define({"tasks": {"use": {"image": "x", "artifacts": {"inputs": {"a": {"path": "in", **given}}}}}})
        except Invalid as invalid:
            return [str(problem) for problem in invalid.problems]
        return []

    assert alone(text="x") == alone(url="https://x/") == []
    assert "there is no store for artifacts" in alone(key="x")[0]


def test_a_reference_waits_for_the_task_that_it_names() -> None:
    tasks = {"make": MAKE, "between": {"image": "x", "dependsOn": ["make"]}}
    late = {**use(reference="tasks.make.outputs.artifacts.model"), "dependsOn": ["between"], "triggerRule": "Always"}
    assert define({"artifacts": STORE, "tasks": {**tasks, "use": late}}).needs["use"] == ("make",)


@pytest.mark.parametrize(
    ("task", "words"),
    [
        (use(**{"from": "make.other"}), "use.artifacts.inputs.model.from: make makes no artifact 'other'; it makes: make.model"),
        (use(**{"from": "make"}), "use.artifacts.inputs.model.from: 'make' names no artifact; write TASK.ARTIFACT"),
        (use(**{"from": "nobody.model"}), "use.artifacts.inputs.model.from: `tasks.nobody.outputs` (at character 13): there is no task 'nobody'"),
        ({**use(**{"from": "make.model"}), "dependsOn": []}, "tasks.make is not upstream of this task"),
        (use(**{"from": "make.model", "path": "../x"}), "use.artifacts.inputs.model.path: '../x' is not a path below a folder"),
        (use(**{"from": "make.model", "path": "/x"}), "'/x' is not a path below a folder"),
        (use(), "use.artifacts.inputs.model: names no source; write one of from, reference, key, url, text"),
        (use(**{"from": "make.model", "text": ""}), "use.artifacts.inputs.model: has from and text; write one of"),
        (use(key="a", url="https://x/"), "use.artifacts.inputs.model: has key and url; write one of"),
        (use(url="ftp://x/"), "use.artifacts.inputs.model.url: not an address; write e.g. https://example.com/data.csv"),
        (use(url="https://x/", sha256="AB"), "use.artifacts.inputs.model.sha256: not a checksum"),
        (use(text="x", unpack=True), "use.artifacts.inputs.model.unpack: only for url and key; remove it"),
        (use(key="a/", unpack=True), "use.artifacts.inputs.model.key: is a folder"),
        (use(reference="params.nothing"), "use.artifacts.inputs.model.reference: "),
        (use(reference="tasks.make.outputs."), "use.artifacts.inputs.model.reference: "),
        (use(url="https://x/$[[ params.nothing ]]"), "use.artifacts.inputs.model.url: "),
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
