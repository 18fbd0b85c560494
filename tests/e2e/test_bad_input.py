"""Mistakes on a server, and the messages that a user reads about them. In both worlds."""

import contextlib

import pytest
from tradewind import API_VERSION
from tradewind.kube.client import Client
from tradewind.kube.errors import ApiError, Forbidden, Invalid
from tradewind.kube.resources import DAGS, PODS, RUNS, Resource
from worlds.world import Body, World, eventually

QUOTAS = Resource("/api/v1", "resourcequotas", "ResourceQuota")


def failure(status: Body) -> tuple[str, str]:
    assert status["phase"] == "Failed", status
    return status["failures"][-1]["reason"], status["failures"][-1]["message"]


async def valid(world: World, client, name: str) -> Body:
    """The DAG's Valid condition, once it exists."""

    async def condition() -> Body | None:
        found = await client.get(DAGS, world.namespace, name)
        return next(
            (item for item in (found.get("status") or {}).get("conditions", []) if item["type"] == "Valid"), None
        )

    return await eventually(condition)


async def test_a_command_that_is_not_there(operated: World) -> None:
    async with operated.client() as client:
        status = await operated.result(client, operated.dag("no-command", {"a": {"command": ["no-such-command"]}}))
        way = "use an image that has it"
        if operated.name == "embedded":
            way = "install it: tasks run on this machine, without images"
        assert failure(status) == ("StartError", f"command not found: no-such-command; check `command`, or {way}")


@pytest.mark.parametrize(
    ("name", "script", "reason", "words"),
    [
        ("large", "head -c 5000 /dev/zero | tr '\\0' x > $TRADEWIND_OUTPUTS", "OutputTooLarge", "over 4095 bytes"),
        ("text", "echo rows=5 > $TRADEWIND_OUTPUTS", "OutputInvalid", "must be one JSON object, but are not JSON"),
        ("list", "echo [1] > $TRADEWIND_OUTPUTS", "OutputInvalid", "must be one JSON object, but are a list"),
    ],
)
async def test_outputs_that_can_not_be_taken(operated: World, name: str, script: str, reason: str, words: str) -> None:
    async with operated.client() as client:
        found, message = failure(
            await operated.result(client, operated.dag(f"outputs-{name}", {"a": {"script": {"shell": script}}}))
        )
        assert found == reason and words in message


@pytest.mark.parametrize("size", [2, 200])
async def test_a_cycle_makes_the_dag_invalid_and_its_runs_fail(operated: World, size: int) -> None:
    tasks = {f"t{index}": {"command": ["true"], "dependsOn": [f"t{(index + 1) % size}"]} for index in range(size)}
    async with operated.client() as client:
        name = f"cycle-{size}"
        await operated.create(client, DAGS, operated.dag(name, tasks))
        condition = await valid(operated, client, name)
        assert condition["status"] == "False" and "tasks depend on each other in a cycle: t" in condition["message"]
        assert ("(200 tasks)" in condition["message"]) == (size == 200)
        status = await operated.result(client, name)
        assert status["phase"] == "Failed" and status["message"].startswith(f"DAG {name} is invalid: spec.tasks.t")


async def test_what_the_api_server_itself_refuses(operated: World) -> None:
    async with operated.client() as client:
        for name, tasks, words in [
            ("dangling", {"a": {"dependsOn": ["b"]}}, "dependsOn names a task that is not in spec.tasks"),
            ("itself", {"a": {"dependsOn": ["a"]}}, "a task depends on itself"),
            ("bad-name", {"A_B": {}}, "names of tasks have at most 63 characters"),
            (
                "two-ways",
                {"a": {"script": {"shell": "x"}, "command": ["y"]}},
                "write one of command/args, script, http, wait, approval, compute, dag and sensor",
            ),
            (
                "image",
                {"a": {"http": {"url": "http://x"}, "image": "y"}},
                "http, wait, approval, compute, dag and sensor tasks need no image",
            ),
            (
                "items-of",
                {"a": {"forEach": {"itemsOf": "b"}}, "b": {"forEach": {"items": [1]}}},
                "itemsOf must name a fan-out listed in dependsOn",
            ),
            (
                "two-sources",
                {"a": {"forEach": {"range": {"stop": 2}, "matrix": {"axes": {"x": [1]}}}}},
                "write one of items, range, matrix and itemsOf",
            ),
            ("output", {"a": {"outputs": {"a-b": {}}}}, "names of outputs have at most 63 characters"),
            ("type", {"a": {"command": "true"}}, "spec.tasks.a.command"),
            ("empty", {}, "spec.tasks"),
        ]:
            with pytest.raises(Invalid) as caught:
                await operated.create(client, DAGS, operated.dag(name, tasks))
            assert words in caught.value.message, name
        with pytest.raises(Invalid) as caught:
            await client.create(
                DAGS, operated.namespace, operated.dag("unknown", {"a": {"colour": "red"}}), fieldValidation="Strict"
            )
        assert 'unknown field "spec.tasks.a.colour"' in caught.value.message
        with pytest.raises(ApiError, match=r"too large|larger than max"):
            await operated.create(
                client, DAGS, operated.dag("huge", {f"t{at}": {"command": ["x" * 30_000]} for at in range(70)})
            )


