"""Every spec of a DAG is a numbered revision: recorded once, named by runs, compared, restored, and deleted when nobody
needs it."""

import asyncio
import contextlib
import json
import os
import random
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from tradewind.control.dags.revisions import Revisions
from tradewind.kube.client import Client
from tradewind.kube.errors import ApiError
from tradewind.kube.labels import DAG
from tradewind.kube.resources import DAGS, REVISIONS, RUNS
from worlds.commands import program
from worlds.world import Body, World, eventually

WALK = Path(__file__).parents[2] / "docs" / "revisions.md"


def echo(world: World, name: str, word: str, **spec: Any) -> Body:
    return world.dag(name, {"say": {"script": {"shell": f"echo {word}"}}}, **spec)


async def edit(world: World, client: Client, name: str, word: str) -> None:
    """Writes another spec, as fast as the server accepts it."""
    await client.patch(DAGS, world.namespace, name, {"spec": {"tasks": {"say": {"script": {"shell": f"echo {word}"}}}}})


async def revisions(world: World, client: Client, name: str) -> dict[int, str]:
    """Words by number; no number may occur twice, and no spec either."""
    found = (await client.list(REVISIONS, world.namespace, labelSelector=f"{DAG}={name}"))["items"]
    words = {item["revision"]: item["data"]["spec"]["tasks"]["say"]["script"]["shell"].split()[-1] for item in found}
    assert len(words) == len(set(words.values())) == len(found), [
        (item["revision"], item["metadata"]["name"]) for item in found
    ]
    return words


async def current(world: World, client: Client, name: str, number: int, generation: int = 0) -> None:
    """Waits until the DAG's status says that this revision is the current one."""

    async def is_there() -> bool:
        body = await client.get(DAGS, world.namespace, name)
        status = body.get("status") or {}
        seen = status.get("observedGeneration") == body["metadata"]["generation"]
        return bool(seen and status.get("revision") == number)

    await eventually(is_there)


async def left(world: World, client: Client, name: str, words: set[str]) -> None:
    """Waits until these revisions are left."""

    async def is_so() -> bool:
        return set((await revisions(world, client, name)).values()) == words

    await eventually(is_so)


def command(world: World, *arguments: str, stdin: str = "") -> str:
    start = ["kubectl"] if arguments[0] == "kubectl" else [*program(), arguments[0]]
    rest = [*arguments[1:], "-n", world.namespace, "--kubeconfig", str(world.kubeconfig)]
    env = {**os.environ, "COLUMNS": "200"}
    done = subprocess.run([*start, *rest], input=stdin, capture_output=True, text=True, timeout=200, env=env)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


async def test_each_edit_is_the_next_revision_and_runs_name_theirs(world: World) -> None:
    async with world.client() as client:
        with world.operator():
            first = await world.finished(client, await world.start(client, echo(world, "three", "one")))
            for number, word in ((2, "two"), (3, "three")):
                await edit(world, client, "three", word)
                await current(world, client, "three", number)
            assert await revisions(world, client, "three") == {1: "one", 2: "two", 3: "three"}
            run = await world.start(client, "three")
            last = await world.finished(client, run)
        assert (first["revisionNumber"], last["revisionNumber"]) == (1, 3) and first["revision"] != last["revision"]
        listed = json.loads(command(world, "revisions", "three", "-o", "json"))
        assert [(item["revision"], item["runs"], item["current"]) for item in listed] == [
            (1, 1, False),
            (2, 0, False),
            (3, 1, True),
        ]
        assert listed[2]["name"] == last["revision"]
        assert f"3 ({last['revision']})" in command(world, "describe", "run", run)
        table = command(world, "kubectl", "get", "dag", "three").splitlines()
        assert table[0].split()[2] == "REVISION" and table[1].split()[2] == "3"
        assert "REVISION" in command(world, "kubectl", "get", "dr", run, "-o", "wide")


