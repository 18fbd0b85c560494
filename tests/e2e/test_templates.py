"""Templates on an API server: a run begins with the current ones, waits for a missing one, and is not affected by later
changes."""

import json
from typing import Any

import pytest
import yaml
from tradewind import API_VERSION
from tradewind.kube.client import Client
from tradewind.kube.errors import ApiError
from tradewind.kube.resources import DAG_TEMPLATES, DAGS, REVISIONS, RUNS, TASK_TEMPLATES, Resource
from worlds.world import World, eventually, printed

SAY = """
import json, os, time
from pathlib import Path
while os.environ.get("GATE") and not Path(os.environ["GATE"]).exists():
    time.sleep(0.1)
json.dump({"said": os.environ["WORD"]}, open(os.environ["TRADEWIND_OUTPUTS"], "w"))
"""


def template(kind: str, name: str, body: Any, **params: Any) -> dict[str, Any]:
    field = "task" if kind == "TaskTemplate" else "dag"
    spec = {"params": params, field: body}
    return {"apiVersion": API_VERSION, "kind": kind, "metadata": {"name": name}, "spec": spec}


def saying(name: str, word: str = "$[[ inputs.word ]]") -> dict[str, Any]:
    body = {"env": {"WORD": word, "GATE": "$[[ inputs.gate ]]"}, "script": {"python": SAY}}
    return template("TaskTemplate", name, body, word={"default": "hello"}, gate={"default": ""})


def used(name: str, **params: Any) -> dict[str, Any]:
    return {"template": {"name": name, "params": params}}


async def valid(client: Client, world: World, resource: Resource, name: str, reason: str) -> dict[str, Any]:
    """The condition Valid of an object, once it has that reason."""

    async def told() -> dict[str, Any] | None:
        status = (await client.get(resource, world.namespace, name)).get("status") or {}
        return next((item for item in status.get("conditions") or [] if item["reason"] == reason), None)

    found: dict[str, Any] = await eventually(told)
    return found


async def test_a_run_waits_for_a_template_and_goes_on_when_it_is_applied(operated: World) -> None:
    async with operated.client() as client:
        dag = operated.dag("early", {"a": used("late", word="at last")})
        run = await operated.start(client, dag)
        found = await operated.until(client, run, lambda status: status.get("phase") == "Queued")
        assert found["status"]["message"] == "waits for TaskTemplate late: it begins when that is applied"
        assert found["status"]["conditions"][0]["reason"] == "TemplateNotFound"
        condition = await valid(client, operated, DAGS, "early", "TemplateNotFound")
        assert (
            condition["status"] == "False"
            and "spec.tasks.a.template: there is no TaskTemplate late" in condition["message"]
        )

        inner = template("TaskTemplate", "late", used("inner", word="$[[ inputs.word ]]"), word={})
        await operated.create(client, TASK_TEMPLATES, inner)
        await operated.until(client, run, lambda status: "waits for TaskTemplate inner" in status.get("message", ""))
        await valid(client, operated, TASK_TEMPLATES, "late", "TemplateNotFound")

        await operated.create(client, TASK_TEMPLATES, saying("inner"))
        status = await operated.finished(client, run)
        assert status["phase"] == "Succeeded" and status["outputs"]["a"] == {"said": "at last"}
        await valid(client, operated, DAGS, "early", "Valid")
        await valid(client, operated, TASK_TEMPLATES, "late", "Valid")


async def test_a_changed_template_is_for_runs_that_begin_later(operated: World) -> None:
    async with operated.client() as client:
        gate = f"{operated.work}/changed"
        await operated.create(client, TASK_TEMPLATES, saying("word", "old"))
        tasks = {"wait": used("word", gate=gate), "after": {**used("word"), "dependsOn": ["wait"]}}
        first = await operated.start(client, operated.dag("changing", tasks))
        await operated.until(client, first, lambda status: status.get("phase") == "Running")
        patch = {"spec": saying("word", "new")["spec"]}
        await client.patch(TASK_TEMPLATES, operated.namespace, "word", patch)
        opening = operated.dag("opening", {"open": {"env": {"FILE": gate}, "script": {"shell": 'touch "$FILE"'}}})
        assert (await operated.result(client, opening))["phase"] == "Succeeded"
        second = await operated.start(client, "changing")
        outputs = [(await operated.finished(client, run))["outputs"] for run in (first, second)]
        assert [found["after"]["said"] for found in outputs] == ["old", "new"]
        revisions = [(await client.get(RUNS, operated.namespace, run))["status"]["revision"] for run in (first, second)]
        assert revisions[0] != revisions[1]
        kept = (await client.get(REVISIONS, operated.namespace, revisions[0]))["data"]["spec"]["tasks"]["after"]
        assert kept["env"]["WORD"] == "old" and "template" not in kept


async def test_a_run_under_way_goes_on_without_its_template(operated: World) -> None:
    async with operated.client() as client:
        gate = f"{operated.work}/deleted"
        await operated.create(client, TASK_TEMPLATES, saying("doomed"))
        tasks = {"wait": used("doomed", gate=gate), "after": {**used("doomed"), "dependsOn": ["wait"]}}
        run = await operated.start(client, operated.dag("going", tasks))
        await operated.until(client, run, lambda status: status.get("phase") == "Running")
        await client.delete(TASK_TEMPLATES, operated.namespace, "doomed")
        await valid(client, operated, DAGS, "going", "TemplateNotFound")
        later = await operated.start(client, "going")
        await operated.until(client, later, lambda status: status.get("phase") == "Queued")
        opening = operated.dag("unlocking", {"open": {"env": {"FILE": gate}, "script": {"shell": 'touch "$FILE"'}}})
        await operated.result(client, opening)
        assert (await operated.finished(client, run))["phase"] == "Succeeded"
        await operated.create(client, TASK_TEMPLATES, saying("doomed"))
        assert (await operated.finished(client, later))["phase"] == "Succeeded"


