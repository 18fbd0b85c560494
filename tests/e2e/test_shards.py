"""Two replicas share two namespaces; one is killed, and the other continues its work."""

from collections import Counter
from dataclasses import replace

from tradewind import API_VERSION
from tradewind.kube.resources import DAGS, LEASES, PODS, RUNS, TASK_TEMPLATES
from worlds.world import World, eventually


async def test_a_killed_replicas_shard_is_taken_over_and_nothing_runs_twice(worlds: list[World]) -> None:
    tasks = {f"t{at}": {"dependsOn": [f"t{at - 1}"] if at else [], "command": ["true"]} for at in range(8)}
    first, second = worlds
    flags = ["--shards=2", f"--namespace={second.namespace}", f"--lease-namespace={first.namespace}"]
    replicas = [first.start_operator(*flags, f"--identity=replica-{at}") for at in range(2)]
    try:
        async with first.client() as client:

            async def shared() -> bool:
                leases = (await client.list(LEASES, first.namespace))["items"]
                holders = [
                    lease["spec"].get("holderIdentity") for lease in leases if "-shard-" in lease["metadata"]["name"]
                ]
                return sorted(holders) == ["replica-0", "replica-1"]

            await eventually(shared)
            for world in worlds:
                dag = replace(world, settings={}).dag("chain", tasks)
                await world.create(client, DAGS, dag)
                await world.start(client, "chain", "run")
            for world in worlds:
                await world.until(client, "run", lambda status: status.get("done", 0) >= 1)
            replicas[0].kill()
            for world in worlds:
                status = await world.finished(client, "run")
                assert status["phase"] == "Succeeded", status
                pods = (await client.list(PODS, world.namespace))["items"]
                ran = Counter(pod["metadata"]["labels"]["tradewind.dev/task"] for pod in pods)
                assert ran == dict.fromkeys(tasks, 1)
                assert len((await client.list(RUNS, world.namespace))["items"]) == 1
    finally:
        for process in replicas:
            process.kill()
            process.wait()


async def test_each_shard_follows_the_templates_of_its_namespaces(worlds: list[World]) -> None:
    first, second = worlds
    flags = ["--shards=2", f"--namespace={second.namespace}", f"--lease-namespace={first.namespace}"]
    replicas = [first.start_operator(*flags, f"--identity=replica-{at}") for at in range(2)]
    try:
        async with first.client() as client:
            for world in worlds:
                dag = replace(world, settings={}).dag("waiting", {"a": {"template": {"name": "late"}}})
                await world.create(client, DAGS, dag)
                await world.start(client, "waiting", "run")
            for world in worlds:
                await world.until(client, "run", lambda status: "TaskTemplate late" in status.get("message", ""))
            body = {"apiVersion": API_VERSION, "kind": "TaskTemplate", "metadata": {"name": "late"}}
            for world, code in ((second, 0), (first, 3)):
                task = {"command": ["sh", "-c", f"exit {code}"]}
                await world.create(client, TASK_TEMPLATES, {**body, "spec": {"task": task}})
            assert (await second.finished(client, "run"))["phase"] == "Succeeded"
            assert (await first.finished(client, "run"))["phase"] == "Failed"
    finally:
        for replica in replicas:
            replica.kill()
            replica.wait()
