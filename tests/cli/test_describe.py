"""`tradewind describe run`: why each task waits, and which tasks determined how long the run took."""

import json
import re
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from tradewind import API_VERSION
from tradewind.control.pods.names import pod_name
from tradewind.control.triggers.run_maker import CAUSE
from tradewind.kube.labels import BACKFILL, HOW, TRIGGER
from tradewind.kube.pod import Metadata, Pod
from tradewind.kube.resources import BACKFILLS, DAGS, PODS, RUNS, TEMPLATES
from tradewind.look.waiting.stopping import stopping

from cli.scene import Scene, main, scene, scheduled

RUNNING = {"phase": "Running", **main(running={"startedAt": "2001-01-01T00:00:00Z"}), **scheduled(True)}


@pytest.fixture
async def here(tmp_path: Path) -> AsyncIterator[Scene]:
    async with scene(tmp_path) as made:
        yield made


async def described(here: Scene, name: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(await here.tradewind("describe", "run", name, "-o", "json"))
    return found


async def test_a_blocked_task_names_the_dependencies_that_it_waits_for(here: Scene) -> None:
    many = {f"m{number}": {"dependsOn": ["load"]} for number in range(8)}
    tasks = {
        "done": {},
        "load": {},
        "clean": {},
        "join": {"dependsOn": ["done", "load", "clean"]},
        "last": {"dependsOn": ["join", "load"]},
        **many,
        "all": {"dependsOn": list(many)},
        "each": {"dependsOn": ["load"], "forEach": {"range": {"stop": 2}}},
        "chained": {"dependsOn": ["each"], "forEach": {"itemsOf": "each"}},
    }
    await here.run("blocked-1", tasks, {"attempts": "done 0+1"})
    for task in ("load", "clean"):
        await here.pod("blocked-1", task, "n1", **RUNNING)
    waits = {name: task.get("wait") for name, task in (await described(here, "blocked-1"))["tasks"].items()}
    assert waits["done"] is None and waits["load"]["cause"] == "running"
    assert {name: waits[name]["message"] for name in ("join", "last", "all", "each", "chained")} == {
        "join": "waits for clean, load (running)",
        "last": "waits for load (running), join (blocked)",
        "all": "waits for m0, m1, m2, m3, m4 (blocked) and 3 more",
        "each": "waits for load (running)",
        "chained": "waits for each (blocked)",
    }
    assert "waits for clean, load (running)" in await here.tradewind("describe", "run", "blocked-1")


async def test_a_task_that_could_start_says_what_holds_it_and_until_when(here: Scene) -> None:
    tasks = {
        "first": {"pools": [{"name": "p"}]},
        "second": {"pools": [{"name": "p"}]},
        "again": {"retries": {"limit": 3, "backoff": {"initial": "1h", "max": "2h", "jitter": 0}}},
        "homeless": {},
    }
    waiting = [{"task": "first", "reason": "PoolFull", "message": "Pool 'p': 1 of 1 slot is held"}]
    await here.run("held-1", tasks, {"attempts": "again 0+1 =1 Error", "waiting": waiting})
    await here.pod("held-1", "homeless", phase="Pending", **scheduled(False, "0/1 nodes are available"))
    waits = {name: task["wait"] for name, task in (await described(here, "held-1"))["tasks"].items()}
    assert waits["second"]["cause"] == "pool" and waits["second"]["message"] == "Pool 'p': 1 of 1 slot is held"
    assert waits["again"]["cause"] == "back-off" and waits["again"]["until"] > waits["again"]["since"]
    assert waits["homeless"]["cause"] == "scheduling" and waits["homeless"]["message"] == "0/1 nodes are available"
    text = await here.tradewind("describe", "run", "held-1")
    assert "attempt 2 starts 3600 s after attempt 1 ended with Error (in " in text
    assert text.count("Pool 'p': 1 of 1 slot is held") == 2


async def test_the_critical_path_of_a_run_is_told_with_what_its_time_went_to(here: Scene) -> None:
    tasks = {"load": {"retries": {"limit": 1}}, "quick": {}, "join": {"dependsOn": ["load", "quick"]}}
    attempts = "load 0+10 =1 Error\nquick 0+3\nload 20+20 #2\njoin 50+50"
    await here.run("path-1", tasks, {"attempts": attempts, "phase": "Succeeded"})
    assert (await described(here, "path-1"))["criticalPath"] == [
        {"task": "load", "waited": 0, "retried": 20, "ran": 20, "share": 0.4},
        {"task": "join", "waited": 10, "retried": 0, "ran": 50, "share": 0.6},
    ]
    text = await here.tradewind("describe", "run", "path-1")
    assert "Critical path: 1m40s from the run's beginning to the last end (timestamps are whole seconds)" in text
    table = [line.split() for line in text.partition("Critical path")[2].splitlines()[1:]]
    assert table == [
        ["TASK", "WAITED", "RETRIED", "RAN", "SHARE"],
        ["load", "-", "20s", "20s", "40%"],
        ["join", "10s", "-", "50s", "60%"],
    ]


async def test_the_critical_path_of_a_run_under_way_ends_in_what_runs_now(here: Scene) -> None:
    tasks = {"load": {}, "join": {"dependsOn": ["load"]}, "end": {"dependsOn": ["join"]}}
    await here.run("now-1", tasks, {"attempts": "load 0+0"})
    await here.pod("now-1", "join", "n1", **RUNNING)
    assert [step["task"] for step in (await described(here, "now-1"))["criticalPath"]] == ["load", "join"]
    await here.run("none-1", tasks)
    assert (await described(here, "none-1"))["criticalPath"] == []
    assert "Critical path" not in await here.tradewind("describe", "run", "none-1")


async def test_conditions_for_programs_are_left_to_programs(here: Scene) -> None:
    """Ready repeats what Progressing and Succeeded say."""
    told = [
        {"type": kind, "status": status, "reason": "Running", "lastTransitionTime": "2001-01-01T00:00:00Z"}
        for kind, status in (("Progressing", "True"), ("Ready", "False"), ("Reconciling", "True"))
    ]
    await here.run("going-1", {"a": {}}, {"conditions": told})
    shown = await here.tradewind("describe", "run", "going-1")
    assert "Progressing:" in shown and "Ready:" not in shown and "Reconciling" not in shown


async def test_what_did_not_run_here_says_so_though_it_counts_as_succeeded(here: Scene) -> None:
    attempts = (
        "a 0+1 =1 Error\na ~Succeeded marked by hand by ada: known to be fine\n"
        "b ~Succeeded reused from run old-1\nc ~Succeeded not run: it is not in spec.reuse.only\nd 0+1"
    )
    failures = [{"task": "a", "attempt": 1, "reason": "Error", "message": "exit code 1"}]
    tasks = {name: {} for name in "abcd"}
    await here.run("hand-1", tasks, {"attempts": attempts, "failures": failures, "phase": "Succeeded"})
    assert {name: task["message"] for name, task in (await described(here, "hand-1"))["tasks"].items()} == {
        "a": "marked by hand by ada: known to be fine",
        "b": "reused from run old-1",
        "c": "not run: it is not in spec.reuse.only",
        "d": "",
    }
    text = await here.tradewind("describe", "run", "hand-1")
    assert "marked by hand by ada: known to be fine" in text and "exit code 1" not in text


async def test_a_backfill_shows_its_progress_and_what_comes_next(here: Scene) -> None:
    spec = {"dag": "etl", "start": "2026-01-01", "end": "2026-01-31", "cron": "0 0 * * *"}
    body = {"apiVersion": API_VERSION, "kind": "Backfill", "metadata": {"name": "january"}, "spec": spec}
    await here.client.create(BACKFILLS, "default", body)
    assert "not seen by an operator yet" in await here.tradewind("describe", "backfill", "january")
    preview = [{"tick": "2026-01-13T00:00:00Z", "action": "Create"}]
    status = {"phase": "Running", "message": "2 runs are active", "progress": "12/31", "active": 2, "succeeded": 11}
    status |= {"failed": 1, "failures": ["etl-x1"], "preview": preview}
    await here.client.patch(BACKFILLS, "default", "january", {"status": status}, "status")
    said = await here.tradewind("describe", "backfill/january")
    assert "Running: 2 runs are active" in said and "12/31 (2 active, 11 succeeded, 1 failed)" in said
    assert "2026-01-13T00:00:00Z  Create" in said and "Runs that failed: etl-x1" in said
    data = json.loads(await here.tradewind("describe", "backfill", "january", "-o", "json"))
    assert data["backfill"]["status"]["progress"] == "12/31"


async def test_a_task_that_is_being_stopped_says_since_when_and_for_how_long_at_most(here: Scene) -> None:
    await here.run("stopped-1", {"slow": {}, "young": {}, "on": {}})
    for task, status in (("slow", RUNNING), ("young", {"phase": "Pending", **scheduled(True)}), ("on", RUNNING)):
        await here.pod("stopped-1", task, "n1", **status)
    for task in ("slow", "young"):
        await here.client.delete(PODS, "default", pod_name("stopped-1", task, 1))
    said = re.compile(r"being stopped for \d+s: its container has up to 30s to end \(gracePeriod\)")
    tasks = (await described(here, "stopped-1"))["tasks"]
    for task, expected in (("slow", True), ("young", True), ("on", False)):
        for words in (tasks[task]["message"], tasks[task]["wait"]["message"]):
            assert bool(said.fullmatch(words)) == expected, (task, words)
        assert tasks[task]["wait"]["cause"] == "running"
    assert len(said.findall(await here.tradewind("describe", "stopped-1"))) == 2


def test_a_pod_that_is_stopped_for_longer_than_it_may_hints_at_its_node() -> None:
    meta = Metadata(deletion_timestamp=datetime.fromtimestamp(1_000, UTC), deletion_grace_period_seconds=30)
    pod = Pod(metadata=meta)
    assert stopping(pod, 982.0) == "being stopped for 12s: its container has up to 30s to end (gracePeriod)"
    assert (
        stopping(pod, 1_015.0)
        == "being stopped for 45s, longer than its container's gracePeriod of 30s: is its node gone?"
    )
    assert stopping(Pod(metadata=Metadata()), 0.0) == ""


async def test_a_backfill_that_fails_names_its_failed_runs(here: Scene) -> None:
    spec = {"dag": "etl", "start": "2026-01-01", "end": "2026-01-31", "cron": "0 0 * * *"}
    body = {"apiVersion": API_VERSION, "kind": "Backfill", "metadata": {"name": "january"}, "spec": spec}
    await here.client.create(BACKFILLS, "default", body)
    status = {"phase": "Failed", "message": "4 of 31 runs failed", "progress": "31/31", "failed": 4}
    status |= {"failures": [f"january-{number}" for number in range(4)]}
    await here.client.patch(BACKFILLS, "default", "january", {"status": status}, "status")
    words = "4 of 31 runs failed; failed: january-0, january-1, january-2 and 1 more\n"
    for command, begin in (("watch", "Failed 31/31: "), ("wait", "backfill/january Failed: ")):
        process = await here.start(command, "backfill/january")
        assert (await process.communicate())[0].decode() == begin + words


RUN_OF = {HOW: "backfill", TRIGGER: "nightly"}


@pytest.mark.parametrize(
    ("labels", "cause", "get", "describe"),
    [
        ({**RUN_OF, f"{BACKFILL}may": "true"}, "", "backfill/may", "backfill (may)"),
        (
            {**RUN_OF, f"{BACKFILL}may": "true", f"{BACKFILL}june": "true"},
            "Backfill may, tick 1",
            "backfill/may",
            "backfill (may)",
        ),
        ({**RUN_OF, HOW: "schedule", f"{BACKFILL}may": "true"}, "", "schedule/nightly", "schedule (nightly)"),
        ({HOW: "manual"}, "", "manual", "manual"),
    ],
)
async def test_what_made_a_run(here: Scene, labels: dict[str, str], cause: str, get: str, describe: str) -> None:
    await here.queued("etl-1", "etl")
    await here.client.patch(RUNS, "default", "etl-1", {"metadata": {"labels": labels, "annotations": {CAUSE: cause}}})
    assert get in (await here.tradewind("get", "runs")).split()
    assert re.search(rf"Made by: +{re.escape(describe)}\n", await here.tradewind("describe", "etl-1"))


async def test_the_wide_list_says_why_a_dag_or_a_template_is_invalid(here: Scene) -> None:
    why = {
        "type": "Valid",
        "status": "False",
        "reason": "Invalid",
        "message": "spec.tasks.a: no\nmore",
        "lastTransitionTime": "2026-01-01T00:00:00Z",
    }
    other = {**why, "type": "Ready", "message": "another"}
    for resource, spec in (
        (DAGS, {"tasks": {"a": {"image": "x"}}}),
        (TEMPLATES["TaskTemplate"], {"task": {"image": "x"}}),
    ):
        body = {"apiVersion": API_VERSION, "kind": resource.kind, "metadata": {"name": "etl"}, "spec": spec}
        await here.client.create(resource, "default", body)
        status = {"phase": "Invalid", "conditions": [other, why]}
        await here.client.patch(resource, "default", "etl", {"status": status}, "status")
        head, row = (await here.tradewind("get", resource.plural, "-o", "wide")).splitlines()
        assert head.split()[-1] == "MESSAGE" and row.endswith("  spec.tasks.a: no"), row
        assert "spec.tasks.a" not in await here.tradewind("get", resource.plural)


async def test_a_long_message_does_not_lengthen_other_rows(here: Scene) -> None:
    long = {"task": "a", "reason": "PodLost", "message": "m" * 300, "attempt": 1}
    await here.run(
        "long-1", {"a": {}, "b": {}}, {"phase": "Failed", "attempts": "a 0+1 =1 Error\nb 0+1", "failures": [long]}
    )
    await here.queued("long-2", "long", {"message": "m" * 300})
    await here.queued("long-3", "long", {"message": "short"})
    for arguments in (("describe", "long-1"), ("get", "runs", "-o", "wide")):
        rows = (await here.tradewind(*arguments)).splitlines()
        assert any(len(row) > 300 for row in rows) and all(len(row) < 200 for row in rows if "mmm" not in row), rows


async def test_a_message_about_a_start_is_dropped_once_there_is_a_pod(here: Scene) -> None:
    held = {"reason": "Parallelism", "message": "waits its turn"}
    await here.run("late-1", {"a": {}, "b": {}}, {"waiting": [{"task": name, **held} for name in ("a", "b")]})
    await here.pod("late-1", "a", "n1", phase="Pending", **scheduled(True))
    tasks = (await described(here, "late-1"))["tasks"]
    assert (tasks["a"]["message"], tasks["b"]["message"]) == ("", "waits its turn")


async def test_deleting_a_dag_says_what_becomes_of_its_runs(here: Scene) -> None:
    body = {
        "apiVersion": API_VERSION,
        "kind": "DAG",
        "metadata": {"name": "etl"},
        "spec": {"tasks": {"a": {"image": "x"}}},
    }
    await here.client.create(DAGS, "default", body)
    for name, phase in (("etl-1", "Running"), ("etl-2", "Failed"), ("etl-3", "Succeeded"), ("other-1", "Running")):
        await here.queued(name, name.partition("-")[0], {"phase": phase})
    assert (
        await here.tradewind("delete", "dag/etl") == "dag/etl deleted; 1 active run continues, 2 ended runs are kept\n"
    )
    await here.client.create(DAGS, "default", {**body, "metadata": {"name": "unused"}})
    assert await here.tradewind("delete", "dag/unused") == "dag/unused deleted\n"


async def test_a_dag_is_shown_with_its_local_dags_and_who_asks_for_one_learns_who_runs_it(here: Scene) -> None:
    spec = {
        "tasks": {"go": {"dag": {"local": "part", "params": {"n": 1}}}},
        "dags": {"part": {"params": {"n": {"type": "integer"}}, "tasks": {"load": {"compute": {"x": "params.n"}}}}},
    }
    body = {"apiVersion": API_VERSION, "kind": "DAG", "metadata": {"name": "whole"}, "spec": spec}
    await here.client.create(DAGS, "default", body)
    said = await here.tradewind("describe", "dag", "whole")
    assert re.search(r"go +local dag part", said), said
    assert re.search(r"Local DAG: +part\nParam: +n \(integer\)\nTASK +DOES +AFTER\nload +compute", said), said
    _, told = await (await here.start("run", "whole.part")).communicate()
    assert b"part is a local DAG of whole, which only its tasks run: `tradewind run whole`" in told, told


async def test_a_dag_is_shown_with_its_deadline_and_the_labels_of_its_runs(here: Scene) -> None:
    spec = {"deadline": "2h", "runLabels": {"team": "sales", "on": "$[[ run.date ]]"}, "tasks": {"a": {"image": "x"}}}
    await here.client.create(
        DAGS, "default", {"apiVersion": API_VERSION, "kind": "DAG", "metadata": {"name": "etl"}, "spec": spec}
    )
    said = await here.tradewind("describe", "dag", "etl")
    assert re.search(r"Deadline: +2h\n", said) and "team=sales, on=$[[ run.date ]]" in said, said


async def test_a_run_of_a_local_dag_is_shown_and_not_run_again_alone(here: Scene) -> None:
    dags = {"part": {"tasks": {"load": {}, "sum": {"dependsOn": ["load"]}}}}
    await here.run("whole-1", {"go": {"dag": {"local": "part"}, "command": []}}, dags=dags)
    revision = (await here.client.get(RUNS, "default", "whole-1"))["status"]["revision"]
    status = {"phase": "Running", "revision": f"{revision}.part", "startedAt": "2026-01-01T00:00:00Z"}
    await here.queued("whole-1-go-1", "whole.part", status)
    assert set((await described(here, "whole-1-go-1"))["tasks"]) == {"load", "sum"}
    _, told = await (await here.start("rerun", "whole-1-go-1")).communicate()
    words = b"dagrun/whole-1-go-1 runs whole.part, which only tasks of dag/whole run: `tradewind retry whole-1-go-1`"
    assert words in told, told