async def test_a_dag_is_an_instance_and_what_it_is_can_be_seen(operated: World) -> None:
    async with operated.client() as client:
        body = {
            "params": {"who": {"default": "world"}},
            "history": {"succeeded": {"limit": 1}},
            "defaults": {"image": "python:3.11-slim"},
            "tasks": {"a": {"env": {"WORD": "$[[ inputs.word ]], $[[ params.who ]]"}, "script": {"python": SAY}}},
        }
        made = template("DAGTemplate", "greeting", body, word={}, times={"type": "integer", "default": 1})
        await operated.create(client, DAG_TEMPLATES, made)
        instance = {
            "apiVersion": API_VERSION,
            "kind": "DAG",
            "metadata": {"name": "instance"},
            "spec": {
                "template": {"name": "greeting", "params": {"word": "good morning"}},
                "defaults": operated.settings,
            },
        }
        first = await operated.start(client, instance, who="all")
        assert (await operated.finished(client, first))["outputs"]["a"] == {"said": "good morning, all"}
        dag = await client.get(DAGS, operated.namespace, "instance")
        assert dag["status"]["tasks"] == 1 and dag["status"]["phase"] == "Valid"
        assert (await client.get(DAG_TEMPLATES, operated.namespace, "greeting"))["status"]["params"] == "word, times?"

        assert "word, times?" in printed(operated, "get", "dagtemplates")
        shown = printed(operated, "render", "instance")
        rendered = yaml.safe_load(shown)["spec"]
        assert rendered["tasks"]["a"]["env"]["WORD"] == "good morning, $[[ params.who ]]" and "template" not in rendered
        second = json.loads(printed(operated, "run", "instance", "-p", "who=you", "-o", "json"))["run"]
        await operated.finished(client, second)

        async def only_the_second() -> bool:
            """The template's history applies to its instances."""
            runs = (await client.list(RUNS, operated.namespace, fieldSelector="spec.dag=instance"))["items"]
            return [item["metadata"]["name"] for item in runs] == [second]

        await eventually(only_the_second)


async def test_wrong_params_are_told_in_the_instance_and_in_the_template(operated: World) -> None:
    async with operated.client() as client:
        await operated.create(
            client, TASK_TEMPLATES, template("TaskTemplate", "strict", {"image": "x"}, n={"type": "integer"})
        )
        status = await operated.result(client, operated.dag("wrong", {"a": used("strict", n="many")}))
        assert status["phase"] == "Failed"
        words = "spec.tasks.a.template.params.n: 'many' is not an integer; write an integer (TaskTemplate strict, spec.params.n)"
        assert words in status["message"]
        assert words in (await valid(client, operated, DAGS, "wrong", "Invalid"))["message"]


async def test_a_template_that_is_wrong_says_so_itself(operated: World) -> None:
    async with operated.client() as client:
        body = {"image": "x", "env": {"X": "$[[ inputs.nope ]]"}, "podTemplate": {"spec": {"contaners": []}}}
        await operated.create(client, TASK_TEMPLATES, template("TaskTemplate", "bad", body))
        found = await valid(client, operated, TASK_TEMPLATES, "bad", "Invalid")
        assert "spec.task.env.X: `inputs.nope`: there is no inputs.nope" in found["message"]
        await client.patch(TASK_TEMPLATES, operated.namespace, "bad", {"spec": {"task": {"env": None}}})

        async def told() -> bool:
            message = (await valid(client, operated, TASK_TEMPLATES, "bad", "Invalid"))["message"]
            return "spec.task.podTemplate.spec.contaners: a pod has no such field" in message

        await eventually(told)


async def test_an_operator_of_some_namespaces_says_that_it_can_not_use_the_clusters_templates(operated: World) -> None:
    async with operated.client() as client:
        status = await operated.result(
            client, operated.dag("wide", {"a": {"template": {"name": "all", "cluster": True}}})
        )
        assert status["phase"] == "Failed"
        words = "ClusterTaskTemplate all can't be used: this operator works in some namespaces and sees nothing of the whole cluster"
        assert words in status["message"]


@pytest.mark.parametrize("spec", [{}, {"template": {"name": "x"}, "tasks": {"a": {"image": "x"}}}])
async def test_the_api_server_wants_tasks_or_a_template(world: World, spec: dict[str, Any]) -> None:
    async with world.client() as client:
        body = {"apiVersion": API_VERSION, "kind": "DAG", "metadata": {"name": "neither"}, "spec": spec}
        with pytest.raises(ApiError, match="write either tasks or template"):
            await world.create(client, DAGS, body)


async def test_a_run_of_an_instance_is_run_again_from_a_task(operated: World) -> None:
    spec = {"dag": {"tasks": {"a": {"compute": {"n": "1"}}, "b": {"dependsOn": ["a"], "compute": {"n": "2"}}}}}
    template = {"apiVersion": API_VERSION, "kind": "DAGTemplate", "metadata": {"name": "twice"}, "spec": spec}
    instance = {"apiVersion": API_VERSION, "kind": "DAG", "metadata": {"name": "twice"}}
    async with operated.client() as client:
        await operated.create(client, DAG_TEMPLATES, template)
        run = await operated.start(client, {**instance, "spec": {"template": {"name": "twice"}}})
        await operated.finished(client, run)
    shown = printed(operated, "rerun", run, "--from", "b", "--dry-run")
    assert shown == f"a: Succeeded, reused from run {run}\nb: runs\n"