async def test_a_missing_image_makes_the_dag_invalid(operated: World) -> None:
    body = operated.dag("no-image", {"a": {"command": ["true"]}})
    del body["spec"]["defaults"]["image"]
    async with operated.client() as client:
        await operated.create(client, DAGS, body)
        condition = await valid(operated, client, "no-image")
        assert condition["message"] == "spec.tasks.a.image: required; name an image here or in spec.defaults.image"


async def test_a_pod_template_that_is_no_pod_makes_the_dag_invalid(operated: World) -> None:
    async with operated.client() as client:
        tasks = {"a": {"command": ["true"], "podTemplate": {"spec": {"tolerationz": []}}}}
        await operated.create(client, DAGS, operated.dag("no-pod", tasks))
        condition = await valid(operated, client, "no-pod")
        assert (
            condition["status"] == "False"
            and "spec.tasks.a.podTemplate" in condition["message"]
            and "tolerationz" in condition["message"]
        )


async def test_a_pod_that_the_api_server_refuses_fails_its_task_at_once(operated: World) -> None:
    tasks = {
        "a": {
            "command": ["true"],
            "retries": {"limit": 5},
            "podTemplate": {"metadata": {"labels": {"x": "not a label!"}}},
        }
    }
    async with operated.client() as client:
        status = await operated.result(client, operated.dag("refused", tasks))
        reason, message = failure(status)
        assert (
            reason == "PodRefused"
            and "the API server refused the pod" in message
            and "metadata.labels: Invalid value" in message
        )
        assert len(status["attempts"].splitlines()) == 1


async def test_an_output_that_is_not_there_names_those_that_are(operated: World) -> None:
    tasks = {
        "a": {"script": {"shell": 'echo "{\\"rows\\": 1}" > $TRADEWIND_OUTPUTS'}},
        "b": {"dependsOn": ["a"], "env": {"X": "$[[ tasks.a.outputs.row ]]"}, "command": ["true"]},
    }
    async with operated.client() as client:
        reason, message = failure(await operated.result(client, operated.dag("no-output", tasks)))
        assert reason == "ExpressionError"
        assert message == "spec.tasks.b.env.X: `tasks.a.outputs.row`: there is no key 'row'; tasks.a.outputs has rows"


@pytest.mark.parametrize(
    ("params", "words"),
    [
        ({"n": "three"}, "spec.params.n: 'three' is not an integer; write an integer"),
        ({}, "spec.params.n: required; give an integer"),
        ({"n": 1, "m": 2}, "spec.params.m: no such param; the DAG declares: n"),
    ],
)
async def test_params_that_do_not_fit_fail_the_run_before_it_begins(operated: World, params: Body, words: str) -> None:
    async with operated.client() as client:
        with contextlib.suppress(Exception):
            await operated.create(
                client, DAGS, operated.dag("typed", {"a": {"command": ["true"]}}, params={"n": {"type": "integer"}})
            )
        status = await operated.result(client, "typed", **params)
        assert status["phase"] == "Failed" and words in status["message"]


async def test_a_run_of_a_dag_that_is_not_there_waits_for_it_and_says_so(operated: World) -> None:
    async with operated.client() as client:
        name = await operated.start(client, "later")
        queued = await operated.until(client, name, lambda status: status.get("phase") == "Queued")
        assert (
            queued["status"]["message"]
            == f"there is no DAG 'later' in namespace {operated.namespace}: the run begins when it is applied"
        )
        await operated.create(client, DAGS, operated.dag("later", {"a": {"command": ["true"]}}))
        assert (await operated.finished(client, name))["phase"] == "Succeeded"


