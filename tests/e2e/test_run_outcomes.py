"""Whole runs, in both worlds."""

import asyncio

from tradewind.kube.errors import NotFound
from tradewind.kube.resources import CONFIG_MAPS, DAGS, PODS, RUNS, SECRETS
from worlds.world import World, eventually


async def test_a_dag_runs_in_order_with_params_and_outputs(operated: World) -> None:
    dag = operated.dag(
        "etl",
        {
            "rows": {"script": {"shell": 'echo "{\\"rows\\": 5}" > "$TRADEWIND_OUTPUTS"'}},
            "double": {
                "dependsOn": ["rows"],
                "env": {"ROWS": "$[[ tasks.rows.outputs.rows ]]", "WHO": "$[[ params.who ]]"},
                "script": {
                    "python": "import json, os\n"
                    "out = {'rows': 2 * int(os.environ['ROWS']), 'who': os.environ['WHO']}\n"
                    "json.dump(out, open(os.environ['TRADEWIND_OUTPUTS'], 'w'))"
                },
            },
        },
        params={"who": {"default": "nobody"}},
    )
    async with operated.client() as client:
        name = await operated.start(client, dag, who="$(HOME) 'quoted' $x")
        status = await operated.finished(client, name)
        assert status["phase"] == "Succeeded", status
        assert status["outputs"] == {"rows": {"rows": 5}, "double": {"rows": 10, "who": "$(HOME) 'quoted' $x"}}
        assert (status["progress"], status["failed"]) == ("2/2", 0)
        assert {item["type"]: item["status"] for item in status["conditions"]} == {
            "Started": "True",
            "Progressing": "False",
            "Succeeded": "True",
            "Ready": "True",
        }
        reasons = await eventually(lambda: _reasons(operated, client, name, {"RunSucceeded"}))
        assert "TaskFailed" not in reasons

        async def last_run() -> bool:
            found = await client.get(DAGS, operated.namespace, "etl")
            return (found.get("status") or {}).get("lastRun") == {"name": name, "phase": "Succeeded"}

        await eventually(last_run)


async def _reasons(world: World, client, name: str, wanted: set[str]) -> set[str]:
    reasons = {reason for reason, _ in await world.events(client, name)}
    return reasons if wanted <= reasons else set()


async def test_a_failed_task_is_retried_and_what_depends_on_a_failure_does_not_run(operated: World) -> None:
    count = 'echo x >> "$WORK/tries-$RUN"; [ "$(wc -l < "$WORK/tries-$RUN")" -ge 3 ]'
    dag = operated.dag(
        "retry",
        {
            "flaky": {
                "env": {"WORK": operated.work, "RUN": "$[[ run.name ]]"},
                "retries": {"limit": 2, "backoff": {"initial": "100ms"}},
                "script": {"shell": count},
            },
            "bad": {"dependsOn": ["flaky"], "script": {"shell": "exit 3"}},
            "never": {"dependsOn": ["bad"], "command": ["true"]},
            "other": {"dependsOn": ["flaky"], "command": ["true"]},
        },
    )
    async with operated.client() as client:
        name = await operated.start(client, dag)
        status = await operated.finished(client, name)
        assert (
            status["phase"] == "Failed"
            and status["message"] == "failed: bad (Error, exit code 3); 1 task downstream did not run"
        )
        flaky = [line for line in status["attempts"].splitlines() if line.startswith("flaky ")]
        assert len(flaky) == 3 and flaky[0].endswith("=1 Error") and flaky[2].endswith("#3")
        assert {(item["task"], item["reason"]) for item in status["failures"]} == {("flaky", "Error"), ("bad", "Error")}
        events = await eventually(lambda: _failed(operated, client, name))
        assert any("bad, attempt 1: Error: the task ended with exit code 3" in message for message in events)


async def _failed(world: World, client, name: str) -> list[str]:
    found = [message for reason, message in await world.events(client, name) if reason == "TaskFailed"]
    return found if len(found) >= 3 else []


async def test_a_run_that_is_cancelled_stops_its_pods_and_starts_nothing_more(operated: World) -> None:
    dag = operated.dag(
        "cancel",
        {
            "long": {"script": {"shell": "trap 'exit 143' TERM; sleep 600 & wait"}},
            "after": {"dependsOn": ["long"], "command": ["true"]},
        },
    )
    async with operated.client() as client:
        name = await operated.start(client, dag)
        await eventually(lambda: _running(operated, client, name))
        await client.patch(RUNS, operated.namespace, name, {"spec": {"desiredState": "Cancelled"}})
        status = await operated.finished(client, name)
        assert status["phase"] == "Cancelled" and status["message"] == "cancelled after 0 of 2 tasks had succeeded"
        assert not [pod for pod in await operated.pods(client, name) if pod["status"].get("phase") == "Running"]


async def _running(world: World, client, name: str) -> bool:
    return any(pod["status"].get("phase") == "Running" for pod in await world.pods(client, name))


async def test_a_task_over_its_timeout_fails(operated: World) -> None:
    dag = operated.dag(
        "slow",
        {"slow": {"timeout": "1s", "script": {"shell": "exec sleep 600"}}},
        defaults={"podTemplate": {**operated.settings.get("podTemplate", {}), "metadata": {}}},
    )
    dag["spec"]["defaults"]["podTemplate"] = {
        "spec": {**operated.settings.get("podTemplate", {}).get("spec", {}), "terminationGracePeriodSeconds": 1}
    }
    async with operated.client() as client:
        status = await operated.result(client, dag)
        assert status["phase"] == "Failed" and status["failures"][0]["reason"] == "DeadlineExceeded"
        assert "raise `timeout`" in status["failures"][0]["message"]


