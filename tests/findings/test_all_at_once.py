"""All that can be judged is judged at once: no mistake hides another, and none makes others up."""

import copy
import json
import re
from collections.abc import Callable, Iterator, Mapping
from itertools import combinations
from pathlib import Path
from typing import Any, get_origin

import pytest
import yaml
from nightly import sized
from tradewind.cli.manifests.document import KINDS, BadManifest
from tradewind.cli.manifests.reader import parse
from tradewind.cli.manifests.validation import review
from tradewind.model.base import Model
from tradewind.model.crd import KINDS as MODELS
from tradewind.plan.documents.reshape import fits, member, plain
from tradewind.plan.documents.stand_in import NOTHING, stand_in

HERE = Path(__file__).parent
EXAMPLES = sorted((HERE.parents[1] / "examples").glob("*.yaml"))
HEAD = {"apiVersion": "tradewind.dev/v1alpha1", "metadata": {"name": "d"}}
Steps = tuple[str | int, ...]


def problems(folder: Path, *bodies: Any) -> list[str]:
    """What lint says of documents, without the lines."""
    path = folder / "f.yaml"
    path.write_text("\n---\n".join(json.dumps(body, default=str) for body in bodies))
    found = review([document for document in parse(str(path)) if document.kind in KINDS])
    return [refusal.message for refusal in found.refusals]


def document(kind: str, **spec: Any) -> dict[str, Any]:
    return {**HEAD, "kind": kind, "spec": spec}


# Pairs of the known mistakes.


def _mistakes(folder: Path) -> Iterator[tuple[str, dict[str, Any], list[str]]]:
    """The mistakes in tasks that are so in JSON too, and under other names of tasks: the name, the tasks, and what lint says."""
    for case in yaml.safe_load((HERE / "mistakes_in_tasks.yaml").read_text()):
        try:
            tasks = json.loads(json.dumps(yaml.safe_load(case["tasks"]), default=str))
            said = problems(folder, document("DAG", tasks=tasks))
        except (yaml.YAMLError, BadManifest):
            continue  # not YAML, or not once it is JSON
        if isinstance(tasks, dict) and "true" not in tasks and said:
            yield case["mistake"], tasks, said


def _renamed(tasks: Mapping[str, Any], said: list[str], end: str) -> tuple[dict[str, Any], list[str]]:
    """The tasks under other names, and what lint says then."""
    text = json.dumps(tasks, ensure_ascii=False)
    for name in tasks:
        other, bare = f"{name}{end}", re.escape(name)
        text = re.sub(rf'(?<=[\[ ])"{bare}"(?=[\],])', f'"{other}"', text)  # in lists
        text = re.sub(rf"\btasks\.{bare}\b", f"tasks.{other}", text)
        said = [re.sub(rf"(\btasks\.|\btask |-> |cycle: ){bare}\b", rf"\g<1>{other}", words) for words in said]
    return {f"{name}{end}": task for name, task in json.loads(text).items()}, said


def test_two_mistakes_in_different_tasks_are_both_told(tmp_path: Path) -> None:
    known = [*_mistakes(tmp_path)]
    assert len(known) > 40
    for (one, first, said), (two, second, there) in [*combinations(known, 2)][:: sized(9, 1)]:
        other, told = _renamed(second, there, "2")
        found = problems(tmp_path, document("DAG", tasks={**first, **other}))
        assert sorted(map(_place, found)) == sorted(map(_place, [*said, *told])), f"{one} + {two}"


def _place(words: str) -> str:
    """A problem without what to write instead, which lists what there is, and without positions."""
    return re.sub(r" \(at character \d+\)", "", words.partition("; ")[0])


# A broken part adds nothing elsewhere.


def _nodes(value: Any, steps: Steps = ()) -> Iterator[tuple[Steps, Any]]:
    if steps:
        yield steps, value
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for step, item in inner:
        yield from _nodes(item, (*steps, step))


def _wrong(value: Any) -> Any:
    """A value of no type that belongs here."""
    return [["bad"]] if isinstance(value, dict) else {"b": {"d": 1}} if isinstance(value, list) else [{"bad": 1}]


def _with_unknown_field(value: Any) -> Any:
    return {**value, "zzqq": 1} if isinstance(value, dict) else _wrong(value)


