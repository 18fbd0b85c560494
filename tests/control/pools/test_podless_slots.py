"""A call of a DAG holds slots as long as its run is active, a sensor as long as it is polled; nothing about it is stored elsewhere."""

from collections.abc import Sequence
from typing import Any, cast

import pytest
from plan.game import defined
from tradewind.control.dagrun.run import read_run
from tradewind.control.dagrun.state import RunState, picture
from tradewind.control.execution.pod_starter import Chosen, PodStarter
from tradewind.control.manager.engine import Engine
from tradewind.control.pools.book import PoolBook, User, status
from tradewind.kube.labels import ATTEMPT, DEPTH, RUN, TASK
from tradewind.model.pool import PoolClaim
from tradewind.plan.runs.decision import Live, Start

from control.triggerworld import Server

POOL = ("Pool", "ns", "p")
CLAIM = (PoolClaim(name="p"),)
TOTAL = {CLAIM: 1}
STARTED = {"phase": "Running", "revision": "d-1", "startedAt": "2026-01-01T00:00:00Z"}


def book(slots: int = 1) -> PoolBook:
    made = PoolBook(lambda _: None, lambda _: None)
    made.pool_seen({"kind": "Pool", "metadata": {"namespace": "ns", "name": "p"}, "spec": {"slots": slots}}, False)
    return made


def ask(slots: PoolBook, uid: str, number: int = 1, active: Sequence[str] = ()) -> bool:
    return "t" in slots.ask(_user(uid), [Start("t", None, number, "", 0, CLAIM)], TOTAL, 0.0, active)


def _user(uid: str) -> User:
    return User("ns", uid, uid, "t")


def seen(slots: PoolBook, caller: str, number: int = 1, over: bool = False, needed: bool = True) -> None:
    slots.part_seen(f"part of {caller} {number}", _user(caller), number, {POOL: 1}, over, needed)


async def test_a_called_run_holds_the_slots_of_its_caller_until_it_has_ended() -> None:
    slots = book()
    assert ask(slots, "a") and not ask(slots, "b")
    slots.keep("a", "t")
    assert slots.used(POOL) == 1, "the run is about to be made"
    seen(slots, "a")
    slots.ask(_user("a"), [], {}, 0.0)  # its attempt was stopped: nothing waits for the run any more
    assert slots.used(POOL) == 1 and not ask(slots, "b"), "the run is there"
    assert status(slots, POOL)["holders"] == [{"namespace": "ns", "run": "a", "task": "t", "slots": 1}]
    seen(slots, "a", over=True)
    assert slots.used(POOL) == 0 and ask(slots, "b")


@pytest.mark.parametrize("caller_known", [True, False])
async def test_after_a_restart_the_called_run_is_what_holds_the_slot_and_its_caller_needs_no_turn(
    caller_known: bool,
) -> None:
    slots = book()
    seen(slots, "a", needed=caller_known)
    assert slots.used(POOL) == 1 and not ask(slots, "b")
    assert ask(slots, "a") and slots.used(POOL) == 1
    seen(slots, "a", over=True)
    assert ask(slots, "b") and ask(slots, "a"), "what has ended only has to be read"
    assert not ask(slots, "a", number=2), "another attempt waits for its turn"


async def test_a_called_run_that_was_deleted_holds_nothing_and_gives_no_turn() -> None:
    slots = book()
    seen(slots, "a")
    slots.part_gone("part of a 1", _user("a"), 1)
    assert slots.used(POOL) == 0 and ask(slots, "b") and not ask(slots, "a")
    seen(slots, "c", over=True, needed=False)
    assert not slots._called, "nothing is kept of callers that have ended"


async def test_a_run_of_another_namespace_gives_no_turn() -> None:
    slots = book()
    slots.part_seen("x", User("elsewhere", "a", "a", "t"), 1, {("Pool", "elsewhere", "p"): 1}, False, True)
    assert ask(slots, "b") and not ask(slots, "a")


async def test_a_task_that_waits_for_a_slot_of_its_own_caller_says_so() -> None:
    slots = book()
    seen(slots, "a")
    reason, words = slots.why(CLAIM, "ns", ("a", "t"))
    assert reason == "PoolFull" and "t, which has made this run, holds some until this run ends" in words
    assert "which has made" not in slots.why(CLAIM, "ns", ("b", "t"))[1]


async def test_a_sensor_holds_its_slot_as_long_as_it_is_active() -> None:
    slots = book()
    assert ask(slots, "a")
    slots.keep("a", "t")
    assert ask(slots, "a"), "it has not begun yet, and has its slot"
    slots.ask(_user("a"), [], {}, 0.0, ["t"])
    assert slots.used(POOL) == 1 and not ask(slots, "b")
    slots.ask(_user("a"), [], {}, 0.0)
    assert slots.used(POOL) == 0 and ask(slots, "b")
    slots.keep("b", "t")
    slots.forget("b")
    assert slots.used(POOL) == 0


# Which starts of a plan are chosen.

CALL = {"dag": {"name": "o"}, "pools": [{"name": "p"}]}
SENSOR = {"sensor": {"http": {"url": "http://x"}}, "pools": [{"name": "p"}]}


class Passes:
    """The passes of one run."""

    def __init__(self, slots: int, tasks: Any, **spec: Any) -> None:
        meta = {"name": "r", "namespace": "ns", "uid": "u", "resourceVersion": "1"}
        meta["creationTimestamp"] = "2026-01-01T00:00:00Z"
        self.state = RunState(read_run({"metadata": meta, "spec": {"dag": "d"}, "status": STARTED}))
        self.planner = self.state.bind(defined(tasks, **spec), [], 0.0, 0.0)
        self.book = book(slots)
        self.starter = PodStarter(cast(Any, None), self.book, cast(Any, None))

    def chosen(self, *active: str) -> Chosen:
        return self.starter.choose(self.state, self.planner, self.planner.decide(0.0), 0.0, active)


