"""Revisions on a real (embedded) API server: numbers, races, and what is deleted."""

import asyncio
import time
from collections.abc import AsyncIterator
from types import SimpleNamespace
from typing import Any

import orjson
import pytest
from tradewind import API_VERSION
from tradewind.control.dagrun.run import read_run
from tradewind.control.dags.reconciler import DAGReconciler
from tradewind.control.dags.revisions import CAUSE, Revision, Revisions, change_cause, revision_name, written
from tradewind.control.dags.template_index import Templates
from tradewind.control.retention import revisions as revisionhistory
from tradewind.control.retention.revisions import RevisionHistory
from tradewind.control.shared.event_recorder import EventRecorder
from tradewind.kube.client import Client
from tradewind.kube.connection import Connection
from tradewind.kube.errors import ApiError, Invalid
from tradewind.kube.resources import DAGS, REVISIONS, RUNS
from tradewind.local.apiserver import ApiServer, Fault
from tradewind.model.crd import manifests
from tradewind.plan.dags.compile import define
from worlds.world import eventually

Body = dict[str, Any]


def spec(word: str, **more: Any) -> Body:
    return {"defaults": {"image": "x"}, "tasks": {"a": {"command": ["echo", word]}}, **more}


class Counting(Client):
    """Counts its requests by verb."""

    def __init__(self, connection: Connection) -> None:
        super().__init__(connection)
        self.asked: list[str] = []

    async def _request(self, method: str, verb: str, resource: Any, *rest: Any, **more: Any) -> bytes:
        self.asked.append(f"{verb} {resource.plural}")
        return await super()._request(method, verb, resource, *rest, **more)


@pytest.fixture
async def server() -> AsyncIterator[ApiServer]:
    async with ApiServer(crds=manifests(), token="test") as made:
        yield made


@pytest.fixture
async def client(server: ApiServer) -> AsyncIterator[Counting]:
    async with Counting(Connection(server.url, authorization=lambda: "Bearer test")) as made:
        yield made


async def stored(client: Client, dag: str = "d") -> dict[str, int]:
    """Numbers by name."""
    found = await client.list(REVISIONS, "default", labelSelector=f"tradewind.dev/dag={dag}")
    return {item["metadata"]["name"]: item["revision"] for item in found["items"]}


async def test_each_spec_gets_the_next_number_and_the_same_spec_the_same_revision(client: Counting) -> None:
    revisions = Revisions(client)
    made = [await revisions.record("default", "d", spec(word)) for word in ("one", "two", "one", "three", "two")]
    assert [item.number for item in made] == [1, 2, 1, 3, 2] and made[0] == made[2]
    assert await stored(client) == {
        revision_name("d", spec(word)): at for at, word in enumerate(("one", "two", "three"), 1)
    }
    assert (await Revisions(client).record("default", "other", spec("one"))).number == 1, "each DAG counts for itself"


async def test_a_process_that_knows_nothing_goes_on_counting(client: Counting) -> None:
    await Revisions(client).record("default", "d", spec("one"))
    again = Revisions(client)
    assert (await again.record("default", "d", spec("two"))).number == 2
    assert (await again.record("default", "d", spec("one"))).number == 1


async def test_thousands_of_runs_that_begin_ask_once(client: Counting) -> None:
    revisions, body = Revisions(client), spec("one")
    definition = define(body)
    bound = await asyncio.gather(*(revisions.bind("default", "d", body, definition) for _ in range(5_000)))
    assert set(bound) == {Revision(revision_name("d", body), 1)}
    assert (
        sorted(client.asked)
        == ["create controllerrevisions", "get controllerrevisions"] + ["list controllerrevisions"] * 2
    )
    assert await revisions.load("default", bound[0].name) is definition


async def test_two_operators_that_record_the_same_spec_make_one_revision(client: Counting) -> None:
    made = await asyncio.gather(*(Revisions(client).record("default", "d", spec("one")) for _ in range(5)))
    assert set(made) == {Revision(revision_name("d", spec("one")), 1)} and len(await stored(client)) == 1


