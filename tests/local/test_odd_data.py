"""Whatever tasks output, however large a run becomes, and even if it can't be planned: it ends, by its timeout or by a
person, with a message."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from tradewind.cli.starts.wanted import run_body
from tradewind.control.pods import tracker
from tradewind.kube.resources import DAGS, PODS, RUNS
from tradewind.local.session import Session, session
from tradewind.plan.runs.planner import Planner
from worlds.world import World, eventually

Body = dict[str, Any]
OUTPUTS = {
    "nested": "'{\"a\": ' + '[' * 300 + ']' * 300 + '}'",
    "nested beyond any parser": "'{\"a\": ' + '[' * 1900 + ']' * 1900 + '}'",
    "a number": "'{\"n\": 100000000000000000000}'",
    "half a character": r"'{\"s\": \"\\ud800\"}'",
}
COMPUTED = {"bytes": r"b'\xff'", "a number": "{'n': 18446744073709551615u}"}


@pytest.fixture
async def here(tmp_path: Path) -> AsyncIterator[Session]:
    async with session(lambda: None, cwd=str(tmp_path)) as found:
        yield found


async def start(here: Session, tasks: Body, name: str = "r", given: Body | None = None, **spec: Any) -> None:
    await apply(here, tasks, **spec)
    await here.client.create(RUNS, "default", run_body("d", given or {}, name))


async def apply(here: Session, tasks: Body, **spec: Any) -> None:
    dag = World("embedded", Path(), "default", "").dag("d", tasks, **spec)
    dag["spec"]["defaults"]["retries"] = {"limit": 0}
    await here.client.create(DAGS, "default", dag)


async def ended(here: Session, name: str = "r", seconds: float = 100) -> Body:
    async def final() -> Body | None:
        status: Body = (await here.client.get(RUNS, "default", name)).get("status") or {}
        return status if status.get("phase") in ("Succeeded", "Failed", "Cancelled") else None

    found: Body = await eventually(final, seconds)
    return found


def reason(status: Body) -> str:
    return next(str(item["reason"]) for item in status["conditions"] if item["type"] == "Succeeded")


@pytest.mark.parametrize("program", OUTPUTS.values(), ids=OUTPUTS)
async def test_outputs_that_can_not_be_kept_fail_their_attempt(here: Session, program: str) -> None:
    code = f"import os; open(os.environ['TRADEWIND_OUTPUTS'], 'w').write({program})"
    await start(here, {"t": {"script": {"python": code}}, "other": {"compute": {"n": "1"}}})
    status = await ended(here)
    assert status["phase"] == "Failed"
    assert [(item["task"], item["reason"]) for item in status["failures"]] == [("t", "OutputInvalid")]
    assert "must be one JSON object" in status["failures"][0]["message"]


@pytest.mark.parametrize("expression", COMPUTED.values(), ids=COMPUTED)
async def test_computed_values_that_can_not_be_kept_fail_their_attempt(here: Session, expression: str) -> None:
    await start(here, {"t": {"compute": {"v": expression}}})
    status = await ended(here)
    assert (status["phase"], status["failures"][0]["task"]) == ("Failed", "t")


async def test_times_and_durations_are_handed_on_as_text(here: Session) -> None:
    compute = {"at": "timestamp('2026-01-31T06:00:00Z')", "lasts": "duration('5400s')"}
    await start(here, {"t": {"compute": compute}})
    assert (await ended(here))["outputs"] == {"t": {"at": "2026-01-31T06:00:00Z", "lasts": "1h30m0s"}}


async def test_a_status_that_would_not_be_stored_fails_the_run(here: Session) -> None:
    text = {"type": "string", "default": ""}
    item = {
        "forEach": {"range": {"stop": 500}},
        "compute": {"text": "params.text"},
        "produces": [{"name": "a", "partition": "p$[[ index ]]", "metadata": {"m": "$[[ outputs.text ]]"}}],
    }
    await start(
        here, {"t": item}, given={"text": "x" * 900, "bulk": "x" * 250_000}, params={"text": text, "bulk": text}
    )
    status = await ended(here, seconds=60)
    assert (status["phase"], reason(status)) == ("Failed", "StatusTooLarge")
    assert "KiB large, and its object has room for" in status["message"]


async def test_params_that_are_too_large_fail_the_run_and_hold_no_other_back(here: Session) -> None:
    await apply(here, {"t": {"compute": {"n": "1"}}}, params={"text": {"default": ""}}, maxActiveRuns=1)
    await here.client.create(RUNS, "default", run_body("d", {"text": "x" * 900_000}, "large"))
    await here.client.create(RUNS, "default", run_body("d", {"text": "x"}, "small"))
    status = await ended(here, "large")
    assert (status["phase"], reason(status)) == ("Failed", "InvalidParams")
    assert "878 KiB large together, and a run takes 256 KiB" in status["message"] and "params" not in status
    assert (await ended(here, "small"))["phase"] == "Succeeded"


@pytest.fixture
def unplannable(monkeypatch: pytest.MonkeyPatch) -> None:
    """The run's data break the planner, once it has started a pod."""
    decide = Planner.decide

    def broken(self: Planner, now: float) -> Any:
        if self.ledger.run.name == "r" and self.live("t"):
            raise TypeError("Recursion limit reached")
        return decide(self, now)

    monkeypatch.setattr(Planner, "decide", broken)