async def _refuses_pods(world: World, client) -> bool:
    """Whether the quota counts already: a real server's does once its controller has seen it."""
    body = {"metadata": {"name": "probe"}, "spec": {"containers": [{"name": "a", "image": "x:1"}]}}
    try:
        await client.create(PODS, world.namespace, body, dryRun="All")
    except Forbidden:
        return True
    return False


async def test_a_quota_holds_tasks_back_without_spending_attempts(operated: World) -> None:
    async with operated.client() as client:
        quota = {
            "apiVersion": "v1",
            "kind": "ResourceQuota",
            "metadata": {"name": "q"},
            "spec": {"hard": {"count/pods": "0"}},
        }
        await operated.create(client, QUOTAS, quota)
        try:
            await eventually(lambda: _refuses_pods(operated, client))
            name = await operated.start(client, operated.dag("quota", {"a": {"command": ["true"]}}))

            def held(status: Body) -> bool:
                return bool(status.get("waiting")) and status["waiting"][0]["reason"] == "QuotaExceeded"

            status = (await operated.until(client, name, held))["status"]
            assert (
                "exceeded quota: q" in status["waiting"][0]["message"]
                and "starts when the quota has room" in status["waiting"][0]["message"]
            )
            progressing = next(item for item in status["conditions"] if item["type"] == "Progressing")
            assert (progressing["status"], progressing["reason"]) == ("False", "QuotaExceeded")
        finally:
            await client.delete(QUOTAS, operated.namespace, "q")
        status = await operated.finished(client, name)
        assert status["phase"] == "Succeeded" and status["attempts"].startswith("a ") and "#2" not in status["attempts"]


async def test_a_dag_that_is_deleted_while_a_run_goes_on(operated: World) -> None:
    tasks = {"a": {"script": {"shell": "sleep 2"}}, "b": {"dependsOn": ["a"], "command": ["true"]}}
    async with operated.client() as client:
        name = await operated.start(client, operated.dag("gone", tasks))
        await operated.until(client, name, lambda status: status.get("phase") == "Running")
        await client.delete(DAGS, operated.namespace, "gone")
        status = await operated.finished(client, name)
        assert status["phase"] == "Succeeded" and status["progress"] == "2/2"

        async def told() -> bool:
            words = f"DAG gone was deleted; this run continues with revision {status['revision']}"
            return ("DAGDeleted", words) in await operated.events(client, name)

        await eventually(told)


async def test_a_pod_that_someone_deletes_is_lost_and_tried_again(operated: World) -> None:
    script = 'if [ -e "$WORK/$RUN" ]; then exit 0; fi; touch "$WORK/$RUN"; trap "exit 143" TERM; sleep 600 & wait'
    tasks = {"a": {"env": {"WORK": operated.work, "RUN": "$[[ run.name ]]"}, "script": {"shell": script}}}
    async with operated.client() as client:
        name = await operated.start(client, operated.dag("lost", tasks))

        async def running() -> str:
            pods = [pod for pod in await operated.pods(client, name) if pod["status"].get("phase") == "Running"]
            return pods[0]["metadata"]["name"] if pods else ""

        await client.delete(PODS, operated.namespace, await eventually(running))
        status = await operated.finished(client, name)
        assert status["phase"] == "Succeeded", status
        assert status["failures"][0]["reason"] == "PodDeleted" and "#2" in status["attempts"]


async def test_a_run_without_a_dag_name_is_refused(operated: World) -> None:
    async with operated.client() as client:
        with pytest.raises(Invalid) as caught:
            body = {"apiVersion": API_VERSION, "kind": "DAGRun", "metadata": {"name": "x"}, "spec": {}}
            await operated.create(client, RUNS, body)
        assert "spec.dag" in caught.value.message


@pytest.mark.e2e
@pytest.mark.timeout(300)
@pytest.mark.parametrize("world", ["real"], indirect=True)
async def test_an_image_that_can_not_be_pulled_is_named_and_failed_as_after_the_pending_timeout(
    operated: World,
) -> None:
    terms = {"image": "registry.invalid/nope:1", "pendingTimeout": "25s", "retries": {"infrastructureLimit": 0}}
    async with operated.client() as client:
        name = await operated.start(client, operated.dag("no-pull", {"a": {"command": ["true"], **terms}}))
        waiting = await operated.until(client, name, lambda status: status.get("waiting"))
        assert waiting["status"]["waiting"][0]["reason"] in ("ErrImagePull", "ImagePullBackOff")
        assert "the image can't be pulled" in waiting["status"]["waiting"][0]["message"]
        reason, message = failure(await operated.finished(client, name))
        assert reason == "ImagePullFailed" and "the image can't be pulled" in message