async def test_operators_that_record_different_specs_at_once_give_out_no_number_twice(client: Counting) -> None:
    words = [f"w{at}" for at in range(6)]
    made = await asyncio.gather(*(Revisions(client).record("default", "d", spec(word)) for word in words))
    assert client.asked.count("update controllerrevisions") > 0, "nobody had to give way: the test shows nothing"
    assert len({item.number for item in made}) == len(words)
    assert await stored(client) == {item.name: item.number for item in made}


async def test_a_create_that_is_done_but_answered_with_an_error_is_found_again(
    server: ApiServer, client: Counting
) -> None:
    server.faults.add(Fault("error", verb="create", resource="controllerrevisions", code=500, after=True))
    revisions = Revisions(client)
    with pytest.raises(ApiError):
        await revisions.record("default", "d", spec("one"))
    assert (await revisions.record("default", "d", spec("one"))).number == 1
    assert len(await stored(client)) == 1


async def test_where_a_spec_was_rendered_both_are_kept_and_both_count(client: Counting) -> None:
    revisions, source = Revisions(client), {"template": "t"}
    first = await revisions.record("default", "d", spec("one"), source=source)
    changed = await revisions.record("default", "d", spec("two"), source=source)
    plain = await revisions.record("default", "d", spec("one"))
    assert [item.number for item in (first, changed, plain)] == [1, 2, 3]
    assert await revisions.record("default", "d", spec("one"), source=spec("one")) == plain, "nothing was rendered"
    body = await client.get(REVISIONS, "default", changed.name)
    assert body["data"] == {"spec": spec("two"), "source": source} and written(body) == source
    assert written(await client.get(REVISIONS, "default", plain.name)) == spec("one")


async def test_the_content_of_a_revision_can_not_be_changed(client: Counting) -> None:
    made = await Revisions(client).record("default", "d", spec("one"))
    with pytest.raises(Invalid, match=r"data: .*immutable"):
        await client.patch(REVISIONS, "default", made.name, {"data": {"spec": spec("two")}})


def test_the_cause_of_a_change_is_the_dags_annotation_but_not_a_rollback_of_before() -> None:
    def cause(words: str | None) -> str:
        return change_cause({"metadata": {"annotations": {CAUSE: words}} if words is not None else {}})

    assert [cause("ticket 7"), cause(None), cause("rollback to 3")] == ["ticket 7", "", ""]


async def dag(client: Client, body: Body, name: str = "d", **annotations: str) -> Body:
    made = {
        "apiVersion": API_VERSION,
        "kind": "DAG",
        "metadata": {"name": name, "annotations": annotations},
        "spec": body,
    }
    return dict(orjson.loads(await client.create(DAGS, "default", made)))


def reconciling(client: Client, revisions: Revisions | None = None) -> DAGReconciler:
    found, events = revisions or Revisions(client), EventRecorder(client, time.time)
    return DAGReconciler(client, events, found, Templates(client), lambda namespace, name, spec: None)


async def seen(reconciler: DAGReconciler, client: Client, name: str = "d") -> Body:
    """The DAG, after an operator has seen it."""
    reconciler.seen(await client.get(DAGS, "default", name), False)
    await reconciler.reconcile(("default", name))
    return await client.get(DAGS, "default", name)


async def test_a_dags_spec_is_recorded_when_it_is_seen_and_its_status_has_the_number(client: Counting) -> None:
    reconciler = reconciling(client)
    await dag(client, spec("one"), **{CAUSE: "the first"})
    assert (await seen(reconciler, client))["status"]["revision"] == 1
    await client.patch(DAGS, "default", "d", {"spec": {"tasks": {"a": {"command": ["echo", "two"]}}}})
    found = await seen(reconciler, client)  # at once: a status written a moment ago holds up no new spec
    assert found["status"]["revision"] == 2 and found["status"]["observedGeneration"] == 2
    name = next(name for name, number in (await stored(client)).items() if number == 1)
    assert (await client.get(REVISIONS, "default", name))["metadata"]["annotations"] == {CAUSE: "the first"}