SLEEP: Body = {"t": {"script": {"shell": "sleep 600"}}}


async def unreadable(here: Session) -> bool:
    status = (await here.client.get(RUNS, "default", "r")).get("status") or {}
    return any(item["type"] == "Readable" and "Recursion" in item["message"] for item in status.get("conditions") or [])


async def stopped(here: Session) -> bool:
    pods = (await here.client.list(PODS, "default"))["items"]
    return all("deletionTimestamp" in pod["metadata"] or pod["status"]["phase"] == "Failed" for pod in pods)


@pytest.mark.usefixtures("unplannable")
@pytest.mark.parametrize("desired", ["Cancelled", "Terminated"])
async def test_a_run_that_can_not_be_planned_ends_when_someone_says_so(here: Session, desired: str) -> None:
    await start(here, SLEEP)
    await eventually(lambda: unreadable(here))
    await here.client.patch(RUNS, "default", "r", {"spec": {"desiredState": desired}})
    status = await ended(here)
    assert status["phase"] == "Cancelled" and "could not be planned: TypeError" in status["message"]
    await eventually(lambda: stopped(here))


@pytest.mark.usefixtures("unplannable")
async def test_a_run_that_can_not_be_planned_ends_at_its_timeout(here: Session) -> None:
    await start(here, SLEEP, timeout="3s")
    status = await ended(here)
    assert (status["phase"], reason(status)) == ("Failed", "RunTimeout")
    assert status["message"].startswith("the run took longer than its timeout; it could not be planned: TypeError")
    await eventually(lambda: stopped(here))


async def test_a_pod_that_nobody_understands_ends_its_attempt_only(
    here: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    observe = tracker.observe

    def broken(pod: Any, *rest: Any) -> Any:
        if "-odd-" in pod.metadata.name and pod.over:
            raise OverflowError("int too large")
        return observe(pod, *rest)

    monkeypatch.setattr(tracker, "observe", broken)
    await start(here, {"odd": {"script": {"shell": "true"}}, "even": {"script": {"shell": "true"}}})
    status = await ended(here)
    assert [(item["task"], item["reason"]) for item in status["failures"]] == [("odd", "OutputInvalid")]
    assert "OverflowError" in status["failures"][0]["message"] and status["done"] == 2


async def test_a_run_whose_status_can_not_be_read_ends_when_someone_says_so(here: Session) -> None:
    await start(here, SLEEP)
    await eventually(lambda: alive(here))
    run = await here.client.get(RUNS, "default", "r")
    run["status"] |= {"attempts": "no attempts at all", "startedAt": "yesterday"}
    await here.client.replace(RUNS, "default", "r", run, "status")
    await eventually(lambda: condition(here, "Readable"))
    await here.client.patch(RUNS, "default", "r", {"spec": {"desiredState": "Terminated"}})
    status = await ended(here)
    assert status["phase"] == "Cancelled" and "its status could not be read" in status["message"]
    await eventually(lambda: stopped(here))


async def alive(here: Session) -> bool:
    return bool((await here.client.list(PODS, "default"))["items"])


async def condition(here: Session, kind: str) -> bool:
    status = (await here.client.get(RUNS, "default", "r")).get("status") or {}
    return any(item["type"] == kind for item in status.get("conditions") or [])
