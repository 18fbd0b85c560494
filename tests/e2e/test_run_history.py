"""spec.history: how many runs are kept, and how long."""

import subprocess

from tradewind.kube.resources import DAGS, PODS, RUNS
from worlds.world import World, eventually


async def names(world: World, client: object) -> set[str]:
    return {item["metadata"]["name"] for item in (await client.list(RUNS, world.namespace))["items"]}  # type: ignore[attr-defined]


async def test_the_oldest_go_with_their_pods_and_those_of_other_outcomes_stay(operated: World) -> None:
    tasks = {"a": {"command": ["sh", "-c", "exit $CODE"], "env": {"CODE": "$[[ params.code ]]"}}}
    dag = operated.dag(
        "kept",
        tasks,
        params={"code": {"type": "integer"}},
        history={"succeeded": {"limit": 1}, "failed": {"ttl": "1h"}},
    )
    async with operated.client() as client:
        failed = await operated.start(client, dag, code=1)
        first = await operated.start(client, "kept", code=0)
        assert (await operated.finished(client, failed))["phase"] == "Failed"
        await operated.finished(client, first)
        second = await operated.start(client, "kept", code=0)
        await operated.finished(client, second)

        async def gone() -> bool:
            pods = (await client.list(PODS, operated.namespace))["items"]
            left = {pod["metadata"]["labels"].get("tradewind.dev/run") for pod in pods}
            return await names(operated, client) == {failed, second} and first not in left

        await eventually(gone)
        # An edit applies to existing runs.
        await client.patch(DAGS, operated.namespace, "kept", {"spec": {"history": {"failed": {"ttl": "0s"}}}})

        async def only_one() -> bool:
            return await names(operated, client) == {second}

        await eventually(only_one)


async def test_runs_that_ended_while_no_operator_was_there_go_too(world: World) -> None:
    dag = world.dag("late", {"a": {"command": ["true"]}}, history={"succeeded": {"limit": 0}})
    async with world.client() as client:
        with world.operator(identity="one") as operator:
            name = await world.start(client, dag)
            await world.finished(client, name)
            operator.kill()
            operator.wait()
        assert name in await names(world, client)
        with world.operator(identity="two"):

            async def gone() -> bool:
                return name not in await names(world, client)

            await eventually(gone)


def test_a_limit_that_is_none_is_refused_with_its_field(world: World) -> None:
    import yaml

    body = world.dag("bad", {"a": {"command": ["true"]}}, history={"failed": {"limit": -1}})
    done = subprocess.run(
        ["kubectl", "--kubeconfig", str(world.kubeconfig), "-n", world.namespace, "apply", "-f", "-"],
        input=yaml.safe_dump(body), capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode and "spec.history.failed.limit" in done.stderr, done.stderr
