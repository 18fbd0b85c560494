"""Triggers that follow what runs do: even if the operator dies, across namespaces and shards, and before history
deletes a run."""

import asyncio
from typing import Any

from tradewind import API_VERSION
from tradewind.control.triggers.run_maker import CAUSE
from tradewind.kube.client import Client
from tradewind.kube.labels import HOW, TRIGGER
from tradewind.kube.resources import DAGS, RUNS, TRIGGERS
from worlds.world import Body, World, eventually, printed

LOAD = {"load": {"compute": {"rows": "params.n * 2"}}}
ROWS = {"params": {"n": {"type": "integer", "default": 1}}, "outputs": {"rows": "tasks.load.outputs.rows"}}
SHOW = {"show": {"compute": {"rows": "params.rows"}}}
GIVEN = {"params": {"rows": {"type": "integer"}}}


def trigger(name: str, dag: str, **spec: Any) -> Body:
    return {"apiVersion": API_VERSION, "kind": "Trigger", "metadata": {"name": name}, "spec": {"dag": dag, **spec}}


async def runs(world: World, client: Client, name: str) -> list[Body]:
    found = await client.list(RUNS, world.namespace, labelSelector=f"{TRIGGER}={name}")
    return sorted(found["items"], key=lambda run: str(run["metadata"]["annotations"][CAUSE]))


async def told(world: World, client: Client, name: str) -> Body:
    return dict((await client.get(TRIGGERS, world.namespace, name)).get("status") or {})


async def count(world: World, client: Client, name: str, wanted: int) -> list[Body]:
    async def there() -> Any:
        found = await runs(world, client, name)
        return found if len(found) >= wanted else None

    return list(await eventually(there))


async def test_each_run_that_ends_makes_one_run_also_over_the_operators_death(world: World) -> None:
    async with world.client() as client:
        await world.create(client, DAGS, world.dag("load", LOAD, history={"succeeded": {"limit": 0}}, **ROWS))
        await world.create(client, DAGS, world.dag("report", SHOW, **GIVEN))
        params = {"rows": "$[[ source.results.rows ]]"}
        follow = trigger("follow", "report", completed={"dags": [{"name": "load"}]}, params=params)
        await world.create(client, TRIGGERS, follow)
        names: list[str] = []
        for turn in range(3):
            with world.operator():  # killed at the end, in the middle of whatever it does
                names += [await world.start(client, "load", n=10 * turn + at) for at in range(4)]
                await count(world, client, "follow", len(names) - 3)
        with world.operator():
            made = await count(world, client, "follow", len(names))
            for run in made:
                await world.finished(client, run["metadata"]["name"])

            async def deleted() -> bool:
                left = await client.list(RUNS, world.namespace, fieldSelector="spec.dag=load")
                return not left["items"]

            await eventually(deleted)
            made = await runs(world, client, "follow")
            shown = await asyncio.to_thread(printed, world, "get", "triggers")
    assert sorted(run["metadata"]["annotations"][CAUSE] for run in made) == sorted(
        f"DAGRun {world.namespace}/{name} Succeeded" for name in names
    )
    assert sorted(run["spec"]["params"]["rows"] for run in made) == sorted(
        20 * turn + 2 * at for turn in range(3) for at in range(4)
    )
    assert {run["metadata"]["labels"][HOW] for run in made} == {"dag"}
    assert "follow" in shown and "completed" in shown


async def test_several_dags_have_to_have_run_with_the_outcomes_that_are_wanted(operated: World) -> None:
    fails = {"check": {"compute": {"x": "1 / params.n"}}}
    async with operated.client() as client:
        await operated.create(client, DAGS, operated.dag("left", LOAD, **ROWS))
        await operated.create(client, DAGS, operated.dag("right", fails, params={"n": {"type": "integer"}}))
        await operated.create(client, DAGS, operated.dag("both", SHOW, **GIVEN))
        dags = [{"name": "left", "when": "source.results.rows > 4"}, {"name": "right", "outcomes": ["Failed"]}]
        params = {"rows": "$[[ sources['left'].results.rows + sources['right'].params.n ]]"}
        await operated.create(client, TRIGGERS, trigger("both", "both", completed={"dags": dags}, params=params))
        for dag, n in (("left", 1), ("right", 1), ("left", 5)):
            await operated.result(client, dag, n=n)
        assert await runs(operated, client, "both") == []
        await operated.result(client, "right", n=0)
        [run] = await count(operated, client, "both", 1)
        assert run["spec"]["params"] == {"rows": 10}
        await operated.finished(client, run["metadata"]["name"])
        assert len(await runs(operated, client, "both")) == 1


