"""DAGs as tasks of others: results, failures, retries, cancellation, killed operators, depth. Tasks that loop."""

from typing import Any

import pytest
from tradewind.kube.client import Client
from tradewind.kube.labels import RUN_UID
from tradewind.kube.resources import DAGS, RUNS
from worlds.world import Body, World, eventually, tradewind

LONG = {"wait": {"duration": "1h"}}


def call(dag: str, **params: Any) -> Body:
    return {"dag": {"name": dag, **({"params": params} if params else {})}}


async def parts(world: World, client: Client, run: str) -> list[Body]:
    """The runs that are attempts of a run's tasks, by name."""
    uid = (await client.get(RUNS, world.namespace, run))["metadata"]["uid"]
    found = (await client.list(RUNS, world.namespace, labelSelector=f"{RUN_UID}={uid}"))["items"]
    return sorted(found, key=lambda item: str(item["metadata"]["name"]))


async def part(world: World, client: Client, run: str, phase: str = "Running") -> str:
    """The run that a run waits for, once it is in a phase."""

    async def there() -> Any:
        found = await parts(world, client, run)
        return [item for item in found if (item.get("status") or {}).get("phase") == phase]

    return str((await eventually(there))[0]["metadata"]["name"])


async def test_an_operator_that_is_killed_takes_up_the_run_it_waited_for_and_cancels_what_nobody_wants(
    world: World,
) -> None:
    operator = world.start_operator()
    try:
        async with world.client() as client:
            child = world.dag(
                "survivor",
                {"hold": {"wait": {"duration": "1h"}}, "n": {"compute": {"n": "3"}}},
                outputs={"n": "tasks.n.outputs.n"},
            )
            await world.create(client, DAGS, child)
            run = await world.start(client, world.dag("killed", {"sub": call("survivor")}))
            doomed = await world.start(client, "killed")
            name, other = await part(world, client, run), await part(world, client, doomed)
            operator.kill()
            operator.wait()
            await client.patch(RUNS, world.namespace, doomed, {"spec": {"desiredState": "Cancelled"}})
            operator = world.start_operator()
            assert (await world.finished(client, doomed))["phase"] == "Cancelled"
            assert (await world.finished(client, other))["phase"] == "Cancelled"
            edit = {"action": "Succeed", "tasks": ["hold"]}
            await client.patch(RUNS, world.namespace, name, {"spec": {"edits": [edit]}})
            status = await world.finished(client, run)
            assert status["phase"] == "Succeeded" and status["outputs"]["sub"] == {"n": 3}
            assert [item["metadata"]["name"] for item in await parts(world, client, run)] == [name]
    finally:
        operator.kill()
        operator.wait()


async def test_a_loop_goes_on_after_its_operator_was_killed_where_it_was(world: World) -> None:
    operator = world.start_operator()
    try:
        async with world.client() as client:
            loop = {"until": "iteration == 12", "maxIterations": 12}
            tasks = {"step": {"loop": loop, "compute": {"n": "iteration + (has(previous.n) ? previous.n : 0)"}}}
            tasks["pause"] = {"loop": {"until": "iteration == 4"}, "wait": {"duration": "1s"}}
            run = await world.start(client, world.dag("steps", tasks))
            await world.until(client, run, lambda status: "pause" in status.get("attempts", ""))
            operator.kill()
            operator.wait()
            operator = world.start_operator()
            status = await world.finished(client, run)
            assert status["phase"] == "Succeeded" and status["outputs"] == {"step": {"n": sum(range(1, 13))}}
            lines = [line.split()[0] for line in status["attempts"].splitlines()]
            assert lines.count("step") == 12 and lines.count("pause") == 4
    finally:
        operator.kill()
        operator.wait()


