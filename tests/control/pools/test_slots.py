"""Live pods hold slots of a pool, and so does what may have become one; nothing else does."""

import asyncio
from collections import Counter
from functools import partial
from typing import Any, cast

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tradewind.control.dagrun.run import read_run
from tradewind.control.dagrun.state import RunState
from tradewind.control.dagrun.task_states import claims
from tradewind.control.execution.pod_starter import PodStarter
from tradewind.control.pods.launcher import Launched, PodLauncher, Prepared
from tradewind.control.pools.book import PoolBook, User, status
from tradewind.control.pools.holders import Holders
from tradewind.kube.errors import NotFound, Unavailable
from tradewind.kube.pod import Owner, Pod
from tradewind.kube.pod_informer import PodInformer
from tradewind.kube.resources import Resource
from tradewind.model.pool import PoolClaim
from tradewind.plan.dags.compile import define
from tradewind.plan.documents.problem import Invalid
from tradewind.plan.outcomes.attempt import parse_key
from tradewind.plan.runs.decision import Start
from tradewind.plan.runs.planner import Planner
from worlds.world import eventually

from control.pod_bodies import pod, terminated

DAG = define({"tasks": {"a": {"image": "x", "pools": [{"name": "p"}]}}})
POOL = ("Pool", "ns", "p")


class Answers(PodLauncher):
    """Answers every launch with a pod, or with an error."""

    def __init__(self) -> None:
        self.answer: Pod | Exception = Unavailable(504, "Timeout", "nobody knows")

    def prepare(self, start: Start, planner: Planner) -> Prepared:
        return Prepared(start, planner.ledger.run, "", b"")

    async def launch(self, pod: Prepared, woken_at: float | None) -> Launched:
        if isinstance(self.answer, Exception):
            raise self.answer
        return Launched(self.answer)


class Empty:
    """A server that has no pods."""

    async def get_raw(self, resource: Resource, namespace: str, name: str) -> bytes:
        raise NotFound(404, "NotFound", name)


class Runs:
    """Two runs of a task that needs the only slot."""

    def __init__(self) -> None:
        self.book = PoolBook(lambda _: None, lambda _: None)
        self.book.pool_seen({"kind": "Pool", "metadata": {"namespace": "ns", "name": "p"}, "spec": {"slots": 1}}, False)
        self.pods = PodInformer(cast(Any, Empty()), [None], self.book.pod_seen, lambda _: True)
        self.launcher = Answers()
        self.states = {uid: RunState(_run(uid)) for uid in ("run-uid", "other")}

    async def start(self, uid: str) -> list[str]:
        """One pass of a run; returns the reasons of holds."""
        state = self.states[uid]
        planner = state.bind(DAG, [], 0.0, 0.0)
        starter = PodStarter(self.launcher, self.book, self.pods)
        chosen = starter.choose(state, planner, planner.decide(0.0), 0.0)
        started = await starter.start(state, planner, chosen, 0.0, None)
        return [hold.reason for hold in started.holds]


def _run(uid: str) -> Any:
    meta = {"name": uid, "namespace": "ns", "uid": uid, "resourceVersion": "1"}
    meta["creationTimestamp"] = "2026-01-01T00:00:00Z"
    return read_run({"metadata": meta, "spec": {"dag": "d"}, "status": {"phase": "Running"}})


@pytest.fixture
async def runs() -> Runs:
    return Runs()


async def test_a_pod_that_may_have_been_made_holds_its_slots_until_that_is_known(runs: Runs) -> None:
    with pytest.raises(Unavailable):
        await runs.start("run-uid")
    assert runs.book.used(POOL) == 1 and await runs.start("other") == ["PoolFull"]
    runs.launcher.answer = pod({"phase": "Succeeded"}, terminated=terminated(0))
    assert await runs.start("run-uid") == []  # it asks again, and has its slot
    assert runs.book.used(POOL) == 0 and await runs.start("other") == []


async def test_a_pod_that_was_there_and_is_over_holds_no_slot(runs: Runs) -> None:
    """After a status was set back, the informer knows the pod that the start finds."""
    over = pod({"phase": "Succeeded"}, terminated=terminated(0))
    runs.pods.put(over)
    runs.launcher.answer = over
    assert await runs.start("run-uid") == []
    assert runs.book.used(POOL) == 0 and await runs.start("other") == []


async def test_a_run_that_asks_for_something_else_or_is_gone_holds_nothing_that_nobody_knows(runs: Runs) -> None:
    with pytest.raises(Unavailable):
        await runs.start("run-uid")
    assert runs.book.ask(User("ns", "run-uid", "run-uid", ""), [], {}, 0.0) == set() and runs.book.used(POOL) == 0
    with pytest.raises(Unavailable):
        await runs.start("run-uid")
    runs.book.forget("run-uid")
    assert runs.book.used(POOL) == 0


