"""Local DAGs run as sub-DAGs do, at the revision of the DAG whose manifest holds them, and only its tasks run them."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from tradewind.cli.starts.wanted import run_body
from tradewind.control.dags.call_pins import current_pins
from tradewind.control.dags.template_index import rendered
from tradewind.kube.labels import ATTEMPT, DAG, DEPTH, HOW, ROOT, RUN, RUN_UID, TASK
from tradewind.kube.resources import APPROVALS, DAGS, RUNS
from tradewind.local.session import Session, session
from tradewind.model.run import FINAL_PHASES
from tradewind.plan.dags.compile import defined
from worlds.world import World, eventually

Body = dict[str, Any]
HOLD: Body = {"hold": {"approval": {"message": "go on?"}}}
DONE: Body = {"compute": {"ok": "true"}}


@pytest.fixture
async def here(tmp_path: Path) -> AsyncIterator[Session]:
    async with session(lambda: None, cwd=str(tmp_path)) as found:
        yield found


def call(name: str, **params: Any) -> Body:
    return {"dag": {"local": name, **({"params": params} if params else {})}}


async def apply(here: Session, name: str, tasks: Body, **spec: Any) -> None:
    await here.client.create(DAGS, "default", World("embedded", Path(), "default", "").dag(name, tasks, **spec))


async def start(here: Session, name: str, dag: str, **spec: Any) -> None:
    body = run_body(dag, spec.pop("params", {}), name)
    body["spec"] |= spec
    await here.client.create(RUNS, "default", body)


async def run(here: Session, name: str) -> Body:
    found: Body = await here.client.get(RUNS, "default", name)
    return found


async def status(here: Session, name: str) -> Body:
    return (await run(here, name)).get("status") or {}


async def reached(here: Session, name: str, phase: str) -> Body:
    async def there() -> Body | None:
        items = (await here.client.list(RUNS, "default"))["items"]
        found = {item["metadata"]["name"]: item.get("status") or {} for item in items}.get(name, {})
        return found if found.get("phase") == phase else None

    found: Body = await eventually(there)
    return found


async def ended(here: Session, name: str) -> Body:
    async def there() -> Body | None:
        found = await status(here, name)
        return found if found.get("phase") in FINAL_PHASES else None

    found: Body = await eventually(there)
    return found


async def names(here: Session) -> list[str]:
    return sorted(item["metadata"]["name"] for item in (await here.client.list(RUNS, "default"))["items"])


async def asked(here: Session) -> set[str]:
    """Names of the approvals that wait for a decision."""
    found = (await here.client.list(APPROVALS, "default"))["items"]
    return {item["metadata"]["name"] for item in found if (item.get("status") or {}).get("outcome") == "Pending"}


async def approve(here: Session, name: str) -> None:
    async def pending() -> bool:
        return name in await asked(here)

    await eventually(pending)
    await here.client.patch(APPROVALS, "default", name, {"spec": {"decision": "Approved", "by": "alice"}})


DIAMOND: Body = {
    "params": {"n": {"type": "integer"}},
    "outputs": {"n": "tasks.join.outputs.n"},
    "tasks": {
        "a": {"compute": {"n": "params.n"}},
        "b": {"dependsOn": ["a"], "compute": {"n": "tasks.a.outputs.n + 1"}},
        "c": {"dependsOn": ["a"], "compute": {"n": "tasks.a.outputs.n + 2"}},
        "join": {"dependsOn": ["b", "c"], "compute": {"n": "tasks.b.outputs.n + tasks.c.outputs.n"}},
    },
}


async def test_a_mapped_group_is_a_run_for_each_item_and_an_edit_does_not_change_it(here: Session) -> None:
    tasks = {
        **HOLD,
        "each": {"dependsOn": ["hold"], "forEach": {"items": [1, 2]}, **call("diamond", n="$[[ item ]]")},
        "sum": {"dependsOn": ["each"], "compute": {"n": "tasks.each.outputs.map(o, o.n)"}},
    }
    await apply(here, "mapped", tasks, dags={"diamond": DIAMOND}, maxActiveRuns=1)
    await start(here, "m", "mapped")
    began = await reached(here, "m", "Running")
    assert began["calls"] == {"mapped.diamond": f"{began['revision']}.diamond"}
    join = {"dependsOn": ["b", "c"], "compute": {"n": "0"}}
    await here.client.patch(DAGS, "default", "mapped", {"spec": {"dags": {"diamond": {"tasks": {"join": join}}}}})

    async def second() -> bool:
        dag = await here.client.get(DAGS, "default", "mapped")
        return bool((dag.get("status") or {}).get("revision") == 2)

    await eventually(second)
    await here.client.patch(DAGS, "default", "mapped", {"spec": {"suspend": True}})
    await approve(here, "m-hold-1")
    assert (await ended(here, "m"))["outputs"]["sum"] == {"n": [5, 7]}
    child = await run(here, "m-each-1-1")
    assert child["spec"]["dag"] == "mapped.diamond" and child["metadata"]["labels"][DAG] == "mapped"
    assert child["status"]["revision"] == f"{began['revision']}.diamond" and child["status"]["revisionNumber"] == 1
    dag = await here.client.get(DAGS, "default", "mapped")
    assert dag["status"]["lastRun"]["name"] == "m"


async def test_an_item_that_failed_is_tried_again_where_it_failed(here: Session) -> None:
    breaks = {"image": "x", "command": ["test", "$[[ run.name ]]", "!=", "r-each-1"], "retries": {"limit": 0}}
    part = {
        "params": {"n": {}},
        "tasks": {
            "first": {"compute": {"id": "run.name"}},
            "second": {"dependsOn": ["first"], **breaks},
            "hold": {"dependsOn": ["second"], **HOLD["hold"]},
        },
    }
    await apply(here, "again", {"each": {"retries": {"limit": 1}, **call("part", n="x")}}, dags={"part": part})
    await start(here, "r", "again")
    await reached(here, "r-each-1", "Failed")
    await approve(here, "r-each-2-hold-1")
    assert (await ended(here, "r"))["phase"] == "Succeeded"
    assert (await status(here, "r-each-2"))["outputs"]["first"] == {"id": "r-each-1"}
    clear = {"action": "Clear", "tasks": ["each"]}
    await here.client.patch(RUNS, "default", "r", {"spec": {"edits": [clear]}})
    await approve(here, "r-each-3-hold-1")
    assert (await ended(here, "r"))["phase"] == "Succeeded"
    assert (await status(here, "r-each-3"))["outputs"]["first"] == {"id": "r-each-3"}


async def test_local_dags_run_each_other_and_dags_of_the_namespace(here: Session) -> None:
    await apply(
        here,
        "other",
        {"x": call("inner")},
        outputs={"w": "tasks.x.outputs.w"},
        dags={"inner": {"outputs": {"w": "run.dag"}, "tasks": {"x": DONE}}},
    )
    dags = {
        "one": {"outputs": {"w": "tasks.x.outputs.w"}, "tasks": {"x": call("two")}},
        "two": {"outputs": {"w": "tasks.x.outputs.w"}, "tasks": {"x": {"dag": {"name": "other"}}}},
    }
    await apply(here, "outer", {"x": call("one")}, outputs={"w": "tasks.x.outputs.w"}, dags=dags)
    await start(here, "o", "outer")
    found = await ended(here, "o")
    assert found["results"] == {"w": "other.inner"}, found
    assert set(found["calls"]) == {"outer.one", "outer.two", "other", "other.inner"}


async def test_a_dag_that_appears_later_runs_its_local_dags(here: Session) -> None:
    await apply(here, "there", {"x": DONE})
    tasks = {"a": {"dag": {"name": "there"}}, "b": {"dependsOn": ["a"], "dag": {"name": "late"}}}
    await apply(here, "early", tasks)
    await start(here, "e", "early")

    async def waits() -> bool:
        return "e-b-1" in await names(here)

    await eventually(waits)
    await apply(here, "late", {"x": call("in")}, dags={"in": {"tasks": {"x": DONE}}})
    assert (await ended(here, "e"))["phase"] == "Succeeded"


async def test_cancelling_reaches_the_runs_of_local_dags(here: Session) -> None:
    await apply(here, "stops", {"x": call("in")}, dags={"in": {"tasks": HOLD}})
    await start(here, "s", "stops")
    await reached(here, "s-x-1", "Running")
    await here.client.patch(RUNS, "default", "s", {"spec": {"desiredState": "Cancelled"}})
    assert (await ended(here, "s"))["phase"] == "Cancelled"
    assert (await ended(here, "s-x-1"))["phase"] == "Cancelled"


async def test_people_do_not_run_a_local_dag(here: Session) -> None:
    await apply(here, "whole", {"x": call("in")}, dags={"in": {"tasks": {"x": DONE}}})
    await start(here, "mine", "whole.in")
    found = await ended(here, "mine")
    assert (found["phase"], found["message"]) == (
        "Failed",
        "spec.dag: whole.in is local to DAG whole, and only its tasks run it; run whole",
    )


def forged(caller: Body, dag: str, task: str = "sub", number: int = 1) -> Body:
    """A run that says that it is the caller's."""
    name, uid = caller["metadata"]["name"], caller["metadata"]["uid"]
    body = run_body(dag, {}, f"{name}-{task}-{number}")
    at = caller["metadata"]["creationTimestamp"]
    body["spec"] |= dict.fromkeys(("logicalDate", "intervalStart", "intervalEnd"), at)
    labels = {RUN_UID: uid, RUN: name, TASK: task, ATTEMPT: str(number), DEPTH: "1", ROOT: uid, HOW: "parent"}
    body["metadata"]["labels"] |= labels
    owner = {"apiVersion": "tradewind.dev/v1alpha1", "kind": "DAGRun", "name": name, "uid": uid, "controller": True}
    body["metadata"]["ownerReferences"] = [owner]
    return body