async def test_an_invalid_spec_is_no_revision(client: Counting) -> None:
    reconciler = reconciling(client)
    await dag(client, spec("one"))
    await seen(reconciler, client)
    await client.patch(DAGS, "default", "d", {"spec": {"tasks": {"a": {"when": "nobody.knows"}}}})
    status = (await seen(reconciler, client))["status"]
    assert status["phase"] == "Invalid" and "revision" not in status and len(await stored(client)) == 1


async def test_a_dag_that_was_checked_before_there_were_numbers_gets_one(client: Counting) -> None:
    await dag(client, spec("one"))
    old = {"observedGeneration": 1, "phase": "Valid", "conditions": [
        {"type": "Valid", "status": "True", "reason": "Valid", "message": "", "lastTransitionTime": "2026-01-01T00:00:00Z"}
    ]}  # fmt: skip
    await client.patch(DAGS, "default", "d", {"status": old}, "status")
    reconciler = reconciling(client)
    assert (await seen(reconciler, client))["status"]["revision"] == 1


# What is deleted.


@pytest.fixture
async def kept(client: Counting, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Any]:
    """Six revisions of a DAG that keeps one, and a deleter that does not wait long."""
    monkeypatch.setattr(revisionhistory, "GRACE", 0.05)
    monkeypatch.setattr(revisionhistory, "REVISION_SWEEP_DELAY", 0.0)
    revisions = Revisions(client)
    reconciler = reconciling(client, revisions)
    await dag(client, spec("w1", revisionHistoryLimit=1))
    await seen(reconciler, client)
    for word in ("w2", "w3", "w4", "w5", "w6"):
        await client.patch(DAGS, "default", "d", {"spec": {"tasks": {"a": {"command": ["echo", word]}}}})
        await seen(reconciler, client)
    history = RevisionHistory(client, revisions)
    working = asyncio.create_task(history.queue.work(history.reconcile, history.failed))
    yield SimpleNamespace(client=client, history=history, revisions=revisions, reconciler=reconciler)
    working.cancel()
    await asyncio.gather(working, return_exceptions=True)


async def run(client: Client, name: str, revision: str) -> None:
    body = {"apiVersion": API_VERSION, "kind": "DAGRun", "metadata": {"name": name}, "spec": {"dag": "d"}}
    await client.create(RUNS, "default", body)
    await client.patch(RUNS, "default", name, {"status": {"phase": "Succeeded", "revision": revision}}, "status")


async def numbers(client: Client) -> list[int]:
    return sorted((await stored(client)).values())


async def named(client: Client, number: int) -> str:
    return next(name for name, found in (await stored(client)).items() if found == number)


async def until(client: Client, wanted: list[int]) -> None:
    async def there() -> bool:
        return await numbers(client) == wanted

    await eventually(there)


async def test_those_stay_that_runs_use_and_go_with_the_last_of_them(kept: Any) -> None:
    client = kept.client
    used = await named(client, 2)
    await run(client, "old", used)
    assert await numbers(client) == [1, 2, 3, 4, 5, 6]
    kept.history.queue.add(("default", "d"))
    await until(client, [2, 5, 6])
    gone = read_run(await client.get(RUNS, "default", "old"))
    await client.delete(RUNS, "default", "old")
    kept.history.run_seen(gone, deleted=True)
    await until(client, [5, 6])