async def test_a_pod_whose_run_is_gone_holds_its_slots_until_it_is_over_whoever_tells(runs: Runs) -> None:
    alive = pod({"phase": "Running"})
    labels = {**alive.metadata.labels, "pool.tradewind.dev/p": "1"}
    runs.pods.put(msgspec.structs.replace(alive, metadata=msgspec.structs.replace(alive.metadata, labels=labels)))
    runs.pods.forget_over("ns", "run-uid")
    assert runs.book.used(POOL) == 1
    runs.pods.end_list(None, 9)  # it was deleted while nobody watched
    asking = asyncio.ensure_future(runs.pods._ask_for_doubtful())

    async def free() -> bool:
        return runs.book.used(POOL) == 0

    await eventually(free)
    asking.cancel()
    runs.pods.forget_over("ns", "run-uid")
    assert runs.pods.of("ns", "run-uid") == {}


async def nothing(body: Any, tasks: Any) -> Any:
    return {}


class OneRun(Empty):
    """A server that knows a run."""

    async def get(self, resource: Resource, namespace: str, name: str) -> dict[str, Any]:
        if name != "r":
            raise NotFound(404, "NotFound", name)
        return {"metadata": {"uid": "run-uid"}}


def _holding(uid: str, name: str) -> Pod:
    alive = pod({"phase": "Running"})
    labels = {**alive.metadata.labels, "pool.tradewind.dev/p": "1"}
    owners = [Owner(uid, True, name)] if uid else []
    meta = msgspec.structs.replace(alive.metadata, labels=labels, owner_references=owners)
    return msgspec.structs.replace(alive, metadata=meta)


@pytest.mark.parametrize(
    ("uid", "name", "used"), [("run-uid", "r", 1), ("run-uid", "another", 0), ("made-up", "r", 0), ("", "", 0)]
)
async def test_a_pod_of_a_run_that_there_is_not_holds_nothing(runs: Runs, uid: str, name: str, used: int) -> None:
    """Users who may create pods can give one the labels of a pool, and any owner."""
    holders = Holders(cast(Any, OneRun()), runs.book, lambda uid: "", nothing)
    holders.seen(_holding(uid, name))
    for run in list(holders.queue._dirty):
        await holders.check(run)
    holders.seen(_holding(uid, name))
    assert runs.book.used(POOL) == used


async def test_a_pod_holds_its_slots_until_it_is_known_whether_there_is_its_run(runs: Runs) -> None:
    holders = Holders(cast(Any, OneRun()), runs.book, lambda uid: "", nothing)
    holders.seen(_holding("made-up", "r"))
    assert runs.book.used(POOL) == 1
    await holders.check(("ns", "r", "made-up"))
    assert runs.book.used(POOL) == 0


# ClusterPools.

LICENCES = ("ClusterPool", "", "lic")
SHARED = PoolClaim(name="lic", kind="ClusterPool")


class Shared:
    """A ClusterPool of two slots, and the tasks that claim them."""

    def __init__(self, **spec: Any) -> None:
        self.woken: list[str] = []
        self.book = PoolBook(self.woken.append, lambda _: None)
        self.pool(**spec)

    def pool(self, **spec: Any) -> None:
        body = {"kind": "ClusterPool", "metadata": {"name": "lic"}, "spec": {"slots": 2, **spec}}
        self.book.pool_seen(body, False)

    def ask(self, namespace: str, run: str, number: int = 1, priority: int = 0, now: float = 0.0) -> int:
        starts = [Start("a", at, 1, "", priority, (SHARED,)) for at in range(number)]
        return len(self.book.ask(User(namespace, run, run, ""), starts, {(SHARED,): number}, now))

    def labelled(self, **labels: str) -> None:
        self.book.namespace_seen({"metadata": {"name": "b", "labels": labels}}, False)


async def test_slots_go_by_namespace_first_whoever_has_asked_and_how_urgently() -> None:
    shared = Shared()
    assert shared.ask("a", "a0", 2) == 2
    assert [shared.ask("a", f"a{at}", priority=1_000_000) for at in range(1, 50)] == [0] * 49
    assert shared.ask("b", "b0", now=1.0) == 0
    shared.book.give_back("a0", "a[0]")
    await asyncio.sleep(0)
    assert shared.woken == ["b0"]
    assert shared.ask("a", "a1", priority=1_000_000, now=2.0) == 0, "it is the turn of the other namespace"
    assert shared.ask("b", "b0", now=2.0) == 1
    shared.book.give_back("a0", "a[1]")
    assert shared.ask("b", "b1", now=3.0) == 0 and shared.ask("a", "a1", priority=1_000_000, now=3.0) == 1