async def test_a_run_hands_back_results_and_params_keep_their_types(operated: World) -> None:
    async with operated.client() as client:
        child = operated.dag(
            "adds",
            {"sum": {"compute": {"n": "params.l.map(x, x * params.k)"}}},
            params={"l": {"type": "list"}, "k": {"type": "integer"}, "t": {"type": "secret"}},
            outputs={"n": "tasks.sum.outputs.n", "who": "run.name"},
        )
        await operated.create(client, DAGS, child)
        secret = {"name": "s", "key": "k"}
        tasks = {
            "sub": {
                "forEach": {"items": [1, 2]},
                **call("adds", l=["$[[ item ]]", 5], k="$[[ params.k ]]", t="$[[ params.t ]]"),
                "outputs": {"n": {"type": "list"}},
            },
            "last": {"dependsOn": ["sub"], "compute": {"all": "tasks.sub.outputs.map(o, o.n)"}},
        }
        params = {"k": {"type": "integer", "default": 2}, "t": {"type": "secret", "default": secret}}
        run = await operated.start(
            client, operated.dag("calls", tasks, params=params, outputs={"all": "tasks.last.outputs.all"})
        )
        status = await operated.finished(client, run)
        assert status["phase"] == "Succeeded", status
        assert status["results"] == {"all": [[2, 10], [4, 10]]}
        assert status["outputs"]["sub[1]"] == {"n": [4, 10], "who": f"{run}-sub-1-1"}
        made = await parts(operated, client, run)
        assert [item["spec"]["params"]["t"] for item in made] == [secret, secret]
        said = tradewind(operated, "describe", "run", run)
        assert f"Sub-DAG:     sub[0]: {run}-sub-0-1 (Succeeded)" in said.stdout, said
        assert 'Results:     {"all": [[2, 10], [4, 10]]}' in said.stdout
        assert (
            f"Part of:     {run}, as attempt 1 of sub[0]"
            in tradewind(operated, "describe", "run", f"{run}-sub-0-1").stdout
        )


async def test_a_called_dag_has_the_date_that_its_task_gives_it(operated: World) -> None:
    async with operated.client() as client:
        child = operated.dag(
            "dated", {"a": {"compute": {"at": "run.intervalStart"}}}, outputs={"at": "tasks.a.outputs.at"}
        )
        await operated.create(client, DAGS, child)
        dag = {"name": "dated", "logicalDate": "$[[ item ]]"}
        tasks = {"day": {"forEach": {"items": ["2026-01-30T06:00:00+01:00", "2026-01-31T06:00:00Z"]}, "dag": dag}}
        run = await operated.start(client, operated.dag("gives-dates", tasks))
        status = await operated.finished(client, run)
        assert status["outputs"] == {
            "day[0]": {"at": "2026-01-30T06:00:00+01:00"},
            "day[1]": {"at": "2026-01-31T06:00:00Z"},
        }
        dates = [item["spec"].get("logicalDate") for item in await parts(operated, client, run)]
        assert dates == ["2026-01-30T06:00:00+01:00", "2026-01-31T06:00:00Z"]
        tasks = {"day": {"dag": {"name": "dated", "logicalDate": "$[[ run.name ]]"}}}
        status = await operated.result(client, operated.dag("gives-no-date", tasks))
        (failure,) = status["failures"]
        assert failure["reason"] == "ExpressionError" and "dag.logicalDate: " in failure["message"]
        assert "is not a point in time" in failure["message"]


async def test_a_retry_runs_again_only_what_had_failed_within(operated: World) -> None:
    flaky = 'if test -e "$WORK/$FLAG"; then echo "{}" > "$TRADEWIND_OUTPUTS"; else touch "$WORK/$FLAG"; exit 7; fi'
    async with operated.client() as client:
        tasks = {
            "good": {"compute": {"run": "run.name"}},
            "bad": {"dependsOn": ["good"], "env": {"WORK": operated.work, "FLAG": "flaky"}, "script": {"shell": flaky}},
        }
        await operated.create(client, DAGS, operated.dag("flaky", tasks, outputs={"by": "tasks.good.outputs.run"}))
        run = await operated.start(client, operated.dag("retries", {"sub": {**call("flaky"), "retries": {"limit": 1}}}))
        status = await operated.finished(client, run)
        first, second = (item["metadata"]["name"] for item in await parts(operated, client, run))
        assert status["phase"] == "Succeeded" and status["outputs"]["sub"] == {"by": first}
        failure = status["failures"][0]
        words = f"run {first} of DAG flaky failed: failed: bad (Error, exit code 7)"
        assert (failure["reason"], failure["message"]) == ("SubDAGFailed", words)
        again = await client.get(RUNS, operated.namespace, second)
        assert again["spec"]["reuse"] == {"run": first}
        lines = [line.split()[:2] for line in again["status"]["attempts"].splitlines()]
        assert lines[0] == ["good", "~Succeeded"] and lines[1][0] == "bad" and len(lines) == 2