@pytest.mark.e2e
@pytest.mark.timeout(300)
@pytest.mark.parametrize("world", ["real"], indirect=True)
@pytest.mark.parametrize(
    ("name", "terms", "reason", "words"),
    [
        (
            "no-node",
            {"nodeSelector": {"disk": "unobtainium"}},
            "Unschedulable",
            "make room, or ask for less in resources",
        ),
        ("no-image-name", {"image": "NOT an image"}, "ImageInvalid", "fix `image`"),
    ],
)
async def test_what_can_not_start_is_classified_by_what_holds_it(
    operated: World, name: str, terms: Body, reason: str, words: str
) -> None:
    task = {"command": ["true"], "pendingTimeout": "4s", "retries": {"infrastructureLimit": 0}, **terms}
    async with operated.client() as client:
        found = failure(await operated.result(client, operated.dag(name, {"a": task})))
        assert found[0] == reason and words in found[1]


async def test_a_secret_that_is_not_there_is_named(operated: World) -> None:
    terms = {
        "pendingTimeout": "4s",
        "retries": {"infrastructureLimit": 0},
        "envFrom": {"X": {"secretKeyRef": {"name": "absent", "key": "k"}}},
    }
    async with operated.client() as client:
        name = await operated.start(client, operated.dag("no-secret", {"a": {"command": ["true"], **terms}}))
        waiting = await operated.until(client, name, lambda status: status.get("waiting"))
        assert 'secret "absent" not found' in waiting["status"]["waiting"][0]["message"]
        reason, message = failure(await operated.finished(client, name))
        assert reason == "ConfigError" and 'secret "absent" not found' in message


LATE = {
    "too-many-items": (
        {"forEach": {"range": {"stop": "$[[ params.n * 1000 ]]"}}},
        "forEach.range: 100000 items are over the limit of 10000: use a larger step",
    ),
    "no-list": ({"forEach": {"items": "$[[ params.o.x ]]"}}, "forEach.items: `params.o.x` gives a string, not a list"),
    "no-key": ({"when": "params.o.y == 1"}, "when: `params.o.y == 1`: there is no key 'y'"),
    "rule": ({"triggerRule": "1 / (a == 'Succeeded' ? 0 : 1) == 1"}, "triggerRule: `1 / (a == 'Succeeded' ? 0 : 1) == 1`: divide by zero"),
    "env": ({"env": {"X": "$[[ params.o.z ]]"}}, "spec.tasks.b.env.X: `params.o.z`: there is no key 'z'"),
    "endless": (
        {"when": "[1,2,3,4,5,6,7,8,9].all(a, [1,2,3,4,5,6,7,8,9].all(b, [1,2,3,4,5,6,7,8,9].all(c, [1,2,3,4,5,6,7,8,9].all(d, "
         "[1,2,3,4,5,6,7,8,9].all(e, [1,2,3,4,5,6,7,8,9].all(f, params.n > 0))))))"},
        "too much work for an expression: compute the value in a task",
    ),
    "output": ({"outputs": {"rows": {"type": "integer"}}}, "output 'rows' is missing; the task wrote: none; write it to $TRADEWIND_OUTPUTS"),
}  # fmt: skip


@pytest.mark.parametrize("name", LATE)
async def test_what_turns_out_wrong_at_run_time_fails_its_task_with_the_reason(operated: World, name: str) -> None:
    task, words = LATE[name]
    params = {"n": {"type": "integer", "default": 100}, "o": {"type": "object", "default": {"x": "text"}}}
    tasks = {"a": {"command": ["true"]}, "b": {"dependsOn": ["a"], "command": ["true"], **task}}
    async with operated.client() as client:
        run = await operated.start(client, operated.dag(f"late-{name}", tasks, params=params))
        status = await operated.finished(client, run)
        assert status["phase"] == "Failed" and words in failure(status)[1], status
        assert "b (" in status["message"]
        told = await eventually(lambda: _told(operated, client, run))
        assert any(words[:60] in message for message in told)


async def _told(world: World, client: Client, run: str) -> list[str]:
    return [message for reason, message in await world.events(client, run) if reason == "TaskFailed"]