async def test_what_tasks_produce_makes_runs_by_partition_while_their_own_runs_go_on(operated: World) -> None:
    day = {"name": "orders", "partition": "$[[ outputs.day ]]", "metadata": {"rows": "$[[ outputs.rows * params.n ]]"}}
    bad = {"name": "broken", "metadata": {"x": "$[[ outputs.rows / (outputs.rows - outputs.rows) ]]"}}
    orders = {
        "split": {
            "forEach": {"items": ["mon", "tue"]},
            "compute": {"day": "item", "rows": "index + 1"},
            "produces": [day, bad],
        },
        "hold": {"dependsOn": ["split"], "wait": {"duration": "1h"}},
    }
    rates = {"get": {"compute": {"day": "'tue'"}}}
    whole = [{"name": "rates", "partition": "$[[ tasks.get.outputs.day ]]"}]
    given = {"params": {"day": {"type": "string"}, "rows": {"type": "integer"}}}
    show = {"show": {"compute": {"day": "params.day", "rows": "params.rows"}}}
    async with operated.client() as client:
        await operated.create(client, DAGS, operated.dag("orders", orders, params={"n": {"type": "integer"}}))
        await operated.create(client, DAGS, operated.dag("rates", rates, produces=whole))
        await operated.create(client, DAGS, operated.dag("daily", show, **given))
        params = {"day": "$[[ asset.partition ]]", "rows": "$[[ assets['orders'].metadata.rows ]]"}
        wait = {"allOf": [{"name": "orders"}, {"anyOf": ["rates", "guess"]}]}
        await operated.create(client, TRIGGERS, trigger("daily", "daily", assets=wait, params=params))
        maker = await operated.start(client, "orders", n=10)
        await operated.until(client, maker, lambda status: len(status.get("produced") or ()) == 2)
        ended = await operated.start(client, "rates")
        await operated.finished(client, ended)
        [run] = await count(operated, client, "daily", 1)
        status = await operated.finished(client, run["metadata"]["name"])
        said = (await client.get(RUNS, operated.namespace, maker))["status"]
        shown = await asyncio.to_thread(printed, operated, "get", "assets")
        found = (await told(operated, client, "daily"))["assets"]
        await client.patch(RUNS, operated.namespace, maker, {"spec": {"desiredState": "Cancelled"}})
    assert status["outputs"] == {"show": {"day": "tue", "rows": 20}}
    assert run["metadata"]["annotations"][CAUSE] == (
        f"asset rates tue of DAGRun {ended}, asset orders tue of DAGRun {maker}, task split[1]"
    )
    assert said["phase"] == "Running"
    assert {(item["task"], item["reason"]) for item in said["failures"]} == {
        ("split[0]", "AssetError"),
        ("split[1]", "AssetError"),
    }
    assert "produces[1]: `outputs.rows / (outputs.rows - outputs.rows)`" in said["failures"][0]["message"]
    assert [(fact["source"], fact["partition"]) for fact in found["pending"]] == [("orders", "mon")]
    lines = sorted(line.split()[:2] for line in shown.splitlines()[1:])
    assert lines == [["orders", "mon"], ["orders", "tue"], ["rates", "tue"]]


async def test_a_dag_of_another_shards_namespace_is_followed_once_it_allows_that(worlds: list[World]) -> None:
    first, second = worlds
    flags = ["--shards=2", f"--namespace={second.namespace}", f"--lease-namespace={first.namespace}"]
    replicas = [first.start_operator(*flags, f"--identity=replica-{at}") for at in range(2)]
    try:
        async with first.client() as client:
            await second.create(client, DAGS, second.dag("load", LOAD, history={"succeeded": {"limit": 0}}, **ROWS))
            await first.create(client, DAGS, first.dag("report", SHOW, **GIVEN))
            followed = {"dags": [{"name": "load", "namespace": second.namespace}]}
            params = {"rows": "$[[ source.results.rows ]]"}
            await first.create(client, TRIGGERS, trigger("across", "report", completed=followed, params=params))

            async def waiting() -> bool:
                return (await told(first, client, "across")).get("phase") == "Waiting"

            await eventually(waiting)
            words = (await told(first, client, "across"))["message"]
            assert words.startswith(
                f"spec.completed.dags[0]: namespace {second.namespace} has no DAG 'load' that allows"
            )
            await client.patch(DAGS, second.namespace, "load", {"spec": {"allowTriggersFrom": [first.namespace]}})

            async def active() -> bool:
                return (await told(first, client, "across")).get("phase") == "Active"

            await eventually(active)
            names = [await second.start(client, "load", n=n) for n in range(5)]
            made = await count(first, client, "across", 5)
            causes = [run["metadata"]["annotations"][CAUSE] for run in made]
            assert causes == sorted(f"DAGRun {second.namespace}/{name} Succeeded" for name in names)
            assert sorted(run["spec"]["params"]["rows"] for run in made) == [0, 2, 4, 6, 8]
    finally:
        for process in replicas:
            process.kill()
            process.wait()
