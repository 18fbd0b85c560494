"""Large runs in a local cluster: they end, and waiting tasks cost nothing."""

import asyncio
from pathlib import Path

from nightly import sized
from tradewind import API_VERSION
from tradewind.kube.resources import DAGS, POOLS, RUNS
from tradewind.local.session import session
from worlds.world import World

ITEMS = sized(300, 1_000)


async def test_many_items_run_and_are_collected(tmp_path: Path) -> None:
    script = 'echo "{\\"i\\": $I}" > "$TRADEWIND_OUTPUTS"'
    tasks = {
        "x": {
            "forEach": {"range": {"stop": ITEMS}, "parallelism": 40},
            "env": {"I": "$[[ index ]]"},
            "outputs": {"i": {"type": "integer"}},
            "script": {"shell": script},
        },
        "check": {
            "dependsOn": ["x"],
            "when": f"tasks.x.outputs.size() == {ITEMS} && tasks.x.outputs[{ITEMS - 1}].i == {ITEMS - 1}",
            "command": ["true"],
        },
    }
    async with session(lambda: None, cwd=str(tmp_path)) as here:
        world = World("embedded", tmp_path, "default", str(tmp_path))
        name = await world.start(here.client, world.dag("wide", tasks))
        status = await world.finished(here.client, name)
        assert (status["phase"], status["progress"], status["skipped"]) == (
            "Succeeded",
            f"{ITEMS + 1}/{ITEMS + 1}",
            0,
        ), status["message"]


async def test_thousands_that_wait_for_a_pool_are_not_looked_at_again_and_again(tmp_path: Path) -> None:
    tasks = {
        "x": {"forEach": {"range": {"stop": 2_000}}, "pools": [{"name": "shut"}], "command": ["true"]},
        "y": {"forEach": {"range": {"stop": 2_000}}, "pools": [{"name": "absent"}], "command": ["true"]},
    }
    shut = {"apiVersion": API_VERSION, "kind": "Pool", "metadata": {"name": "shut"}, "spec": {"slots": 0}}
    async with session(lambda: None, cwd=str(tmp_path)) as here:
        world = World("embedded", tmp_path, "default", str(tmp_path))
        await world.create(here.client, POOLS, shut)
        passes: list[str] = []
        reconcile = here.operator.engine.runs._reconcile

        async def counted(state, woken_at):  # type: ignore[no-untyped-def]
            passes.append(state.run.name)
            await reconcile(state, woken_at)

        here.operator.engine.runs._reconcile = counted  # type: ignore[method-assign]
        name = await world.start(here.client, world.dag("many", tasks))
        await world.until(here.client, name, lambda status: len(status.get("waiting") or []) == 2)
        # Another run is active meanwhile.
        chain = {f"t{at}": {"dependsOn": [f"t{at - 1}"] if at else [], "command": ["true"]} for at in range(10)}
        other = await world.start(here.client, world.dag("chain", chain))
        assert (await world.finished(here.client, other))["phase"] == "Succeeded"
        assert passes.count(name) < 15, passes
        # Ended attempts that wait to be written are not visited again and again either.
        assert passes.count(other) < 80, passes.count(other)


async def test_of_a_long_line_of_runs_only_the_next_look_again_and_all_have_their_turn(tmp_path: Path) -> None:
    count = 150
    async with session(lambda: None, cwd=str(tmp_path)) as here:
        world = World("embedded", tmp_path, "default", str(tmp_path))
        looks: list[str] = []
        binder = here.operator.engine.runs._binder
        bind = binder.bind

        async def counted(state):  # type: ignore[no-untyped-def]
            looks.append(state.run.name)
            return await bind(state)

        binder.bind = counted  # type: ignore[method-assign]
        limits = {"maxActiveRuns": 2, "history": {"succeeded": {"limit": count}}}
        await world.create(here.client, DAGS, world.dag("line", {"a": {"command": ["true"]}}, **limits))
        names = await asyncio.gather(*(world.start(here.client, "line") for _ in range(count)))
        for name in names:
            assert (await world.finished(here.client, name))["phase"] == "Succeeded"
        assert len(looks) < 20 * count, "each run looks when it is new and when it is near its turn"
        assert len((await here.client.list(RUNS, "default"))["items"]) == count
