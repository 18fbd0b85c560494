"""Property tests: whatever the DAG, whatever happens to its pods, whenever the operator dies."""

from dataclasses import dataclass, field

from hypothesis import given, settings
from hypothesis import strategies as st
from tradewind.model.task import Backoff, Retries
from tradewind.plan.attempt import CANCELLED, LOSSES, Attempt, failures, losses
from tradewind.plan.graph import Graph, graph
from tradewind.plan.planner import FINAL, Facts, Live, Plan, State, Terms, plan

FATES = ["ok", "ok", "ok", "Error", "OutputInvalid", "Evicted", "PodDeleted", "stuck"]


@st.composite
def graphs(draw: st.DrawFn) -> Graph:
    """Acyclic by construction: a task depends on earlier ones only."""
    size = draw(st.integers(1, 8))
    names = [f"t{index}" for index in range(size)]
    return graph(
        {name: draw(st.sets(st.sampled_from(names[:at]), max_size=3)) if at else () for at, name in enumerate(names)}
    )


@dataclass
class World:
    """What an API server and its pods would do. `status` is what has been saved, `pods` what exists."""

    graph: Graph
    terms: dict[str, Terms]
    status: list[Attempt] = field(default_factory=list)
    pods: dict[tuple[str, int], str] = field(default_factory=dict)
    """(task, number) -> "live" or the reason of its end ("" for success)."""
    began: list[tuple[str, int]] = field(default_factory=list)
    seen: dict[str, float] = field(default_factory=dict)
    cancelled: bool = False
    now: float = 0.0

    def facts(self) -> Facts:
        ended: dict[str, list[Attempt]] = {}
        for attempt in [*self.status, *self.unsaved()]:
            ended.setdefault(attempt.task, []).append(attempt)
        for attempts in ended.values():
            attempts.sort(key=lambda attempt: attempt.number)
        saved = {(attempt.task, attempt.number) for attempt in self.status}
        live = {
            task: Live(number, pending_since=0.0 if fate == "stuck" else None, message="image can't be pulled")
            for (task, number), fate in self.pods.items()
            if fate in ("live", "stuck") and (task, number) not in saved
        }
        for task in ended:
            self.seen.setdefault(task, self.now)
        return Facts(ended, live, dict(self.seen), self.cancelled)

    def unsaved(self) -> list[Attempt]:
        saved = {(attempt.task, attempt.number) for attempt in self.status}
        return [
            Attempt(task, number, 0, 1, fate, 1 if fate == "Error" else None)
            for (task, number), fate in self.pods.items()
            if fate not in ("live", "stuck") and (task, number) not in saved
        ]

    def act(self, decided: Plan) -> None:
        for start in decided.starts:
            # The API server refuses a name that is taken: creating is idempotent.
            if (start.task, start.number) not in self.pods:
                assert not any(
                    task == start.task and fate in ("live", "stuck") for (task, _), fate in self.pods.items()
                ), "two at once"
                self.pods[start.task, start.number] = "live"
                self.began.append((start.task, start.number))
        for stop in decided.stops:
            self.pods[stop.task, stop.number] = stop.reason


def check(world: World, decided: Plan) -> None:
    for start in decided.starts:
        for dependency in world.graph.upstream[start.task]:
            assert decided.states[dependency] is State.SUCCEEDED, "started before its dependency succeeded"
        assert start.why