async def test_a_rollback_makes_an_earlier_revision_current_and_what_is_applied_next_is_as_applied(
    world: World,
) -> None:
    two = echo(world, "back", "two")
    one = {
        **two,
        "spec": {
            **two["spec"],
            "tasks": {**echo(world, "back", "one")["spec"]["tasks"], "more": {"command": ["true"]}},
        },
    }
    async with world.client() as client:
        with world.operator():
            command(world, "kubectl", "apply", "-f", "-", stdin=yaml.safe_dump(one))
            await current(world, client, "back", 1)
            first = await world.finished(client, await world.start(client, "back"))
            command(world, "kubectl", "apply", "-f", "-", stdin=yaml.safe_dump(two))
            await current(world, client, "back", 2)
            assert "rolled back to revision 1" in command(world, "rollback", "back")
            await current(world, client, "back", 1)
            again = await world.finished(client, await world.start(client, "back"))
            assert again["revision"] == first["revision"] and again["total"] == 2
            assert await revisions(world, client, "back") == {1: "one", 2: "two"}
            # The apply removes what the rollback restored, and a later edit does not count as a rollback.
            command(world, "kubectl", "apply", "-f", "-", stdin=yaml.safe_dump(two))
            await current(world, client, "back", 2)
            await edit(world, client, "back", "three")
            await current(world, client, "back", 3)
        causes = [item["changeCause"] for item in json.loads(command(world, "revisions", "back", "-o", "json"))]
        assert causes == ["", "", ""]


async def test_what_tradewind_apply_put_there_is_its_own_after_a_rollback(world: World) -> None:
    if world.name == "embedded":
        pytest.skip("the embedded server keeps no owners of fields")
    two = echo(world, "owned", "two")
    one = {**two, "spec": {**two["spec"], "tasks": {**two["spec"]["tasks"], "more": {"command": ["true"]}}}}
    async with world.client() as client:
        with world.operator():
            for number, body in ((1, one), (2, two)):
                command(world, "apply", "-f", "-", stdin=yaml.safe_dump(body))

                async def recorded(number: int = number) -> bool:
                    status = (await client.get(DAGS, world.namespace, "owned")).get("status") or {}
                    return bool(status.get("revision") == number)

                await eventually(recorded)
            command(world, "rollback", "owned")
            assert set((await client.get(DAGS, world.namespace, "owned"))["spec"]["tasks"]) == {"say", "more"}
            command(world, "apply", "-f", "-", stdin=yaml.safe_dump(two))
            assert set((await client.get(DAGS, world.namespace, "owned"))["spec"]["tasks"]) == {"say"}


@pytest.mark.timeout(300)
async def test_those_that_nobody_needs_go_and_of_a_deleted_dag_all_go_with_its_runs(world: World) -> None:
    async with world.client() as client:
        with world.operator():
            runs = [await world.start(client, echo(world, "kept", "one", revisionHistoryLimit=1))]
            gone = await world.start(client, echo(world, "gone", "used"))
            for run in (*runs, gone):
                await world.finished(client, run)
            await edit(world, client, "gone", "unused")
            for number, word in enumerate(("two", "three", "four", "five"), 2):
                await edit(world, client, "kept", word)
                await current(world, client, "kept", number)
            await current(world, client, "gone", 2)
            await client.delete(DAGS, world.namespace, "gone")
            await left(world, client, "kept", {"one", "four", "five"})
            await left(world, client, "gone", {"used"})
            # An ended run needs each of them: they are deleted with it.
            await client.delete(RUNS, world.namespace, runs[0])
            await client.delete(RUNS, world.namespace, gone)
            await left(world, client, "kept", {"four", "five"})
            await left(world, client, "gone", set())


async def test_a_run_of_a_deleted_dag_goes_on_with_its_revision(world: World) -> None:
    slow = {"say": {"script": {"shell": "sleep 2; echo slow"}}, "then": {"dependsOn": ["say"], "command": ["true"]}}
    async with world.client() as client:
        with world.operator() as operator:
            run = await world.start(client, world.dag("orphan", slow))
            await world.until(client, run, lambda status: status.get("phase") == "Running")
            await client.delete(DAGS, world.namespace, "orphan")
            operator.kill()
            operator.wait()
        with world.operator():
            assert (await world.finished(client, run))["phase"] == "Succeeded"
            assert len(await revisions(world, client, "orphan")) == 1


async def test_an_edit_while_no_operator_was_there_is_recorded_by_the_next(world: World) -> None:
    async with world.client() as client:
        with world.operator():
            await world.create(client, DAGS, echo(world, "down", "one"))
            await current(world, client, "down", 1)
        await edit(world, client, "down", "unseen")
        await edit(world, client, "down", "two")
        run = await world.start(client, "down")
        with world.operator():
            assert (await world.finished(client, run))["revisionNumber"] == 2
            await current(world, client, "down", 2)
            assert await revisions(world, client, "down") == {1: "one", 2: "two"}