def keys(starts: Sequence[Start]) -> list[str]:
    return [start.key for start in starts]


async def test_calls_take_slots_and_room_in_the_order_of_the_dag() -> None:
    tasks = {"a": {"pools": [{"name": "p"}]}, "b": CALL, "c": {}, "d": CALL, "e": {"compute": {"x": "1"}}}
    passes = Passes(2, tasks, parallelism=3)
    chosen = passes.chosen()
    assert (keys(chosen.pods), keys(chosen.podless)) == (["a", "c"], ["b", "e"])
    assert [hold.reason for hold in chosen.holds] == []  # d is beyond the room
    passes.planner.tell_live("b", Live(1))
    passes.planner.tell_live("a", Live(1))
    assert keys(passes.chosen("b").pods) == ["c"]


async def test_a_call_that_waits_for_a_slot_leaves_its_room_to_others() -> None:
    passes = Passes(0, {"a": CALL, "b": {}, "c": {"dag": {"name": "o"}}}, parallelism=1)
    chosen = passes.chosen()
    assert (keys(chosen.pods), keys(chosen.podless)) in ((["b"], []), ([], ["b"])), chosen
    assert [hold.reason for hold in chosen.holds] == ["PoolTooSmall"]


async def test_sensors_need_slots_but_no_room() -> None:
    passes = Passes(1, {"a": SENSOR, "b": SENSOR, "c": {}}, parallelism=1)
    chosen = passes.chosen()
    assert (keys(chosen.pods), keys(chosen.podless), keys(chosen.waiting)) == (["c"], ["a"], ["b"])
    passes.planner.tell_live("a", Live(1))
    assert keys(passes.chosen("a").waiting) == ["b"] and passes.book.used(POOL) == 1


async def test_a_quota_that_refuses_pods_holds_up_no_calls() -> None:
    from tradewind.control.execution.start_backoff import StartBackoff
    from tradewind.plan.runs.decision import Hold

    passes = Passes(1, {"a": {"pools": [{"name": "p"}]}, "b": CALL})
    backoff = passes.starter._backoff.setdefault(passes.state, StartBackoff())
    backoff.full(Hold("a", "QuotaExceeded", ""), 0.0)
    chosen = passes.chosen()
    assert (keys(chosen.pods), keys(chosen.podless)) == ([], ["b"])


# What is shown.


@pytest.mark.parametrize(
    ("waiting", "live"),
    [([], False), ([("a", "SubDAG")], True), ([("a", "PoolFull")], False), ([("b", "PoolFull")], False)],
)
def test_a_call_is_shown_as_active_if_the_status_says_what_it_waits_for(
    waiting: list[tuple[str, str]], live: bool
) -> None:
    told = [{"task": task, "reason": reason} for task, reason in waiting]
    meta = {"name": "r", "namespace": "ns", "uid": "u", "resourceVersion": "1"}
    meta["creationTimestamp"] = "2026-01-01T00:00:00Z"
    run = read_run({"metadata": meta, "spec": {"dag": "d"}, "status": {**STARTED, "waiting": told}})
    planner = picture(run, defined({"a": CALL, "b": CALL}), {}).planner
    assert planner is not None and (planner.live("a") is not None) == live


# What is heard of runs.


async def test_a_called_run_holds_its_slots_while_it_is_active_and_no_other_run_does_by_its_labels() -> None:
    feed = Engine(Server(0.0), (), "x", "me").runs.feed

    def hears(version: int, phase: str, owned: bool = True, uid: str = "part", retried: int = 0) -> int:
        labels = {"pool.tradewind.dev/p": "1", RUN: "a", TASK: "t", ATTEMPT: "1", DEPTH: "1"}
        meta = {"name": uid, "namespace": "ns", "uid": uid, "resourceVersion": str(version), "labels": labels}
        meta |= {"creationTimestamp": "2026-01-01T00:00:00Z"}
        meta |= {"ownerReferences": [{"uid": "a", "controller": True}]} if owned else {}
        called = {"calledBy": {"uid": "a", "run": "a", "task": "t", "attempt": 1, "depth": 1}}
        status = {"phase": phase, "revision": "d-1", **called} if phase else {}
        feed.seen(read_run({"metadata": meta, "spec": {"dag": "d", "retryFailed": retried}, "status": status}), False)
        return feed._book.used(POOL)

    assert hears(1, "", owned=False, uid="other") == 0
    assert [hears(2, ""), hears(3, "Queued"), hears(4, "Running"), hears(5, "Failed")] == [1, 1, 1, 0]
    assert hears(6, "Failed", retried=1) == 0, "it was asked to continue, and has not"
    assert hears(7, "Running", retried=1) == 1
    assert hears(8, "", owned=False) == 0, "it has not begun, and its owner was removed"
    assert hears(9, "Running") == 1
    feed.gone(feed._table.states["part"].run)
    assert feed._book.used(POOL) == 0


async def test_a_called_run_holds_what_it_is_seen_with_last() -> None:
    slots = book(3)
    for number in (1, 2, 1):
        slots.part_seen("x", _user("a"), 1, {POOL: number}, False, True)
        assert slots.used(POOL) == number
    slots.part_seen("x", _user("a"), 1, {}, False, True)
    assert slots.used(POOL) == 0 and ask(slots, "b")