GATED: Body = {**HOLD, "sub": {"dependsOn": ["hold"], **call("deploy")}}


@pytest.mark.parametrize("number", [1, 2])
async def test_a_forged_run_of_a_local_dag_begins_no_sooner_than_its_caller_calls_it(
    here: Session, number: int
) -> None:
    """What stands after an approval stays after it, since a local DAG is no DAG that people may run."""
    await apply(here, "gated", GATED, dags={"deploy": {"tasks": {"x": DONE}}})
    await start(here, "g", "gated")
    await reached(here, "g", "Running")
    made = forged(await run(here, "g"), "gated.deploy", number=number)
    await here.client.create(RUNS, "default", made)
    name = made["metadata"]["name"]
    found = await reached(here, name, "Queued")
    assert found["message"] == "begins when a task of run g calls it"
    await approve(here, "g-hold-1")
    assert (await ended(here, "g"))["phase"] == "Succeeded"
    assert (await ended(here, "g-sub-1"))["phase"] == "Succeeded"
    assert number == 1 or (await ended(here, name))["phase"] == "Cancelled"


async def test_a_forged_run_of_a_local_dag_does_not_begin_while_its_caller_is_suspended(here: Session) -> None:
    await apply(here, "gated", GATED, dags={"deploy": {"tasks": {"x": DONE}}})
    await start(here, "g", "gated")
    await reached(here, "g", "Running")
    await here.client.patch(RUNS, "default", "g", {"spec": {"desiredState": "Suspended"}})
    await approve(here, "g-hold-1")

    async def ready() -> bool:
        waiting = (await status(here, "g")).get("waiting") or []
        return any(item["reason"] == "Suspended" for item in waiting)

    await eventually(ready)
    await here.client.create(RUNS, "default", forged(await run(here, "g"), "gated.deploy"))
    assert (await reached(here, "g-sub-1", "Queued"))["message"] == "begins when a task of run g calls it"
    await here.client.patch(RUNS, "default", "g", {"spec": {"desiredState": "Running"}})
    assert (await ended(here, "g"))["phase"] == "Succeeded"