async def test_killed_operators_record_nothing_twice(world: World) -> None:
    rng = random.Random(6)
    operator = world.start_operator()
    kills = 0
    try:
        async with world.client() as client:
            await world.create(client, DAGS, echo(world, "killed", "w0"))
            for at in range(1, 25):
                await edit(world, client, "killed", f"w{at % 9}")
                await asyncio.sleep(rng.uniform(0.05, 0.4))  # an unpredictable moment
                if at % 6 == 0:
                    operator.kill()
                    operator.wait()
                    kills += 1
                    operator = world.start_operator()
            await edit(world, client, "killed", "last")
            found = await settled(world, client, "killed", "last")
    finally:
        operator.kill()
        operator.wait()
    assert kills == 4 and sorted(found) == list(range(1, len(found) + 1))


async def test_two_operators_at_once_give_out_no_number_twice(world: World) -> None:
    # Two leases: neither knows of the other.
    with world.operator(identity="one"), world.operator(identity="two"):
        async with world.client() as client:
            await world.create(client, DAGS, echo(world, "twice", "w0"))
            await current(world, client, "twice", 1)
            for at in range(1, 20):
                await edit(world, client, "twice", f"w{at}")
                await asyncio.sleep(0.02 * (at % 5))
            await edit(world, client, "twice", "last")
            found = await settled(world, client, "twice", "last")
            assert len(found) >= 3, "the edits were too quick to be seen"


async def test_numbers_given_out_twice_at_the_same_moment_are_mended_and_the_content_stays(world: World) -> None:
    async with world.client() as client:
        specs = [echo(world, "race", f"'<&>' {at}")["spec"] for at in range(6)]
        made = await asyncio.gather(*(Revisions(client).record(world.namespace, "race", spec) for spec in specs))
        assert sorted(item.number for item in made) == sorted({item.number for item in made})
        found = await revisions(world, client, "race")
        assert found == {item.number: str(at) for at, item in enumerate(made)}


async def settled(world: World, client: Client, name: str, word: str) -> dict[int, str]:
    """The revisions, once the last edit is recorded, the DAG's status says so, and no operator is about to change a
    number that another one gave out at the same moment."""

    async def so() -> dict[int, str] | None:
        with contextlib.suppress(ApiError, AssertionError):
            body = await client.get(DAGS, world.namespace, name)
            status = body.get("status") or {}
            if status.get("observedGeneration") == body["metadata"]["generation"]:
                found = await revisions(world, client, name)
                return found if found.get(status.get("revision") or 0) == word else None
        return None

    return dict(await eventually(so))


async def test_the_walk_of_the_documentation(world: World, tmp_path: Path) -> None:
    text = WALK.read_text()
    (tmp_path / "etl.yaml").write_text(re.findall(r"```yaml\n(.*?)```", text, re.DOTALL)[0])
    steps = re.findall(r"```sh\n(.*?)```", text, re.DOTALL)
    assert len(steps) == 4
    run = _shell(world, tmp_path)
    with world.operator():
        told = [await asyncio.to_thread(run, step) for step in steps]
    assert "-      shell: echo loading 10 rows" in told[1] or "loading 20 rows" in told[1]
    assert "twice as many rows" in told[2] and "+++ dag/etl revision 2 (current)" in told[2]
    assert "dag/etl rolled back to revision 1" in told[3]
    async with world.client() as client:
        spec = (await client.get(DAGS, world.namespace, "etl"))["spec"]
        assert spec["tasks"]["load"]["script"]["shell"] == "echo loading 10 rows"


def _shell(world: World, folder: Path) -> Callable[[str], str]:
    """Runs a block as a reader would: in a folder, with a kubeconfig whose namespace is theirs."""
    config = yaml.safe_load(world.kubeconfig.read_text())
    for item in config["contexts"]:
        item["context"]["namespace"] = world.namespace
    (folder / "kubeconfig").write_text(yaml.safe_dump(config))
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    env = {**os.environ, "KUBECONFIG": str(folder / "kubeconfig"), "PATH": path, "COLUMNS": "200"}

    def run(step: str) -> str:
        done = subprocess.run(["bash", "-ec", step], cwd=folder, env=env, capture_output=True, text=True, timeout=200)
        assert done.returncode == 0, f"{step}\n{done.stdout}{done.stderr}"
        return done.stdout

    return run
