"""Approvals, waits, computations and requests without pods; suspension, teardowns, exit tasks; edits and runs that
reuse results."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest
from aiohttp import web
from tradewind.kube.client import Client
from tradewind.kube.errors import Invalid
from tradewind.kube.resources import APPROVALS, DAGS, RUNS, SECRETS
from worlds.world import Body, World, eventually, tradewind

SH = {"script": {"shell": "true"}}


@pytest.fixture(scope="module")
def operated(world: World) -> Iterator[World]:
    """An operator that may send requests to this machine, and read Secrets."""
    process = world.start_operator("--http-allow", "127.0.0.0/8", "--read-secrets")
    try:
        yield world
    finally:
        process.kill()
        process.wait()


def outputs(status: Body) -> dict[str, Any]:
    return dict(status.get("outputs") or {})


async def started(world: World, client: Client, name: str, tasks: Body, **spec: Any) -> str:
    return await world.start(client, world.dag(name, tasks, **spec))


async def asked(world: World, client: Client, run: str) -> Body:
    """The approval that a run waits for."""

    async def there() -> Any:
        found = (await client.list(APPROVALS, world.namespace, fieldSelector=f"spec.run={run}"))["items"]
        return [item for item in found if (item.get("status") or {}).get("outcome") == "Pending"]

    found: Body = (await eventually(there))[0]
    return found


@contextlib.asynccontextmanager
async def server() -> AsyncIterator[tuple[str, list[tuple[str, str, str]]]]:
    """A web server on this machine, and its requests: method, path, Authorization."""
    seen: list[tuple[str, str, str]] = []

    async def answer(request: web.Request) -> web.StreamResponse:
        seen.append((request.method, request.path, request.headers.get("Authorization", "")))
        match request.path:
            case "/numbers":
                return web.json_response({"n": 7})
            case "/away":
                raise web.HTTPFound("http://169.254.169.254/latest/meta-data")
            case "/large":
                return web.Response(text="x" * 70_000)
            case "/slow":
                await asyncio.sleep(20)
        raise web.HTTPNotFound(text="nothing here")

    app = web.Application()
    app.router.add_route("*", "/{path:.*}", answer)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    try:
        yield f"http://127.0.0.1:{runner.addresses[0][1]}", seen
    finally:
        await runner.cleanup()


async def test_waits_computations_and_requests_need_no_pod(operated: World) -> None:
    async with operated.client() as client, server() as (url, seen):
        secret = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "token"}, "stringData": {"t": "s3cret"}}
        await operated.create(client, SECRETS, secret)
        tasks = {
            "pause": {"wait": {"duration": "$[[ params.pause ]]"}},
            "past": {"wait": {"until": "2020-01-01T00:00:00Z"}},
            "ask": {
                "dependsOn": ["pause", "past"],
                "http": {"url": f"{url}/numbers", "headers": {"Authorization": "Bearer $(T)"}},
                "envFrom": {"T": {"secretKeyRef": {"name": "token", "key": "t"}}},
            },
            "sum": {"dependsOn": ["ask"], "compute": {"double": "tasks.ask.outputs.body.n * 2", "who": "run.dag"}},
        }
        run = await started(operated, client, "podless", tasks, params={"pause": {"type": "duration", "default": "1s"}})
        status = await operated.finished(client, run)
        assert status["phase"] == "Succeeded", status
        assert outputs(status)["ask"] == {"status": 200, "body": {"n": 7}}
        assert outputs(status)["sum"] == {"double": 14, "who": "podless"}
        assert await operated.pods(client, run) == [] and seen == [("GET", "/numbers", "Bearer s3cret")]
        assert "s3cret" not in str(await client.get(RUNS, operated.namespace, run))


@pytest.mark.parametrize(
    ("path", "words"),
    [
        ("/missing", "answered 404, wanted 2xx: nothing here"),
        ("/away", "169.254.169.254: the operator does not send requests there"),
        ("/large", "the response has more than 64 KiB"),
        ("/slow", "no answer within 1 s (http.timeout)"),
    ],
)
async def test_a_request_that_comes_to_nothing_says_why(operated: World, path: str, words: str) -> None:
    async with operated.client() as client, server() as (url, _):
        tasks = {"ask": {"http": {"url": f"{url}{path}", "timeout": "1s"}}}
        status = await operated.finished(
            client, await started(operated, client, f"http{path.replace('/', '-')}", tasks)
        )
        failure = status["failures"][0]
        assert (status["phase"], failure["reason"]) == ("Failed", "HttpError") and words in failure["message"]


async def test_an_approval_waits_for_a_person_and_hands_on_the_answers(operated: World) -> None:
    tasks = {
        "ok": {
            "approval": {
                "message": "Publish $[[ run.dag ]]?",
                "questions": {"rows": {"type": "integer", "min": 1}, "note": {"default": "none"}},
            }
        },
        "go": {"dependsOn": ["ok"], "compute": {"rows": "tasks.ok.outputs.answers.rows"}},
    }
    async with operated.client() as client:
        run = await started(operated, client, "approved", tasks)
        approval = await asked(operated, client, run)
        assert approval["spec"]["message"] == "Publish approved?"
        waiting = await operated.until(client, run, lambda status: status.get("waiting"))
        assert waiting["status"]["waiting"][0]["reason"] == "Approval"
        described = tradewind(operated, "describe", "run", run).stdout
        assert "waits for approval" in described and f"`tradewind approve {run} ok`" in " ".join(described.split())
        assert "person" in tradewind(operated, "top").stdout
        assert "Publish approved?" in tradewind(operated, "get", "approvals").stdout
        refused = tradewind(operated, "approve", run, "--answer", "rows=0")
        assert refused.returncode == 1 and "--answer rows: 0 is out of bounds; at least 1" in refused.stderr
        wrong = {"spec": {"decision": "Approved", "by": "ada", "answers": {"rows": "many"}}}
        await client.patch(APPROVALS, operated.namespace, approval["metadata"]["name"], wrong)

        async def told() -> bool:
            found = await client.get(APPROVALS, operated.namespace, approval["metadata"]["name"])
            return "spec.answers.rows: 'many' is not an integer" in found["status"].get("message", "")

        await eventually(told)
        done = tradewind(operated, "approve", run, "ok", "-a", "rows=3", "-m", "looks good")
        assert done.returncode == 0, done.stderr
        status = await operated.finished(client, run)
        assert status["phase"] == "Succeeded" and outputs(status)["go"] == {"rows": 3}
        given = outputs(status)["ok"]
        assert (given["approved"], given["comment"], given["answers"]) == (
            True,
            "looks good",
            {"rows": 3, "note": "none"},
        )
        assert given["by"]
        with pytest.raises(Invalid, match="too late"):
            late = {"spec": {"decision": "Rejected"}}
            await client.patch(APPROVALS, operated.namespace, approval["metadata"]["name"], late)
        assert "too late: ok of dagrun/" in tradewind(operated, "reject", run).stderr


@pytest.mark.parametrize(("policy", "phase"), [("Fail", "Failed"), ("Continue", "Succeeded")])
async def test_a_rejection_and_a_missed_deadline_end_the_task_as_the_dag_says(
    operated: World, policy: str, phase: str
) -> None:
    approval = {"onReject": policy, "onTimeout": policy}
    tasks = {"no": {"approval": approval}, "late": {"approval": {**approval, "timeout": "1s"}}}
    async with operated.client() as client:
        run = await started(operated, client, f"declined-{policy.lower()}", tasks)
        await operated.until(client, run, lambda status: len(status.get("attempts", "").splitlines()) == 1)
        assert tradewind(operated, "reject", run, "no", "-m", "not today").returncode == 0
        status = await operated.finished(client, run)
        assert status["phase"] == phase
        if policy == "Fail":
            reasons = {item["reason"]: item["message"] for item in status["failures"]}
            assert reasons.keys() == {"Declined", "ApprovalTimeout"} and "not today" in reasons["Declined"]
        else:
            assert not outputs(status)["no"]["approved"] and not outputs(status)["late"]["approved"]


async def test_a_pending_approval_outlives_the_operator_and_its_own_deletion(world: World, operated: World) -> None:
    async with operated.client() as client:
        run = await started(operated, client, "patient", {"ok": {"approval": {}}})
        name = (await asked(operated, client, run))["metadata"]["name"]
        await client.delete(APPROVALS, operated.namespace, name)
        assert (await asked(operated, client, run))["metadata"]["name"] == name
        assert tradewind(operated, "approve", run).returncode == 0
        assert (await operated.finished(client, run))["phase"] == "Succeeded"


async def test_nothing_starts_while_a_run_or_its_dag_is_suspended(operated: World) -> None:
    async with operated.client() as client:
        dag = operated.dag("held", {"a": {"approval": {}}, "b": {"dependsOn": ["a"], **SH}}, suspend=True)
        run = await operated.start(client, dag)
        queued = await operated.until(client, run, lambda status: status.get("phase") == "Queued")
        assert queued["status"]["message"] == "DAG held is suspended: `tradewind resume dag/held`"
        assert tradewind(operated, "suspend", run).returncode == 0
        assert tradewind(operated, "resume", "dag/held").returncode == 0
        await operated.until(client, run, lambda status: status.get("message", "").startswith("the run is suspended"))
        assert tradewind(operated, "resume", run).returncode == 0
        await asked(operated, client, run)
        assert tradewind(operated, "suspend", run).returncode == 0
        assert tradewind(operated, "approve", run).returncode == 0
        held = await operated.until(
            client, run, lambda status: [item["reason"] for item in status.get("waiting", [])] == ["Suspended"]
        )
        assert held["status"]["done"] == 1
        assert tradewind(operated, "resume", run).returncode == 0
        assert (await operated.finished(client, run))["phase"] == "Succeeded"


async def test_a_cancelled_run_tears_down_and_tells_before_it_ends(operated: World) -> None:
    tasks = {
        "make": SH,
        "work": {"dependsOn": ["make"], "wait": {"duration": "1h"}},
        "remove": {"teardown": {"of": ["make"]}, **SH},
        "tell": {"onExit": ["Cancelled"], "compute": {"how": "run.outcome"}},
    }
    async with operated.client() as client:
        run = await started(operated, client, "scoped", tasks)
        await operated.until(client, run, lambda status: status.get("waiting"))
        assert tradewind(operated, "cancel", run).returncode == 0
        status = await operated.finished(client, run)
        assert status["phase"] == "Cancelled" and outputs(status)["tell"] == {"how": "Cancelled"}
        assert [line.split()[0] for line in status["attempts"].splitlines()] == ["make", "work", "remove", "tell"]


async def test_people_clear_and_mark_tasks_of_a_run_that_has_ended(operated: World) -> None:
    tasks = {
        "a": {"compute": {"n": "1"}},
        "b": {"dependsOn": ["a"], "script": {"shell": "exit 3"}},
        "c": {"dependsOn": ["b"], **SH},
    }
    async with operated.client() as client:
        run = await started(operated, client, "edited", tasks)
        assert (await operated.finished(client, run))["phase"] == "Failed"
        never = tradewind(operated, "clear", run, "c")
        assert never.returncode == 1 and "c never ran (UpstreamFailed): there is nothing to clear" in never.stderr
        shown = tradewind(operated, "mark", run, "succeeded", "b", "--output", "rows=4", "--dry-run")
        assert shown.stdout == "b: Failed, becomes Succeeded\nc: UpstreamFailed, is decided again\n", shown.stderr
        done = tradewind(operated, "mark", run, "succeeded", "b", "--output", "rows=4", "-m", "checked by hand")
        assert done.returncode == 0, done.stderr
        await operated.until(client, run, lambda status: status.get("edited") == 1)
        status = await operated.finished(client, run)
        assert status["phase"] == "Succeeded" and outputs(status)["b"] == {"rows": 4}
        spec = (await client.get(RUNS, operated.namespace, run))["spec"]
        assert spec["edits"][0]["reason"] == "checked by hand" and spec["edits"][0]["by"]
        assert tradewind(operated, "clear", run, "b").returncode == 0
        await operated.until(client, run, lambda status: status.get("edited") == 2)
        status = await operated.finished(client, run)
        assert status["phase"] == "Failed" and "b" not in outputs(status)
        assert [item["attempt"] for item in status["failures"]] == [1, 2]
        with pytest.raises(Invalid, match="edits can't be removed"):
            await client.patch(RUNS, operated.namespace, run, {"spec": {"edits": []}})


async def test_a_retry_makes_again_what_was_torn_down_and_asks_again(operated: World) -> None:
    tasks = {
        "make": SH,
        "ok": {"dependsOn": ["make"], "approval": {}},
        "work": {"dependsOn": ["ok"], "script": {"shell": "exit 3"}},
        "remove": {"teardown": {"of": ["make"]}, **SH},
    }
    async with operated.client() as client:
        run = await started(operated, client, "torn", tasks)
        await asked(operated, client, run)
        assert tradewind(operated, "approve", run).returncode == 0
        assert (await operated.finished(client, run))["phase"] == "Failed"
        assert tradewind(operated, "retry", run).returncode == 0
        assert (await asked(operated, client, run))["metadata"]["name"].endswith("-ok-2")
        assert tradewind(operated, "approve", run).returncode == 0
        status = await operated.finished(client, run)
        made = [line.split()[0] for line in status["attempts"].splitlines() if " ^" not in line]
        assert made[:4] == ["make", "ok", "work", "remove"] and made[4:6] == ["make", "ok"] and made[-1] == "remove"


async def test_an_edit_that_makes_no_sense_is_refused_in_a_condition(operated: World) -> None:
    async with operated.client() as client:
        run = await started(operated, client, "odd", {"a": {"compute": {"n": "1"}}})
        await operated.finished(client, run)
        await client.patch(RUNS, operated.namespace, run, {"spec": {"edits": [{"action": "Clear", "tasks": ["z"]}]}})
        await operated.until(client, run, lambda status: status.get("edited") == 1)
        status = await operated.finished(client, run)
        told = {item["type"]: item for item in status["conditions"]}["Edited"]
        assert told["status"] == "False"
        assert told["message"] == "spec.edits[0].tasks[0]: there is no task 'z'; there are: a"


async def test_a_new_run_takes_over_what_another_has_done(operated: World) -> None:
    tasks = {
        "a": {"compute": {"n": "params.n"}},
        "b": {"dependsOn": ["a"], "script": {"shell": "exit 3"}},
        "c": {"dependsOn": ["b"], "compute": {"n": "tasks.a.outputs.n * 2"}},
    }
    params = {"n": {"type": "integer", "default": 1}}
    async with operated.client() as client:
        run = await started(operated, client, "again", tasks, params=params)
        assert (await operated.finished(client, run))["phase"] == "Failed"
        fixed = {"spec": {"tasks": {"b": SH}}}
        await client.patch(DAGS, operated.namespace, "again", fixed)
        shown = tradewind(operated, "rerun", run, "--dry-run")
        assert shown.stdout == f"a: Succeeded, reused from run {run}\nb: runs\nc: runs\n", shown.stderr
        done = tradewind(operated, "rerun", run, "--no-watch", "-m", "b is fixed")
        new = done.stdout.splitlines()[-1].split()[0].removeprefix("dagrun/")
        notes = (await client.get(RUNS, operated.namespace, new))["metadata"]["annotations"]
        assert notes["tradewind.dev/reason"] == "b is fixed" and notes["tradewind.dev/by"]
        status = await operated.finished(client, new)
        assert status["phase"] == "Succeeded" and outputs(status)["c"] == {"n": 2}
        assert next(line.split()[:2] for line in status["attempts"].splitlines()) == ["a", "~Succeeded"]
        alone = tradewind(operated, "rerun", new, "--only", "c", "--no-watch").stdout.splitlines()[-1].split()[0]
        status = await operated.finished(client, alone.removeprefix("dagrun/"))
        lines = [line for line in status["attempts"].splitlines() if "~" not in line]
        assert status["phase"] == "Succeeded" and [line.split()[0] for line in lines] == ["c"]
        body = {
            "apiVersion": "tradewind.dev/v1alpha1",
            "kind": "DAGRun",
            "metadata": {"name": "again-bad"},
            "spec": {"dag": "again", "reuse": {"run": "nowhere"}},
        }
        await operated.create(client, RUNS, body)
        status = await operated.finished(client, "again-bad")
        assert status["phase"] == "Failed" and "spec.reuse.run: there is no run 'nowhere'" in status["message"]


GUARDED = {
    "ok": {"approval": {}},
    "gate": {"dependsOn": ["ok"], "compute": {"by": "tasks.ok.outputs.by"}},
    "deploy": {"dependsOn": ["gate"], "compute": {"by": "tasks.gate.outputs.by"}},
}
FORGED = {"approved": True, "by": "alice"}


@pytest.mark.parametrize("task", ["ok", "gate"])
async def test_no_edit_passes_an_approval(operated: World, task: str) -> None:
    """Neither by the command line, nor by direct writes, nor in a run that is created with it."""
    edit = {"action": "Succeed", "tasks": [task], "by": "mallory", "outputs": {"ok": FORGED, "gate": FORGED}}
    async with operated.client() as client:
        run = await started(operated, client, f"guarded-{task}", GUARDED)
        await asked(operated, client, run)
        refused = tradewind(operated, "mark", run, "succeeded", task)
        assert refused.returncode == 1 and "`tradewind approve`" in refused.stderr
        await client.patch(RUNS, operated.namespace, run, {"spec": {"edits": [edit]}})
        made = {
            "apiVersion": "tradewind.dev/v1alpha1", "kind": "DAGRun", "metadata": {"name": f"made-{task}"},
            "spec": {"dag": f"guarded-{task}", "edits": [edit]},
        }  # fmt: skip
        await operated.create(client, RUNS, made)
        for name in (run, f"made-{task}"):
            status = (await operated.until(client, name, lambda status: status.get("edited") == 1))["status"]
            told = {item["type"]: item for item in status["conditions"]}["Edited"]
            assert told["status"] == "False" and "spec.edits[0].tasks[0]" in told["message"]
            await asked(operated, client, name)
            assert tradewind(operated, "approve", name).returncode == 0
            status = await operated.finished(client, name)
            assert outputs(status)["deploy"] == {"by": outputs(status)["ok"]["by"]} != {"by": "alice"}
        with pytest.raises(Invalid, match="existing edits can't be changed"):
            changed = [{**edit, "by": "alice"}, edit]
            await client.patch(RUNS, operated.namespace, run, {"spec": {"edits": changed}})


async def test_a_decision_is_taken_over_by_runs_about_the_same_alone(operated: World) -> None:
    async with operated.client() as client:
        params = {"version": {"default": "1"}}
        run = await started(operated, client, "released", GUARDED, params=params)
        await asked(operated, client, run)
        only = tradewind(operated, "rerun", run, "--only", "deploy", "--no-watch")
        assert only.returncode == 1 and "approval ok is needed, and was not given to run" in only.stderr
        assert tradewind(operated, "approve", run).returncode == 0
        await operated.finished(client, run)
        for more, first in (((), "ok: Succeeded, decided in run"), (("--param", "version=2"), "ok: runs")):
            shown = tradewind(operated, "rerun", run, "--from", "deploy", *more, "--dry-run")
            assert shown.stdout.startswith(first), (shown.stdout, shown.stderr)
        body = {
            "apiVersion": "tradewind.dev/v1alpha1", "kind": "DAGRun", "metadata": {"name": "released-2"},
            "spec": {"dag": "released", "params": {"version": "2"}, "reuse": {"run": run, "only": ["deploy"]}},
        }  # fmt: skip
        await operated.create(client, RUNS, body)
        status = await operated.finished(client, "released-2")
        assert status["phase"] == "Failed" and "spec.reuse.only: approval ok is needed" in status["message"]


async def test_a_task_whose_own_run_asks_is_not_marked(operated: World) -> None:
    async with operated.client() as client:
        for name, tasks in (("inner", GUARDED), ("middle", {"in": {"dag": {"name": "inner"}}})):
            await client.create(DAGS, operated.namespace, operated.dag(name, tasks))
        run = await started(
            operated, client, "outer", {"release": {"dag": {"name": "middle"}}, "free": {"wait": {"duration": "1h"}}}
        )
        await operated.until(client, run, lambda status: status.get("waiting"))
        refused = tradewind(operated, "mark", run, "succeeded", "release")
        assert "release runs DAG middle, which has approvals: only a decision ends it" in refused.stderr
        assert tradewind(operated, "mark", run, "succeeded", "free").returncode == 0
        assert tradewind(operated, "cancel", run).returncode == 0
