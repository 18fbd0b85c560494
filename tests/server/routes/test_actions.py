"""What people do: each as the command line does it, with a preview."""

from typing import Any

from tradewind.control.dagrun.run import read_run
from tradewind.kube.client import Client
from tradewind.kube.resources import APPROVALS, DAGS, RUNS

from server.guest import Guest
from server.hostile import ALL


async def spec(client: Client, name: str = "etl-1") -> dict[str, Any]:
    found: dict[str, Any] = (await client.get(RUNS, "a", name))["spec"]
    return found


async def test_a_preview_changes_nothing_and_says_all(there: Guest, client: Client) -> None:
    before = await client.get(RUNS, "a", "etl-1")
    for action in ("cancel", "terminate", "suspend", "delete"):
        found = await there.post("runs/a/etl-1/actions?preview", {"action": action, "reason": "tired"})
        assert not found["done"] and found["command"].startswith("tradewind ") and found["words"] and found["yaml"]
        if action in ("cancel", "terminate"):
            assert "work: is stopped" in found["affected"] and "-m tired" in found["command"] and found["lost"]
    assert (await client.get(RUNS, "a", "etl-1"))["metadata"]["resourceVersion"] == before["metadata"][
        "resourceVersion"
    ]


async def test_stopping_suspending_and_resuming_set_the_desired_state(there: Guest, client: Client) -> None:
    for action, desired in (
        ("suspend", "Suspended"),
        ("resume", "Running"),
        ("cancel", "Cancelled"),
        ("terminate", "Terminated"),
    ):
        found = await there.post("runs/a/etl-1/actions", {"action": action, "reason": "why not"})
        assert found["done"] and (await spec(client))["desiredState"] == desired
    notes = (await client.get(RUNS, "a", "etl-1"))["metadata"]["annotations"]
    assert notes["tradewind.dev/cancelled-by"] == "admin" and notes["tradewind.dev/cancelled-reason"] == "why not"


async def test_what_makes_no_sense_is_refused_with_words(there: Guest, client: Client) -> None:
    for action, words in (("resume", "is not suspended"), ("retry", "no task of dagrun/etl-1 has failed")):
        status, found = await there.ask("POST", "runs/a/etl-1/actions", {"action": action})
        assert status == 409 and words in found["detail"]
    await client.patch(RUNS, "a", "etl-1", {"status": {"phase": "Succeeded"}}, "status")
    for action in ("cancel", "suspend", "retry"):
        status, found = await there.ask("POST", "runs/a/etl-1/actions", {"action": action})
        assert status == 409 and "Succeeded" in found["detail"], action


async def test_a_retry_tries_again_what_failed(there: Guest, client: Client) -> None:
    status = {"phase": "Failed", "attempts": "load 0+5 =1 Error\nload 6+5 #2 =1 Error\nload 12+5 #3 =1 Error"}
    await client.patch(RUNS, "a", "etl-1", {"status": status}, "status")
    preview = await there.post("runs/a/etl-1/actions?preview", {"action": "retry"})
    assert (
        preview["affected"][0] == "load: Failed, tries again"
        and "last: UpstreamFailed, tries again" in preview["affected"]
    )
    done = await there.post("runs/a/etl-1/actions", {"action": "retry", "version": preview["version"]})
    assert done["done"] and read_run(await client.get(RUNS, "a", "etl-1")).rounds == 1
    status_code, found = await there.ask(
        "POST", "runs/a/etl-1/actions", {"action": "retry", "version": preview["version"]}
    )
    assert status_code == 409 and "has changed since the preview" in found["detail"]


async def test_a_run_is_deleted_by_its_uid(there: Guest, client: Client) -> None:
    await there.post("runs/a/etl-1/actions", {"action": "delete"})
    assert (await there.ask("GET", "runs/a/etl-1"))[0] == 404


async def test_a_run_is_started_with_checked_params(there: Guest, client: Client) -> None:
    status, found = await there.ask("POST", "dags/a/etl/runs", {"params": {"region": 3, "nothing": "x"}})
    assert status == 422 and found["field"].startswith("params.") and "not a string" in found["detail"]
    preview = await there.post("dags/a/etl/runs?preview", {"params": {"region": 3}})
    assert preview["run"] == "" and preview["problems"][0]["field"] == "region"
    made = await there.post(
        "dags/a/etl/runs", {"params": {"region": "south"}, "reason": "a try", "logicalDate": 0, "priority": 7}
    )
    stored = await client.get(RUNS, "a", made["run"])
    assert stored["spec"] | {"params": {"region": "south"}, "priority": 7} == stored["spec"]
    assert stored["spec"]["logicalDate"].startswith("1970-01-01T00:00:00")
    assert stored["metadata"]["annotations"]["tradewind.dev/reason"] == "a try"
    assert made["command"].startswith("tradewind run etl -n a --param region=south")
    assert (await there.get(f"runs/a/{made['run']}"))["run"]["reason"] == "a try"


async def test_a_second_click_starts_no_second_run(there: Guest, client: Client) -> None:
    first = await there.post("dags/a/etl/runs", {}, **{"Idempotency-Key": "one"})
    again = await there.post("dags/a/etl/runs", {}, **{"Idempotency-Key": "one"})
    other = await there.post("dags/a/etl/runs", {}, **{"Idempotency-Key": "two"})
    assert first["run"] == again["run"] != other["run"]
    named = await there.post("dags/a/etl/runs", {"name": "mine"}, **{"Idempotency-Key": "three"})
    status, found = await there.ask("POST", "dags/a/etl/runs", {"name": "mine"}, **{"Idempotency-Key": "three"})
    assert named["run"] == "mine" and status == 409 and "mine" in found["detail"]


async def test_a_suspended_dag_notes_that_the_run_waits(there: Guest, client: Client) -> None:
    await client.patch(DAGS, "a", "etl", {"spec": {"suspend": True}})
    assert "waits until it is resumed" in (await there.post("dags/a/etl/runs?preview", {}))["notes"][0]


async def test_an_approval_is_decided_once(there: Guest, client: Client) -> None:
    questions = {"amount": {"type": "integer", "max": 10}}
    body = {"apiVersion": "tradewind.dev/v1alpha1", "kind": "Approval", "metadata": {"name": "sum"}}
    await client.create(APPROVALS, "a", {**body, "spec": {"run": "etl-1", "task": "ask", "questions": questions}})
    status, found = await there.ask("POST", "approvals/a/sum", {"approve": True, "inputs": {"amount": 99}})
    assert status == 422 and found["field"] == "inputs.amount"
    preview = await there.post("approvals/a/sum?preview", {"approve": True, "inputs": {"amount": 3}})
    assert not preview["done"] and "--answer amount=3" in preview["command"]
    await there.post("approvals/a/sum", {"approve": True, "reason": "fine", "inputs": {"amount": 3}})
    stored = (await client.get(APPROVALS, "a", "sum"))["spec"]
    assert (stored["decision"], stored["by"], stored["comment"], stored["answers"]) == (
        "Approved",
        "admin",
        "fine",
        {"amount": 3},
    )
    await client.patch(APPROVALS, "a", "sum", {"status": {"outcome": "Approved"}}, "status")
    status, found = await there.ask("POST", "approvals/a/sum", {"approve": False})
    assert status == 409 and "too late" in found["detail"]


async def test_words_of_people_can_not_leave_the_command_line(there: Guest) -> None:
    for text in ALL:
        found = await there.post(
            "runs/a/etl-1/actions?preview", {"action": "cancel", "reason": f"'; rm -rf ~ #{text[:500]}"}
        )
        assert "'\"'\"'; rm -rf" in found["command"]