def _broken(body: Any, steps: Steps, change: Callable[[Any], Any]) -> Any:
    made = copy.deepcopy(body)
    within = made
    for step in steps[:-1]:
        within = within[step]
    within[steps[-1]] = change(within[steps[-1]])
    return made


def _path(steps: Steps) -> str:
    return "spec" + "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in steps)


@pytest.mark.parametrize("change", [_wrong, _with_unknown_field])
def test_a_broken_part_is_all_that_is_told_of_a_right_manifest(tmp_path: Path, change: Callable[[Any], Any]) -> None:
    cases = [
        (example, bodies, at, steps)
        for example in EXAMPLES
        for bodies in [[found.body for found in parse(str(example))]]
        for at, body in enumerate(bodies)
        for steps, _ in _nodes(body.get("spec") or {})
    ]
    assert len(cases) > 1_000
    for example, bodies, at, steps in cases[:: sized(17, 1)]:
        made = [*bodies]
        made[at] = {**made[at], "spec": _broken(made[at]["spec"], steps, change)}
        path = _path(steps)
        off = [words for words in problems(tmp_path, *made) if not re.match(rf"{re.escape(path)}[.:\[]", words)]
        assert not off, f"{example.name}: {path} is broken"


MOVED = [
    ({"params": {"n": {"type": "integer", "default": 1}}, "tasks": {"a": {"image": "x", "when": "params.n > 0"}}}, ("params",)),
    ({"tasks": {"a": {"image": "x", "outputs": {"n": {"type": "integer"}}}, "b": {"image": "x", "dependsOn": ["a"], "when": "tasks.a.outputs.n > 0"}}}, ("tasks", "a", "outputs", "n", "type")),
    ({"tasks": {"a": {"image": "x"}, "b": {"image": "x", "dependsOn": ["a"]}, "c": {"image": "x", "dependsOn": ["b"], "when": "tasks.a.state == 'Succeeded'"}}}, ("tasks", "b", "dependsOn")),
    ({"tasks": {"a": {"image": "x", "onExit": ["Failed"]}, "work": {"image": "x"}, "b": {"image": "x", "onExit": ["Failed"], "dependsOn": ["a"]}}}, ("tasks", "a", "onExit")),
    ({"tasks": {"a": {"image": "x", "resources": {"limits": {"memory": "1Gi"}}, "retries": {"limit": 1, "onOOM": {"max": "2Gi"}}}}}, ("tasks", "a", "resources")),
]  # fmt: skip


@pytest.mark.parametrize(("spec", "steps"), MOVED, ids=[_path(steps) for _, steps in MOVED])
@pytest.mark.parametrize("name", ["{}x", "zzqq"], ids=["misspelt", "without a guess"])
def test_a_field_under_a_wrong_name_is_not_missed_elsewhere(tmp_path: Path, spec: Any, steps: Steps, name: str) -> None:
    assert not problems(tmp_path, document("DAG", **spec))

    def change(within: Any) -> Any:
        return {name.format(key) if key == steps[-1] else key: value for key, value in within.items()}

    made = _broken({"spec": spec}, ("spec", *steps[:-1]), change)
    [words] = problems(tmp_path, document("DAG", **made["spec"]))
    assert ": unknown field; " in words


# Kinds.

