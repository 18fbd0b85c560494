"""Handlers: they run while the run continues, and each end is handled once, whatever happens to the operator."""

from tradewind.kube.resources import RUNS
from worlds.world import World

TASKS = {
    "bad": {"command": ["false"], "retries": {"limit": 1}},
    "slow": {"wait": {"duration": "1h"}},
    "tell": {
        "handles": {"of": ["*"], "ends": ["Failed", "Retry"]},
        "script": {"shell": 'echo "{\\"told\\": \\"$SAID\\"}" > $TRADEWIND_OUTPUTS'},
        "env": {"SAID": "$[[ item.task + ' ' + item.state ]]"},
    },
}


async def test_failures_are_handled_while_others_run_and_not_again_after_a_restart(world: World) -> None:
    async with world.client() as client:
        with world.operator(identity="one") as operator:
            run = await world.start(client, world.dag("handled", TASKS))
            told = {"tell[1]": {"told": "bad Retry"}, "tell[2]": {"told": "bad Failed"}}
            await world.until(client, run, lambda status: told.items() <= (status.get("outputs") or {}).items())
            operator.kill()
            operator.wait()
        with world.operator(identity="two"):
            await client.patch(RUNS, world.namespace, run, {"spec": {"desiredState": "Cancelled"}})
            status = await world.finished(client, run)
            assert status["phase"] == "Cancelled" and status["outputs"] == told
            pods = [pod["metadata"]["name"] for pod in await world.pods(client, run)]
            assert len(pods) == len(set(pods)) == 4