async def test_secrets_and_config_maps_reach_the_task_and_nothing_else(operated: World) -> None:
    dag = operated.dag(
        "secretive",
        {
            "check": {
                "envFrom": {
                    "PW": {"secretKeyRef": {"name": "db", "key": "pw"}},
                    "MODE": {"configMapKeyRef": {"name": "conf", "key": "mode"}},
                    "NONE": {"secretKeyRef": {"name": "absent", "key": "x", "optional": True}},
                },
                "script": {
                    "shell": '[ "$PW" = "canary$(printf -- -7f3a)" ] && [ "$MODE" = fast ] && [ -z "${NONE+x}" ]'
                },
            }
        },
    )
    async with operated.client() as client:
        await operated.create(
            client,
            SECRETS,
            {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "db"}, "stringData": {"pw": "canary-7f3a"}},
        )
        await operated.create(
            client,
            CONFIG_MAPS,
            {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "conf"}, "data": {"mode": "fast"}},
        )
        name = await operated.start(client, dag)
        status = await operated.finished(client, name)
        assert status["phase"] == "Succeeded", status
        told = f"{status} {await operated.pods(client, name)} {await operated.events(client, name)}"
        assert "canary-7f3a" not in told


async def test_a_secret_param_reaches_the_task_as_a_reference_and_nothing_else(operated: World) -> None:
    check = '[ "$PW" = "canary$(printf -- -91d2)" ] && [ "$REGION" = north ]'
    tasks = {"check": {"env": {"PW": "$[[ params.pw ]]", "REGION": "$[[ params.region ]]"}, "script": {"shell": check}}}
    params = {"pw": {"type": "secret"}, "region": {"enum": ["north"]}}
    body = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "vault"}, "stringData": {"pw": "canary-91d2"}}
    async with operated.client() as client:
        await operated.create(client, SECRETS, body)
        dag = operated.dag("secret-param", tasks, params=params)
        name = await operated.start(client, dag, pw={"name": "vault", "key": "pw"}, region="north")
        status = await operated.finished(client, name)
        assert status["phase"] == "Succeeded", status
        assert (
            "canary-91d2" not in f"{status} {await operated.pods(client, name)} {await operated.events(client, name)}"
        )
        wrong = await operated.result(client, "secret-param", pw="hunter2", region="north")
        assert wrong["phase"] == "Failed" and "what is given is not {name: SECRET, key: KEY}" in wrong["message"]
        assert "hunter2" not in str(wrong)


async def test_an_edit_of_the_dag_does_not_touch_a_run_under_way(operated: World) -> None:
    first = operated.dag(
        "edited", {"a": {"script": {"shell": "sleep 2"}}, "b": {"dependsOn": ["a"], "script": {"shell": "exit 0"}}}
    )
    async with operated.client() as client:
        name = await operated.start(client, first)
        await operated.until(client, name, lambda status: status.get("phase") == "Running")
        await client.patch(
            DAGS,
            operated.namespace,
            "edited",
            {"spec": {"tasks": {"b": {"script": {"shell": "exit 9"}}, "c": {"command": ["true"]}}}},
        )
        status = await operated.finished(client, name)
        assert status["phase"] == "Succeeded" and status["total"] == 2
        again = await operated.result(client, "edited")
        assert again["phase"] == "Failed" and again["total"] == 3 and again["revision"] != status["revision"]


async def test_deleting_a_run_deletes_its_pods(operated: World) -> None:
    dag = operated.dag("deleted", {"a": {"script": {"shell": "trap 'exit 0' TERM; sleep 600 & wait"}}})
    async with operated.client() as client:
        name = await operated.start(client, dag)
        await eventually(lambda: _running(operated, client, name))
        pods = [pod["metadata"]["name"] for pod in await operated.pods(client, name)]
        await client.delete(RUNS, operated.namespace, name)

        async def gone() -> bool:
            for pod in pods:
                try:
                    await client.get(PODS, operated.namespace, pod)
                except NotFound:
                    continue
                return False
            return True

        await eventually(gone)


async def test_pods_that_the_dag_does_not_keep_are_removed_after_the_run(operated: World) -> None:
    dag = operated.dag("tidy", {"good": {"command": ["true"]}, "bad": {"command": ["false"]}}, podRetention="OnFailure")
    async with operated.client() as client:
        name = await operated.start(client, dag)
        await operated.finished(client, name)

        async def only_the_failed_one_is_left() -> bool:
            return [pod["metadata"]["labels"]["tradewind.dev/task"] for pod in await operated.pods(client, name)] == [
                "bad"
            ]

        await eventually(only_the_failed_one_is_left)


async def test_many_runs_at_once_all_end(operated: World) -> None:
    dag = operated.dag("many", {"a": {"command": ["true"]}, "b": {"dependsOn": ["a"], "command": ["true"]}})
    async with operated.client() as client:
        await operated.create(client, DAGS, dag)
        statuses = await asyncio.gather(*(operated.result(client, "many") for _ in range(8)))
        assert [status["phase"] for status in statuses] == ["Succeeded"] * 8
