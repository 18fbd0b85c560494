"""Whatever a manifest contains: commands say what is wrong with it, and none ends with a traceback."""

import asyncio
import copy
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tradewind.cli.laptop import local_run
from tradewind.cli.lint import _read
from tradewind.cli.manifests.document import KINDS, BadManifest
from tradewind.cli.manifests.validation import review
from tradewind.cli.starts.wanted import Wanted
from tradewind.model.value import Param
from tradewind.plan.expressions.typed_values import from_text

ODD: list[Any] = [None, 5, "a", [1], [{}], {"a": 1}, {"a": [None]}]
FROM = {"A": {"secretKeyRef": {"name": "s", "key": "k"}}, "B": {"configMapKeyRef": {"name": "s", "key": "k"}}}
TASKS: dict[str, Any] = {
    "t": {"image": "x", "command": ["a"], "env": {"A": "b"}, "envFrom": FROM, "pools": [{"name": "p", "slots": 1}]},
    "u": {"dependsOn": ["t"], "dag": {"name": "b", "params": {"x": 1}}, "outputs": {"a": {"type": "integer"}}},
    "v": {"template": {"name": "tt", "params": {"x": 1}}, "when": "true", "forEach": {"items": [1]}},
    "w": {"image": "x", "script": {"python": "1"}, "podTemplate": {"spec": {"volumes": []}}},
}
PARAMS = {"p": {"type": "string", "default": "a", "enum": ["a"]}, "s": {"type": "secret"}}
INPUTS = {"x": {"type": "integer"}}
SPECS: dict[str, Any] = {
    "DAG": {"params": PARAMS, "defaults": {"image": "x"}, "outputs": {"o": "run.name"}, "tasks": TASKS},
    "DAGRun": {"dag": "a", "params": {"p": "a"}, "edits": [{"action": "Skip", "tasks": ["t"]}]},
    "Pool": {"slots": 1},
    "ClusterPool": {"slots": 1, "allow": {"namespaces": ["n"]}},
    "Trigger": {"dag": "a", "params": {"p": "a"}, "completed": {"dags": [{"name": "b", "when": "true"}]}},
    "Backfill": {"dag": "a", "cron": "0 0 * * *", "start": "2026-01-01", "end": "2026-01-02"},
    "TaskTemplate": {"params": INPUTS, "task": {"image": "x", "command": ["a"]}},
    "DAGTemplate": {"params": INPUTS, "dag": {"tasks": {"t": {"image": "x"}}}},
}


def whole(kind: str, name: str = "a") -> dict[str, Any]:
    """A valid object of a kind."""
    metadata = {"name": name, "namespace": "n", "labels": {"x": "y"}, "annotations": {"x": "y"}}
    spec = SPECS.get(kind) or SPECS.get(kind.removeprefix("Cluster"))
    content = {"spec": spec} if spec else {"data": {"k": "b"}, "stringData": {"k": "b"}}
    return {"apiVersion": KINDS[kind], "kind": kind, "metadata": metadata, **content}


def paths(value: Any, at: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    yield at
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, item in inner:
        yield from paths(item, (*at, key))


def odd(kind: str) -> Iterator[Any]:
    """The object with something odd at each place."""
    for path in paths(whole(kind)):
        for value in ODD:
            found = copy.deepcopy(whole(kind))
            where: Any = found
            for step in path[:-1]:
                where = where[step]
            if path:
                where[path[-1]] = value
            yield found if path else value


def written(path: Path, *bodies: Any) -> str:
    path.write_text("\n---\n".join(map(json.dumps, bodies)))
    return str(path)


@pytest.mark.parametrize("kind", KINDS)
def test_lint_says_what_is_wrong(kind: str, tmp_path: Path) -> None:
    for body in odd(kind):
        found, documents, _ = _read((written(tmp_path / "odd.yaml", body),))
        for refusal in [*found, *review(documents).refusals]:
            assert "fault of Tradewind's own" not in refusal.message, body


@pytest.mark.parametrize("kind", KINDS)
def test_run_chooses_or_says_what_is_wrong(kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def runs(*_: Any) -> int:
        return 0

    monkeypatch.setattr(local_run, "_run", runs)
    image = {"image": "x", "command": ["true"]}
    user = {"spec": {"tasks": {"t": {**image, "envFrom": FROM, "pools": [{"name": "a"}]}, "v": TASKS["v"]}}}
    for body in odd(kind):
        file = written(tmp_path / "odd.yaml", body, *([{**whole("DAG"), **user}] if kind != "DAG" else ()))
        for name in (None, "a"):
            try:
                asyncio.run(local_run.run_here([file], name, Wanted(ask=False), local_run.Local(), "text"))
            except BadManifest as error:
                assert error.refusals


@pytest.mark.parametrize(
    ("spec", "words"),
    [
        ([1], "spec: a list, not a mapping"),
        ({"dag": "a", "params": 5}, "spec.params: a number, not a mapping"),
        ({"dag": [1]}, "spec.dag: a list, not text"),
    ],
)
def test_a_run_among_the_manifests_is_read_before_it_is_used(spec: Any, words: str, tmp_path: Path) -> None:
    dag = {**whole("DAG"), "spec": {"tasks": {"t": {"image": "x", "command": ["true"]}}}}
    file = written(tmp_path / "run.yaml", dag, {**whole("DAGRun", "r"), "spec": spec})
    with pytest.raises(BadManifest) as caught:
        asyncio.run(local_run.run_here([file], None, Wanted(ask=False), local_run.Local(), "text"))
    assert words in str(caught.value)


def test_documents_whose_metadata_is_a_list_are_refused(tmp_path: Path) -> None:
    text = "apiVersion: tradewind.dev/v1alpha1\nkind: DAG\nmetadata: [a]\nspec: {tasks: {t: {compute: {n: '1'}}}}\n"
    (tmp_path / "f.yaml").write_text(f"{text}---\n{text}")
    found, documents, _ = _read((str(tmp_path / "f.yaml"),))
    assert found + review(documents).refusals


def test_a_list_on_the_command_line_that_is_nested_too_deep_is_no_list() -> None:
    text = "[" * 5_000 + "]" * 5_000
    assert from_text(Param(type="list"), text) == text