async def test_a_forged_run_of_another_local_dag_is_refused(here: Session) -> None:
    dags = {"deploy": {"tasks": {"x": DONE}}, "secret": {"tasks": {"x": DONE}}}
    await apply(here, "gated", {**GATED, "other": {"dependsOn": ["sub"], **call("secret")}}, dags=dags)
    await start(here, "g", "gated")
    await reached(here, "g", "Running")
    for dag, task in (("gated.secret", "sub"), ("gated.deploy", "hold"), ("gated.none", "sub")):
        body = forged(await run(here, "g"), dag)
        body["metadata"]["labels"][TASK] = task
        body["metadata"]["name"] = f"g-{task}-1"
        await here.client.create(RUNS, "default", body)
        assert "only its tasks run it" in (await ended(here, f"g-{task}-1"))["message"]
        await here.client.delete(RUNS, "default", f"g-{task}-1")


async def test_an_approval_in_a_local_dag_is_not_passed_by_an_edit_or_a_run_of_some_tasks(here: Session) -> None:
    tasks = {"before": DONE, "sub": {"dependsOn": ["before"], **call("asks")}, "after": {"dependsOn": ["sub"], **DONE}}
    await apply(here, "pays", tasks, dags={"asks": {"tasks": {"x": call("deeper")}}, "deeper": {"tasks": HOLD}})
    await start(here, "only", "pays", only=["after"])
    found = await ended(here, "only")
    assert found["phase"] == "Failed" and "approval sub is needed" in found["message"]
    await start(here, "p", "pays")
    await reached(here, "p-sub-1-x-1", "Running")
    edits = [{"action": "Succeed", "tasks": ["sub"]}, {"action": "Succeed", "tasks": ["after"]}]
    await here.client.patch(RUNS, "default", "p", {"spec": {"edits": edits}})

    async def judged() -> bool:
        return bool((await status(here, "p")).get("edited") == 2)

    await eventually(judged)
    assert (await status(here, "p"))["phase"] == "Running"
    await approve(here, "p-sub-1-x-1-hold-1")
    assert (await ended(here, "p"))["phase"] == "Succeeded"
    again = {"reuse": {"run": "p"}, "logicalDate": (await run(here, "p"))["metadata"]["creationTimestamp"]}
    await start(here, "same", "pays", **again)
    assert (await ended(here, "same"))["phase"] == "Succeeded" and await asked(here) == set()
    definition = defined(await rendered(here.client, "default", "pays"))
    assert await current_pins(here.client, "default", definition, "pays") == (await status(here, "p"))["calls"]
    patch = {"spec": {"dags": {"deeper": {"tasks": {"more": DONE}}}}}
    await here.client.patch(DAGS, "default", "pays", patch)
    await start(here, "changed", "pays", **again)
    await approve(here, "changed-sub-1-x-1-hold-1")
    assert (await ended(here, "changed"))["phase"] == "Succeeded"
