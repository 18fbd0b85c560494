"""Every example, in both worlds, ends as examples/expected says."""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from aiohttp import web
from tradewind import API_VERSION
from tradewind.cli.manifests import reader
from tradewind.cli.manifests.documents import DocumentSet
from tradewind.cli.views.follow_run import picture
from tradewind.control.dags.revisions import Revisions
from tradewind.kube.client import Client
from tradewind.kube.labels import TRIGGER
from tradewind.kube.resources import APPROVALS, BACKFILLS, CONFIG_MAPS, DAGS, POOLS, RUNS, SECRETS, TEMPLATES, TRIGGERS
from worlds.endpoint import endpoint
from worlds.world import World, eventually

EXAMPLES = Path(__file__).parents[2] / "examples"
NAMES = sorted(path.stem for path in EXAMPLES.glob("*.yaml"))
RESOURCES = {
    "DAG": DAGS,
    "DAGRun": RUNS,
    "Pool": POOLS,
    "Trigger": TRIGGERS,
    "Backfill": BACKFILLS,
    "ConfigMap": CONFIG_MAPS,
    "Secret": SECRETS,
    **TEMPLATES,
}
pytestmark = pytest.mark.timeout(400)  # the first test of each world runs them all
AT_ONCE = 6
"""Concurrent examples: enough to be quick, few enough for a small machine."""
Found = dict[str, Any]


@pytest.fixture(scope="module")
def results(operated: World, request: pytest.FixtureRequest) -> dict[str, Found]:
    """The results of every example."""
    if operated.name == "real":
        request.getfixturevalue("cluster").load_image("operator")  # its containers bring and keep artifacts
    return asyncio.run(_run_all(operated))


async def _run_all(world: World) -> dict[str, Found]:
    room = asyncio.Semaphore(AT_ONCE)
    async with world.client() as client:

        async def one(name: str) -> Found:
            async with room:
                documents = reader.load(str(EXAMPLES / f"{name}.yaml"))
                for document in documents:
                    assert DocumentSet(documents).check(document) == []
                    body = document.body
                    if document.kind == "DAG":
                        body["spec"]["defaults"] = {**world.settings, **body["spec"].get("defaults", {})}
                    await world.create(client, RESOURCES[document.kind], body)
                expected = json.loads((EXAMPLES / "expected" / f"{name}.json").read_text())
                async with served(expected.get("serve")) as params:
                    if "create" in expected:  # the event that fires the trigger; null for a clock
                        run = expected.get("made", "")  # by the example itself
                        if made := expected["create"]:
                            await world.create(client, RESOURCES[made["kind"]], made)
                        if event := expected.get("post"):
                            await posted(world, name, event)
                    else:
                        run = await world.start(client, name, **params)
                    if then := expected.get("then"):
                        run = await triggered(world, client, then, expected.get("params", {}))
                    for task, decision in expected.get("approve", {}).items():
                        await decided(world, client, run, task, decision)
                    status = await world.finished(client, run, 300)
                if edits := expected.get("edits"):
                    await client.patch(RUNS, world.namespace, run, {"spec": {"edits": edits}})
                    await world.until(client, run, lambda status: status.get("edited") == len(edits))
                    status = await world.finished(client, run, 300)
                if again := expected.get("again"):
                    run = await rerun(world, client, name, run, again)
                    status = await world.finished(client, run, 300)
                _, rows = await picture(client, world.namespace, run, Revisions(client))
                found = await client.get(RUNS, world.namespace, run)
                lines = [line.split() for line in found["status"]["attempts"].splitlines()]
                order = [words[0] for words in lines if words[1][0] not in "^~"]
                states = {row.task: str(row.state) for row in rows}
                tries = {row.task: len(row.attempts) for row in rows}
                labels = found["metadata"]["labels"]
                late = next((item["message"] for item in status["conditions"] if item["type"] == "DeadlineMissed"), "")
                return {**status, "labels": labels, "late": late, "states": states, "attempts": tries, "order": order}

        return dict(zip(NAMES, await asyncio.gather(*map(one, NAMES)), strict=True))


@contextlib.asynccontextmanager
async def served(answers: dict[str, Any] | None) -> AsyncIterator[dict[str, str]]:
    """A web server with these answers, by method and path; yields the param with its address."""
    if answers is None:
        yield {}
        return

    async def answer(request: web.Request) -> web.StreamResponse:
        status, body = answers[f"{request.method} {request.path}"]
        return web.json_response(body, status=status)

    app = web.Application()
    app.router.add_route("*", "/{path:.*}", answer)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    try:
        yield {answers["param"]: f"http://127.0.0.1:{runner.addresses[0][1]}"}
    finally:
        await runner.cleanup()


async def posted(world: World, trigger: str, event: dict[str, Any]) -> None:
    """Sends an event until an endpoint has accepted it."""
    with endpoint(world) as here:
        async with aiohttp.ClientSession() as session:

            async def taken() -> bool:
                who = f"Bearer {event['token']}"
                status, _ = await here.post(session, world.namespace, trigger, event["body"], Authorization=who)
                return status == 202

            await eventually(taken)


async def triggered(world: World, client: Client, trigger: str, params: dict[str, Any]) -> str:
    """The first run that a trigger creates; with these params if it creates several within a second."""

    async def made() -> Any:
        runs = (await client.list(RUNS, world.namespace, labelSelector=f"{TRIGGER}={trigger}"))["items"]
        return [run for run in runs if params.items() <= run["spec"].get("params", {}).items()]

    found = await eventually(made, 120)
    return str(min(found, key=lambda run: run["metadata"]["creationTimestamp"])["metadata"]["name"])


async def decided(world: World, client: Client, run: str, task: str, decision: dict[str, Any]) -> None:
    """Makes a person's decision once it is asked for."""

    async def asked() -> Any:
        found = (await client.list(APPROVALS, world.namespace, fieldSelector=f"spec.run={run}"))["items"]
        return [item["metadata"]["name"] for item in found if item["spec"]["task"] == task]

    name = (await eventually(asked, 120))[0]
    await client.patch(APPROVALS, world.namespace, name, {"spec": decision})


async def rerun(world: World, client: Client, dag: str, run: str, again: dict[str, Any]) -> str:
    """A new run that reuses results of another."""
    spec = {"dag": dag, "params": again["params"], "reuse": {"run": run, **again["reuse"]}}
    body = {"apiVersion": API_VERSION, "kind": "DAGRun", "metadata": {"generateName": f"{dag}-"}, "spec": spec}
    return str((await world.create(client, RUNS, body))["metadata"]["name"])


def test_there_is_an_expectation_for_each_example() -> None:
    assert len(NAMES) >= 15 and {path.stem for path in (EXAMPLES / "expected").glob("*.json")} == set(NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_the_example_ends_as_it_says(results: dict[str, Found], name: str) -> None:
    expected, found = json.loads((EXAMPLES / "expected" / f"{name}.json").read_text()), results[name]
    for how in ("serve", "approve", "edits", "again", "create", "made", "post", "then", "params"):
        expected.pop(how, None)
    assert found["phase"] == expected.pop("phase"), found
    assert expected.pop("message", "") in found["message"]
    for part, values in expected.items():
        if isinstance(values, dict):
            assert {key: found[part].get(key) for key in values} == values, found
        else:
            assert found[part] == values


def test_a_task_that_ran_out_of_memory_got_more_where_limits_are_real(results: dict[str, Found], world: World) -> None:
    reasons = [item["reason"] for item in results["out-of-memory"].get("failures") or []]
    assert reasons == [] if world.name == "embedded" else set(reasons) == {"OOMKilled"}