async def test_the_status_of_a_pool_names_those_that_wait_in_their_turn() -> None:
    shared = Shared(slots=1)
    assert shared.ask("a", "a0") == 1
    assert [shared.ask("a", run, now=1.0) for run in ("a1", "a2")] == [0, 0]
    assert shared.ask("b", "b0", 2, now=2.0) == 0
    said = status(shared.book, LICENCES, shown=3)
    told = [(item["namespace"], item["run"], item["task"]) for item in said["waiters"]]
    assert told == [("b", "b0", "a[0]"), ("a", "a1", "a[0]"), ("b", "b0", "a[1]")]
    assert said["used"] == 1 and said["waiting"] == 4


@pytest.mark.parametrize(
    ("allow", "reason"),
    [
        (None, "PoolFull"),
        ({"namespaces": ["a"]}, "PoolNotAllowed"),
        ({"namespaces": ["a", "b"]}, "PoolFull"),
        ({"namespaceSelector": {"matchLabels": {"licensed": "yes"}}}, "PoolFull"),
        ({"namespaceSelector": {"matchLabels": {"licensed": "no"}}}, "PoolNotAllowed"),
        ({"namespaceSelector": {}}, "PoolFull"),
        ({}, "PoolNotAllowed"),
    ],
)
async def test_a_cluster_pool_says_which_namespaces_may_claim_it(allow: dict[str, Any] | None, reason: str) -> None:
    shared = Shared(**({} if allow is None else {"allow": allow}))
    shared.labelled(licensed="yes")
    assert shared.ask("b", "b0") == (reason == "PoolFull")
    assert shared.book.why((SHARED,), "b")[0] == reason


async def test_who_waits_looks_again_when_it_is_allowed_and_is_in_nobodys_way_before() -> None:
    shared = Shared(allow={"namespaces": ["a"], "namespaceSelector": {"matchLabels": {"licensed": "yes"}}})
    assert shared.ask("b", "b0", 2) == 0 and shared.ask("a", "a0", now=1.0) == 1
    shared.labelled(licensed="yes")
    assert shared.woken[-1] == "b0" and shared.ask("b", "b0", 2, now=2.0) == 1
    shared.woken.clear()
    shared.pool(slots=3)
    assert "b0" in shared.woken


async def test_an_allow_that_can_not_be_read_opens_nothing() -> None:
    shared = Shared(allow={"namespaces": ["a"]})
    with pytest.raises(Invalid):
        shared.pool(allow={"namespaces": 7})
    assert shared.book.why((SHARED,), "b")[0] == "PoolNotAllowed"


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.tuples(st.sampled_from("abc"), st.integers(0, 3), st.sampled_from(["ask", "ask", "back", "forget"])))
)
def test_what_is_summed_up_is_what_pods_hold(steps: list[tuple[str, int, str]]) -> None:
    async def play() -> None:
        shared = Shared(slots=4)
        for now, (namespace, at, what) in enumerate(steps):
            run = f"{namespace}{at}"
            if what == "ask":
                shared.ask(namespace, run, at + 1, now=float(now))
            elif what == "back":
                shared.book.give_back(run, "a[0]")
            else:
                shared.book.forget(run)
            holders = list(shared.book.held[LICENCES].values())
            assert shared.book.used(LICENCES) == sum(slots for _, slots in holders) <= 4
            sums = {namespace: pools[LICENCES] for namespace, pools in shared.book._by_namespace.items()}
            assert sums == Counter(user.namespace for user, _ in holders)
            assert dict(shared.book._by_run) == Counter(user.uid for user, _ in holders)
            waiting = {
                claim.run for line in shared.book._lines.of(lambda _: True) for claim in line.claims[line.turns[0][3]]
            }
            assert waiting <= shared.book.waiting.keys()

    asyncio.run(play())


def _holder(namespace: str, run_uid: str = "forged") -> Pod:
    alive = pod({"phase": "Running"})
    labels = {**alive.metadata.labels, "clusterpool.tradewind.dev/lic": "2", "tradewind.dev/run-uid": run_uid}
    return msgspec.structs.replace(
        alive, metadata=msgspec.structs.replace(alive.metadata, namespace=namespace, labels=labels)
    )


