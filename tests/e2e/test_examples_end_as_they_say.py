"""Every example, in both worlds, ends as examples/expected says."""

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest
from tradewind.cli import manifest
from tradewind.cli.follow import picture
from tradewind.control.revisions import Revisions
from tradewind.kube.resources import DAGS, POOLS, RUNS
from worlds.world import World

EXAMPLES = Path(__file__).parents[2] / "examples"
NAMES = sorted(path.stem for path in EXAMPLES.glob("*.yaml"))
RESOURCES = {"DAG": DAGS, "Pool": POOLS}
AT_ONCE = 6
"""Examples that run at the same time: enough to be quick, few enough for a small machine."""
Found = dict[str, Any]


@pytest.fixture(scope="module")
def results(operated: World, request: pytest.FixtureRequest) -> dict[str, Found]:
    """What became of every example."""
    if operated.name == "real":
        request.getfixturevalue("cluster").load_image("operator")  # its containers bring and keep artifacts
    return asyncio.run(_run_all(operated))


async def _run_all(world: World) -> dict[str, Found]:
    room = asyncio.Semaphore(AT_ONCE)
    async with world.client() as client:

        async def one(name: str) -> Found:
            async with room:
                for document in manifest.load(str(EXAMPLES / f"{name}.yaml")):
                    manifest.check(document)
                    body = document.body
                    if document.kind == "DAG":
                        body["spec"]["defaults"] = {**world.settings, **body["spec"].get("defaults", {})}
                    await world.create(client, RESOURCES[document.kind], body)
                run = await world.start(client, name)
                status = await world.finished(client, run, 300)
                _, rows = await picture(client, world.namespace, run, Revisions(client))
                found = await client.get(RUNS, world.namespace, run)
                order = [line.split()[0] for line in found["status"]["attempts"].splitlines()]
                states = {row.task: str(row.state) for row in rows}
                tries = {row.task: len(row.attempts) for row in rows}
                return {**status, "states": states, "attempts": tries, "order": order}

        return dict(zip(NAMES, await asyncio.gather(*map(one, NAMES)), strict=True))


def test_there_is_an_expectation_for_each_example() -> None:
    assert len(NAMES) >= 15 and {path.stem for path in (EXAMPLES / "expected").glob("*.json")} == set(NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_the_example_ends_as_it_says(results: dict[str, Found], name: str) -> None:
    expected, found = json.loads((EXAMPLES / "expected" / f"{name}.json").read_text()), results[name]
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