async def test_those_stay_that_runs_under_way_call_and_go_when_the_caller_has_ended(kept: Any) -> None:
    client = kept.client
    calls = {"d": await named(client, 2)}
    body = {"apiVersion": API_VERSION, "kind": "DAGRun", "metadata": {"name": "caller"}, "spec": {"dag": "other"}}
    await client.create(RUNS, "default", body)
    await client.patch(RUNS, "default", "caller", {"status": {"phase": "Running", "calls": calls}}, "status")
    kept.history.queue.add(("default", "d"))
    await until(client, [2, 5, 6])
    kept.history.run_seen(read_run(await client.get(RUNS, "default", "caller")))
    ended = await client.patch(RUNS, "default", "caller", {"status": {"phase": "Succeeded"}}, "status")
    kept.history.run_seen(read_run(ended))
    await until(client, [5, 6])


async def test_of_a_dag_that_is_gone_only_those_stay_that_runs_use(kept: Any) -> None:
    client = kept.client
    await run(client, "old", await named(client, 3))
    body = await client.get(DAGS, "default", "d")
    await client.delete(DAGS, "default", "d")
    kept.history.dag_seen(body, True)
    await until(client, [3])
    await dag(client, spec("again"))
    assert (await seen(kept.reconciler, client))["status"]["revision"] == 4, "it goes on counting"


async def test_nothing_goes_while_the_dag_changes_or_its_status_is_behind(
    kept: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(revisionhistory, "GRACE", 30.0)  # so that only what is called here decides
    client, key = kept.client, ("default", "d")
    loop = asyncio.get_running_loop()
    await kept.history._reconcile(key, loop.time())
    await client.patch(DAGS, "default", "d", {"spec": {"tasks": {"a": {"command": ["echo", "w1"]}}}})
    await kept.history._reconcile(key, loop.time() + 60)  # its status still says 6
    assert await numbers(client) == [1, 2, 3, 4, 5, 6]
    assert (await seen(kept.reconciler, client))["status"]["revision"] == 1
    await kept.history._reconcile(key, loop.time() + 60)  # another generation: the wait starts over
    assert await numbers(client) == [1, 2, 3, 4, 5, 6]
    await kept.history._reconcile(key, loop.time() + 120)
    assert await numbers(client) == [1, 5, 6], "the current one, the newest, and one more"


async def test_one_that_was_deleted_is_made_again_when_it_is_needed(kept: Any) -> None:
    client, key = kept.client, ("default", "d")
    kept.history.queue.add(key)
    await until(client, [5, 6])
    await client.patch(DAGS, "default", "d", {"spec": {"tasks": {"a": {"command": ["echo", "w1"]}}}})
    assert (await seen(kept.reconciler, client))["status"]["revision"] == 7


async def test_of_a_dag_that_was_deleted_nothing_is_taken_for_known(kept: Any) -> None:
    client = kept.client
    body = await client.get(DAGS, "default", "d")
    await client.delete(DAGS, "default", "d")
    for name in await stored(client):
        await client.delete(REVISIONS, "default", name)
    kept.history.dag_seen(body, True)
    made = await kept.revisions.bind("default", "d", body["spec"], define(body["spec"]))
    assert await stored(client) == {made.name: 1}, "its namespace, or all of it, was made anew"


async def test_what_happened_while_nobody_looked_is_found(kept: Any) -> None:
    later = RevisionHistory(kept.client, Revisions(kept.client))
    working = asyncio.create_task(later.queue.work(later.reconcile, later.failed))
    await later._survey()
    await until(kept.client, [5, 6])
    working.cancel()


async def test_a_dag_from_a_template_keeps_as_many_as_the_template_says(client: Counting) -> None:
    """It keeps all while the template's setting is unknown."""
    history = RevisionHistory(client, Revisions(client))
    key = ("default", "d")
    body = {"metadata": {"namespace": "default", "name": "d"}, "spec": {"template": {"name": "t"}}}
    history.dag_seen(body, deleted=False)
    assert history._known[key].limit == revisionhistory.EVERYTHING
    history.spec_seen(*key, {"tasks": {}, "revisionHistoryLimit": 3})
    assert history._known[key].limit == 3
    history.dag_seen(body, deleted=False)
    assert history._known[key].limit == 3