@settings(max_examples=400, deadline=None)
@given(st.data())
def test_runs_end_in_order_with_one_live_attempt_a_task_and_budgets_kept_whatever_crashes(data: st.DataObject) -> None:
    order = data.draw(graphs())
    retries = Retries(
        limit=data.draw(st.integers(0, 2)),
        infrastructure_limit=data.draw(st.integers(0, 2)),
        backoff=Backoff(initial="1s", factor=2, max="4s"),
    )
    world = World(order, {task: Terms(retries, 10.0) for task in order.order})
    for _ in range(400):
        world.now += 1.0
        facts = world.facts()
        decided = plan(order, world.terms, facts, world.now)
        check(world, decided)
        assert plan(order, world.terms, facts, world.now) == decided, "not deterministic"
        if all(state in FINAL for state in decided.states.values()) and not facts.live:
            break
        live = [key for key, fate in world.pods.items() if fate in ("live", "stuck")]
        what = data.draw(st.sampled_from(["act", "act", "act", "fate", "fate", "save", "crash", "cancel"]))
        if what == "act":
            world.act(decided)
        elif what == "fate" and live:
            key = data.draw(st.sampled_from(live))
            world.pods[key] = data.draw(st.sampled_from(FATES)).replace("ok", "")
            world.seen[key[0]] = world.now
        elif what == "save":
            world.status.extend(world.unsaved())
        elif what == "crash":
            world.seen.clear()
        elif what == "cancel" and data.draw(st.integers(0, 9)) == 0:
            world.cancelled = True
        if not live and not decided.starts and decided.wake_at is not None:
            world.now = max(world.now, decided.wake_at)
    else:
        decided = _finish(world)
    assert decided.phase in ("Succeeded", "Failed", "Cancelled")
    for task in order.order:
        numbers = [number for name, number in world.began if name == task]
        assert numbers == sorted(set(numbers)), "an attempt began twice"
        ended = world.facts().ended.get(task, [])
        assert failures(ended) <= retries.limit + 1 and losses(ended) <= retries.infrastructure_limit + 1
        if decided.states[task] is State.UPSTREAM_FAILED:
            assert not numbers
    if decided.phase == "Succeeded":
        assert {task for task, _ in world.began} == set(order.order)


def _finish(world: World) -> Plan:
    """From any point, with pods that succeed from now on, a run ends."""
    for _ in range(200):
        facts = world.facts()
        decided = plan(world.graph, world.terms, facts, world.now)
        check(world, decided)
        if all(state in FINAL for state in decided.states.values()) and not facts.live:
            return decided
        world.act(decided)
        for key, fate in list(world.pods.items()):
            if fate in ("live", "stuck"):
                world.pods[key] = ""
        world.now = max(world.now + 1, decided.wake_at or 0)
    raise AssertionError("the run does not end")


def test_losses_and_failures_are_different_budgets() -> None:
    order = graph({"a": ()})
    terms = {"a": Terms(Retries(limit=0, infrastructure_limit=1, backoff=Backoff(initial="0s")))}
    for reason in LOSSES:
        lost = Facts({"a": [Attempt("a", 1, 0, 1, reason)]}, {})
        assert [start.number for start in plan(order, terms, lost, 5.0).starts] == [2]
    failed = Facts({"a": [Attempt("a", 1, 0, 1, "Error", 3)]}, {})
    assert plan(order, terms, failed, 5.0).states["a"] is State.FAILED
    both = Facts({"a": [Attempt("a", 1, 0, 1, "Evicted"), Attempt("a", 2, 2, 3, "Evicted")]}, {})
    assert plan(order, terms, both, 5.0).states["a"] is State.FAILED


def test_a_cancelled_run_stops_live_pods_and_starts_nothing() -> None:
    order = graph({"a": (), "b": ("a",), "c": ()})
    facts = Facts({"c": [Attempt("c", 1, 0, 1)]}, {"a": Live(1)}, cancelled=True)
    decided = plan(order, {task: Terms() for task in "abc"}, facts, 0.0)
    assert [(stop.task, stop.reason) for stop in decided.stops] == [("a", CANCELLED)]
    assert not decided.starts and decided.phase == "Running"
    after = Facts({"c": [Attempt("c", 1, 0, 1)], "a": [Attempt("a", 1, 0, 2, CANCELLED)]}, {}, cancelled=True)
    ended = plan(order, {task: Terms() for task in "abc"}, after, 0.0)
    assert ended.phase == "Cancelled" and ended.message == "cancelled after 1 of 3 tasks had succeeded"
