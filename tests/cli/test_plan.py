"""`tradewind plan` shows what the schedules of a namespace will start."""

import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from tradewind import API_VERSION
from tradewind.cli import plan
from tradewind.kube.errors import Forbidden
from tradewind.kube.resources import DAGS, TRIGGERS, Resource

from cli.scene import Scene, scene


async def dag(there: Scene, name: str, **spec: Any) -> None:
    tasks = {"a": {"compute": {"x": "1"}}}
    body = {"apiVersion": API_VERSION, "kind": "DAG", "metadata": {"name": name}, "spec": {"tasks": tasks, **spec}}
    await there.client.create(DAGS, "default", body)


async def trigger(there: Scene, name: str, dag: str, **spec: Any) -> None:
    spec = {"dag": dag, "schedule": {"every": "6h"}, **spec}
    body = {"apiVersion": API_VERSION, "kind": "Trigger", "metadata": {"name": name}, "spec": spec}
    await there.client.create(TRIGGERS, "default", body)


async def planned(there: Scene) -> tuple[Counter[tuple[str, str]], list[str]]:
    said = json.loads(await there.tradewind("plan", "--next", "24h", "-o", "json"))
    return Counter((run["trigger"], run["dag"]) for run in said["runs"]), said["notes"]


async def test_each_run_to_come_is_of_its_own_trigger(tmp_path: Path) -> None:
    async with scene(tmp_path) as there:
        for name in ("first", "second", "third"):
            await dag(there, name)
        await trigger(there, "t1", "first", schedule={"cron": "0 3 * * *"})
        await trigger(there, "t2", "second", schedule={"cron": "0 4 * * *"})
        await trigger(there, "t3", "third", schedule={"every": "4h"})
        assert await planned(there) == ({("t1", "first"): 1, ("t2", "second"): 1, ("t3", "third"): 6}, [])


async def test_triggers_that_make_no_runs_are_noted_and_not_counted(tmp_path: Path) -> None:
    async with scene(tmp_path) as there:
        await dag(there, "good")
        await dag(there, "still", suspend=True)
        await dag(there, "broken", tasks={"a": {"compute": {"x": "1 +"}}})
        await trigger(there, "fires", "good")
        await trigger(there, "strange", "good", params={"nobody": 1})
        await trigger(there, "waits", "missing")
        await trigger(there, "rests", "still")
        await trigger(there, "fails", "broken")
        runs, notes = await planned(there)
        assert runs == {("fires", "good"): 4}
        for words in (
            "trigger strange is invalid: spec.params.nobody: no such param",
            "there is no DAG missing",
            "DAG still is suspended",
            "DAG broken is invalid",
        ):
            assert any(note.startswith(words) for note in notes), (words, notes)


async def test_a_template_that_may_not_be_read_is_noted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with scene(tmp_path) as there:
        await dag(there, "good")
        await dag(there, "made", tasks={"a": {"template": {"name": "t"}}})

        async def get(resource: Resource, namespace: str, name: str, get: Any = there.client.get) -> Any:
            if resource.kind == "TaskTemplate":
                raise Forbidden(403, "Forbidden", "you may not get tasktemplates")
            return await get(resource, namespace, name)

        monkeypatch.setattr(there.client, "get", get)
        notes = list[str]()
        assert set(await plan._dags(there.client, "default", {"good", "made"}, notes)) == {"good"}
        assert notes == [
            "DAG made, or a template that it uses, can't be read: not allowed: you may not get tasktemplates"
        ]