KINDS_AT_ONCE: list[tuple[str, dict[str, Any], set[str]]] = [
    (
        "Trigger",
        {"dag": "d", "bogus": 1, "priority": "high", "schedule": {"cron": "61 2 * * *", "timeZone": "Europe/Pariss", "jitter": "5"}, "when": "1 +"},
        {"spec.bogus", "spec.priority", "spec.schedule.cron", "spec.schedule.timeZone", "spec.schedule.jitter", "spec.when"},
    ),
    ("Trigger", {"schedule": {"cron": "61 2 * * *"}}, {"spec.dag", "spec.schedule.cron"}),
    (
        "Trigger",
        {"dag": "d", "schedule": {"every": "1h"}, "event": {"authentication": {"kubernetes": {}}, "key": "1 +"}},
        {"spec", "spec.event.key"},
    ),
    (
        "Trigger",
        {"dag": "d", "completed": {"dags": [{"name": "a", "outcomes": ["Done"], "when": "1 +"}, {"name": 5}, {"name": "d"}]}},
        {"spec.completed.dags[0].outcomes[0]", "spec.completed.dags[0].when", "spec.completed.dags[1].name", "spec.completed.dags[2].name"},
    ),
    (
        "Trigger",
        {"dag": "d", "sensor": {"http": {"url": "http://h", "timeout": "soon"}, "key": "body.", "items": 5}, "when": "status == "},
        {"spec.sensor.http.timeout", "spec.sensor.items"},
    ),
    (
        "Backfill",
        {"dag": "d", "cron": "61 2 * * *", "start": "2026-02-30", "order": "Oldest", "params": {"a": "$[[ 1 + ]]"}},
        {"spec.cron", "spec.start", "spec.order", "spec.params.a"},
    ),
    ("ClusterPool", {"slots": -1, "slot": 2, "allow": {"namespaces": ["A_b"]}}, {"spec.slots", "spec.slot", "spec.allow.namespaces[0]"}),
    ("DAGRun", {"params": {"a": 1}, "priority": "high", "edits": [{"action": "Cler", "tasks": []}]}, {"spec.dag", "spec.priority", "spec.edits[0].action", "spec.edits[0].tasks"}),
    (
        "TaskTemplate",
        {"params": {"n": {"type": "integer", "default": "x"}, "m": {"typ": "integer"}}, "task": {"image": "x", "imagee": 1, "when": "1 +", "timeout": "$[[ inputs.z ]]"}},
        {"spec.params.n.default", "spec.params.m.typ", "spec.task.imagee", "spec.task.when", "spec.task.timeout"},
    ),
    (
        "DAG",
        {"tasks": {"a": {"image": "x", "dependsOn": ["b", 5, "zz"]}, "b": {"image": "x", "outputs": {"n": {"type": "intger"}}, "when": "1 +"}, "c": {"image": "x", "dependsOn": ["b"], "when": "tasks.b.outputs.m > 1"}, "t": {"template": {"nam": "x"}}}},
        {"spec.tasks.a.dependsOn[1]", "spec.tasks.a.dependsOn[2]", "spec.tasks.b.outputs.n.type", "spec.tasks.b.when", "spec.tasks.c.when", "spec.tasks.t.template.nam"},
    ),
]  # fmt: skip


@pytest.mark.parametrize(("kind", "spec", "paths"), KINDS_AT_ONCE)
def test_all_kinds_tell_all_at_once(tmp_path: Path, kind: str, spec: Any, paths: set[str]) -> None:
    assert {words.partition(": ")[0] for words in problems(tmp_path, document(kind, **spec))} == paths


def test_what_a_trigger_gives_a_dag_is_judged_although_both_have_other_mistakes(tmp_path: Path) -> None:
    dag = document(
        "DAG", params={"n": {"type": "integer"}, "m": {"type": "numbr"}}, tasks={"a": {"image": "x", "whn": 1}}
    )
    trigger = document("Trigger", dag="d", schedule={"cron": "61 2 * * *"}, params={"n": "x", "z": 1})
    assert {words.partition(": ")[0] for words in problems(tmp_path, dag, trigger)} == {
        "spec.params.m.type",
        "spec.tasks.a.whn",
        "spec.schedule.cron",
        "spec.params.n",
        "spec.params.z",
    }


# Stand-ins.


def _types(kind: Any, seen: set[Any]) -> Iterator[tuple[Any, str | int]]:
    """All places where a stand-in must be."""
    bare = plain(kind)
    if isinstance(bare, type) and issubclass(bare, Model):
        if bare not in seen:
            seen.add(bare)
            for field in bare.model_fields.values():
                if field.is_required():
                    yield bare, str(field.alias)
                yield from _types(member(bare, str(field.alias)), seen)
    elif arguments := getattr(bare, "__args__", ()):
        if get_origin(bare) in (list, dict):
            yield bare, 0
        for inner in arguments:
            yield from _types(inner, seen)


def test_there_is_a_stand_in_wherever_one_must_be() -> None:
    seen: set[Any] = set()
    places = [place for kind in MODELS for place in _types(kind.model_fields["spec"].annotation, seen)]
    assert len(places) > 100
    for kind, step in places:
        value = stand_in(kind, step)
        assert value is not NOTHING and fits(member(kind, step), value), (kind, step)