@pytest.mark.parametrize(("state", "tidied"), [("Cancelled", True), ("Terminated", False)])
async def test_cancelling_a_run_cancels_those_within_it(operated: World, state: str, tidied: bool) -> None:
    name = state.lower()
    async with operated.client() as client:
        inner = {
            "make": {"compute": {"a": "1"}},
            "hold": {"dependsOn": ["make"], **LONG},
            "remove": {"teardown": {"of": ["make"]}, "compute": {"a": "1"}},
        }
        await operated.create(client, DAGS, operated.dag(f"inner-{name}", inner))
        await operated.create(client, DAGS, operated.dag(f"middle-{name}", {"sub": call(f"inner-{name}")}))
        run = await operated.start(client, operated.dag(f"outer-{name}", {"sub": call(f"middle-{name}")}))
        middle = await part(operated, client, run)
        innermost = await part(operated, client, middle)
        await operated.until(client, innermost, lambda status: status.get("waiting"))
        await client.patch(RUNS, operated.namespace, run, {"spec": {"desiredState": state}})
        for cancelled in (run, middle, innermost):
            assert (await operated.finished(client, cancelled))["phase"] == "Cancelled"
        found = await client.get(RUNS, operated.namespace, innermost)
        assert found["spec"]["desiredState"] == state
        assert ("remove" in found["status"]["attempts"]) == tidied


async def test_a_cleared_task_lets_go_of_its_run_and_makes_another(operated: World) -> None:
    async with operated.client() as client:
        await operated.create(client, DAGS, operated.dag("let-go", {"hold": LONG}))
        run = await operated.start(client, operated.dag("clears", {"sub": call("let-go")}))
        first = await part(operated, client, run)
        await operated.until(client, run, lambda status: status.get("waiting"))
        edit = {"action": "Clear", "tasks": ["sub"]}
        await client.patch(RUNS, operated.namespace, run, {"spec": {"edits": [edit]}})
        assert (await operated.finished(client, first))["phase"] == "Cancelled"
        second = await part(operated, client, run)
        assert second == f"{run}-sub-2" and "reuse" not in (await client.get(RUNS, operated.namespace, second))["spec"]
        told = {"task": "sub", "reason": "SubDAG", "message": f"waits for run {second} of DAG let-go"}
        await operated.until(client, run, lambda status: status.get("waiting") == [told])
        await client.patch(RUNS, operated.namespace, run, {"spec": {"desiredState": "Cancelled"}})
        assert (await operated.finished(client, second))["phase"] == "Cancelled"


async def test_a_dag_that_runs_itself_comes_to_an_end(operated: World) -> None:
    async with operated.client() as client:
        dag = operated.dag("self", {"sub": {**call("self"), "retries": {"limit": 2, "backoff": {"initial": "100ms"}}}})
        run = await operated.start(client, dag)
        status = await operated.finished(client, run)
        assert status["phase"] == "Failed" and status["failures"][0]["reason"] == "SubDAGTooDeep"
        assert "at most 8 are allowed" in status["failures"][0]["message"]
        made = (await client.list(RUNS, operated.namespace, fieldSelector="spec.dag=self"))["items"]
        assert len(made) == 9


async def test_a_run_that_is_deleted_is_made_again_as_another_attempt(operated: World) -> None:
    async with operated.client() as client:
        await operated.create(client, DAGS, operated.dag("lost", {"hold": LONG}))
        run = await operated.start(client, operated.dag("loses", {"sub": call("lost")}))
        first = await part(operated, client, run)
        await operated.until(client, run, lambda status: status.get("waiting"))
        await client.delete(RUNS, operated.namespace, first)
        await operated.until(client, run, lambda status: "SubDAGDeleted" in status.get("attempts", ""))
        assert await part(operated, client, run) == f"{run}-sub-2"
        await client.patch(RUNS, operated.namespace, run, {"spec": {"desiredState": "Cancelled"}})