async def test_a_pod_of_a_namespace_that_a_pool_does_not_admit_holds_none_of_its_slots() -> None:
    shared = Shared(allow={"namespaces": ["a"]})
    assert not shared.book.pod_seen(_holder("b")) and shared.book.used(LICENCES) == 0
    assert shared.book.pod_seen(_holder("a")) and shared.book.used(LICENCES) == 2
    late = Shared()
    assert late.book.pod_seen(_holder("b")) and late.book.used(LICENCES) == 2
    late.pool(allow={"namespaces": ["a"]})
    assert late.book.used(LICENCES) == 0, "the pool was seen after the pod"


async def test_a_pod_with_the_uid_of_a_run_of_another_namespace_holds_nothing(runs: Runs) -> None:
    holders = Holders(cast(Any, Empty()), runs.book, lambda uid: "ns", nothing)
    told = _holder("elsewhere", "run-uid").metadata
    owners = [Owner("run-uid", True, "r")]
    holders.seen(
        msgspec.structs.replace(_holder("elsewhere"), metadata=msgspec.structs.replace(told, owner_references=owners))
    )
    assert not runs.book.held.get(LICENCES)


async def test_no_holder_counts_for_more_slots_than_its_pool_has(runs: Runs) -> None:
    """Anyone who may change an object may write any number into its labels."""

    def resized(slots: int | None) -> int:
        body = {"kind": "Pool", "metadata": {"namespace": "ns", "name": "p"}, "spec": {"slots": slots}}
        runs.book.pool_seen(body, slots is None)
        return runs.book.used(POOL)

    huge = _holding("run-uid", "r")
    labels = {**huge.metadata.labels, "pool.tradewind.dev/p": "5"}
    huge = msgspec.structs.replace(huge, metadata=msgspec.structs.replace(huge.metadata, labels=labels))
    assert runs.book.pod_seen(huge) and runs.book.used(POOL) == 1
    assert [resized(3), resized(9), resized(None), resized(2)] == [3, 5, 5, 2]
    assert status(runs.book, POOL)["used"] == 2 and status(runs.book, POOL)["holders"][0]["slots"] == 2
    ended = pod({"phase": "Succeeded"}, terminated=terminated(0))
    runs.book.pod_seen(
        msgspec.structs.replace(
            ended,
            metadata=msgspec.structs.replace(
                ended.metadata, namespace=huge.metadata.namespace, name=huge.metadata.name
            ),
        )
    )
    assert runs.book.used(POOL) == 0 and not runs.book._by_run and not runs.book._by_namespace


class OneCaller(Empty):
    """A server that knows a run that has ended; a task of it had claimed two slots."""

    async def get(self, resource: Resource, namespace: str, name: str) -> dict[str, Any]:
        if name != "r":
            raise NotFound(404, "NotFound", name)
        meta = {"name": "r", "namespace": "ns", "uid": "caller", "resourceVersion": "1"}
        meta["creationTimestamp"] = "2026-01-01T00:00:00Z"
        status = {"phase": "Failed", "revision": "d-1", "params": {"which": "p"}}
        return {"metadata": meta, "spec": {"dag": "d"}, "status": status}


@pytest.mark.parametrize(
    ("name", "uid", "task", "used"),
    [
        ("r", "caller", "calls[3]", 2),
        ("r", "caller", "other", 0),
        ("r", "caller", "gone", 0),
        ("r", "forged", "calls", 0),
        ("x", "caller", "calls", 0),
    ],
)
async def test_a_called_run_whose_caller_has_ended_holds_what_its_task_claimed(
    runs: Runs, name: str, uid: str, task: str, used: int
) -> None:
    """After a restart only its labels say how much, and anyone who may change it may change these."""
    call = {"dag": {"name": "x"}}
    pools = [{"name": "$[[ params.which ]]", "slots": 2}]
    definition = define({"params": {"which": {}}, "tasks": {"calls": {**call, "pools": pools}, "other": call}})

    async def load(namespace: str, revision: str) -> Any:
        assert revision == "d-1"
        return definition

    runs.book.pool_seen({"kind": "Pool", "metadata": {"namespace": "ns", "name": "p"}, "spec": {"slots": 9}}, False)
    holders, caller = (
        Holders(cast(Any, OneCaller()), runs.book, lambda uid: "", partial(claims, load)),
        ("ns", name, uid),
    )
    user = User("ns", name, uid, task)

    def heard() -> int:
        slots = holders.claimed(caller, parse_key(task)[0], {POOL: 7})
        runs.book.part_seen("part", user, 1, slots, False, False)
        return runs.book.used(POOL)

    assert heard() == 7, "until its caller was read"
    await holders.check(caller)
    assert runs.book.used(POOL) == used == heard()
    runs.book.part_seen("part", user, 1, {}, True, False)
    assert runs.book.used(POOL) == 0 and not holders._asked