async def test_a_run_waits_for_its_turn_and_its_caller_says_so(operated: World) -> None:
    async with operated.client() as client:
        run = await operated.start(client, operated.dag("single", {"hold": LONG}, maxActiveRuns=1))
        await operated.until(client, run, lambda status: status.get("phase") == "Running")
        caller = await operated.start(client, operated.dag("patient", {"sub": call("single")}))
        words = (
            f"waits for run {caller}-sub-1 of DAG single, which is queued: 1 of at most 1 run of DAG single is active"
        )
        await operated.until(
            client, caller, lambda status: any(words in item["message"] for item in status.get("waiting") or [])
        )
        for name in (run, caller):
            await client.patch(RUNS, operated.namespace, name, {"spec": {"desiredState": "Cancelled"}})
        assert (await operated.finished(client, f"{caller}-sub-1"))["phase"] == "Cancelled"


async def test_a_result_that_cannot_be_computed_fails_the_run_and_says_which(operated: World) -> None:
    async with operated.client() as client:
        tasks = {"a": {"compute": {"n": "1"}}, "tell": {"onExit": ["Always"], "compute": {"how": "run.outcome"}}}
        status = await operated.result(
            client, operated.dag("empty", tasks, outputs={"n": "1 / (tasks.a.outputs.n - 1)"})
        )
        words = "spec.outputs.n: `1 / (tasks.a.outputs.n - 1)`: divide by zero; inputs: tasks.a.outputs: {n: integer}"
        assert (status["phase"], status["message"]) == ("Failed", words)
        assert status["outputs"]["tell"] == {"how": "Failed"} and "results" not in status


async def test_a_name_that_another_run_has_is_left_to_it(operated: World) -> None:
    async with operated.client() as client:
        await operated.create(client, DAGS, operated.dag("quick", {"a": {"compute": {"n": "1"}}}))
        await operated.start(client, "quick", name="taken-sub-1")
        await operated.create(client, DAGS, operated.dag("taker", {"sub": call("quick")}))
        run = await operated.start(client, "taker", name="taken")
        assert (await operated.finished(client, run))["phase"] == "Succeeded"
        names = [item["metadata"]["name"] for item in await parts(operated, client, run)]
        assert len(names) == 1 and names[0] != "taken-sub-1"


async def test_a_loop_runs_pods_until_its_condition_holds(operated: World) -> None:
    count = 'echo "{\\"n\\": $N}" > "$TRADEWIND_OUTPUTS"'
    tasks = {
        "poll": {
            "loop": {"until": "outputs.n == params.wanted", "delay": "100ms"},
            "env": {"N": "$[[ iteration * 10 + (has(previous.n) ? 1 : 0) ]]"},
            "script": {"shell": count},
        },
        "after": {"dependsOn": ["poll"], "compute": {"n": "tasks.poll.outputs.n"}},
    }
    async with operated.client() as client:
        dag = operated.dag("polls", tasks, params={"wanted": {"type": "integer", "default": 31}})
        run = await operated.start(client, dag)
        status = await operated.finished(client, run)
        assert status["phase"] == "Succeeded" and status["outputs"]["after"] == {"n": 31}, status
        lines = [line.split()[0] for line in status["attempts"].splitlines()]
        assert lines == ["poll", "poll", "poll", "after"]


async def test_a_loop_over_sub_dags_makes_a_run_an_iteration_and_says_when_it_was_not_enough(operated: World) -> None:
    async with operated.client() as client:
        await operated.create(client, DAGS, operated.dag("once", {"a": {"compute": {"n": "1"}}}, outputs={"n": "1"}))
        tasks = {"sub": {"loop": {"until": "outputs.n > 1", "maxIterations": 2}, **call("once")}}
        run = await operated.start(client, operated.dag("again-and-again", tasks))
        status = await operated.finished(client, run)
        words = "loop.until did not hold after 2 iterations"
        assert (status["phase"], status["message"]) == ("Failed", f"failed: sub ({words})")
        assert [(item["reason"], item["message"]) for item in status["failures"]] == [("LoopFailed", words)]
        assert len(await parts(operated, client, run)) == 2
