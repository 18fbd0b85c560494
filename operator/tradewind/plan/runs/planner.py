"""The planner: decides the next steps from facts. No I/O, no clock, no randomness; every decision has a reason.

A planner is fed facts (ended attempts, live pods, outputs) and asked what to do. It visits only what a fact can have
changed, so that an event in a run of ten thousand tasks costs as much as in a run of ten. Its answer depends on the
facts alone, not on the order in which they came: a new planner with the same facts gives the same answer."""

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from copy import copy
from heapq import heappop, heappush
from itertools import islice
from typing import Any

from tradewind.model.fan_out import MAX_ITEMS
from tradewind.model.run import Phase
from tradewind.model.shown import brief
from tradewind.plan import pacing
from tradewind.plan.dags.definition import Definition
from tradewind.plan.dags.fan_out import FanOutError, items
from tradewind.plan.dags.selection import LEFT_OUT, select
from tradewind.plan.expressions.scope import Values, evaluate, names_item
from tradewind.plan.outcomes.attempt import CANCELLED, FAIL_FAST, RUN_TIMEOUT, SUPERSEDED, Attempt, parse_key
from tradewind.plan.outcomes.state import BAD, FINAL, LIVE, State
from tradewind.plan.runs.conclusion import conclusion, exit_story
from tradewind.plan.runs.decision import CROWDED, IN_ORDER, MEMORY, PREVIOUS, Hold, Live, Plan, RunFacts, Stop
from tradewind.plan.runs.failure import ends_of_fan_out, ends_of_unit, lasted, of_units
from tradewind.plan.runs.gate import Askers, Ruling, condition, ruling
from tradewind.plan.runs.item_group import Group
from tradewind.plan.runs.outputs import NoResult, kept, results
from tradewind.plan.runs.ready_queue import Way
from tradewind.plan.runs.start_selection import select_starts
from tradewind.plan.runs.task_ledger import TaskLedger
from tradewind.plan.runs.unit import Advice, Unit, advise, fix

STARTED = LIVE | {State.READY, State.WAITING}
"""States in which an attempt can be active."""
ENDS_PER_TASK = 1_000
"""The items of a handler that belong to one task: by the number of the attempt, 0 for an end without one."""
LOOKS = "looks for the run before (waitForPrevious)"
"""What a task waits for until the run before is known."""
WHY_LIMIT = 1_000
"""Characters of the reason why a task or an item is in its state: it may quote texts of the DAG, and each of ten thousand has one."""
HOLDS_LIMIT = 100
"""Holds that a plan lists."""


class Planner:
    """The facts about a run, and what follows from them, which its ledger keeps."""

    def __init__(
        self,
        definition: Definition,
        run: RunFacts,
        *,
        began: float = 0.0,
        timeout: float | None = None,
        podless: frozenset[str] = frozenset(),
    ) -> None:
        """`began` is when the run began, in monotonic seconds; `podless` are the tasks that run without a pod."""
        self.podless = podless
        self._cancelled = self._terminated = False
        self._before: dict[str, int] = {}
        self._retried: dict[str, int] = {}
        self._fixed: dict[str, tuple[State, str]] = {}
        self._deadline = None if timeout is None else began + timeout
        self._ended: dict[str, Sequence[Attempt]] = {}
        self._seen: dict[str, float] = {}
        self._live: dict[str, Live] = {}
        self._live_items: defaultdict[str, set[str]] = defaultdict(set)
        """The live items of each fan-out."""
        self._tried: set[str] = set()
        """Tasks that have an attempt, or an item with one."""
        self._before_run: dict[str, str] = {}
        """By task: what it waits for in the run before; empty for nothing."""
        self._links = definition.links
        self._fails_fast = definition.spec.fail_fast
        self.selection = select(definition, run.only, run.until)
        self.definition = definition
        self._askers = Askers(definition)
        self._crowded = False
        """Whether fan-outs have to wait for memory."""
        self.ledger = TaskLedger(definition, run, self.fixed, self.ends, self.selection.left_out)
        self.clear()

    def clear(self) -> None:
        """Starts over from the facts."""
        self.ledger.clear()
        self._askers.clear(self._reworked)
        tasks = self.definition.tasks
        self._outcome: tuple[Phase, str] | None = None
        self._ends: Values | None = None
        """Valid as long as the outcome is."""
        self._timed_out = False
        self._doomed = False
        """Whether the DAG fails fast and the run can't succeed any more."""
        self._results: Mapping[str, Any] = {}
        self._kept: Mapping[str, Any] = {}
        self.refused: dict[str, str] = {}
        """Tasks and items that failed although no attempt did, and why."""
        self._open = len(tasks)
        self.stops: dict[str, Stop] = {}
        self.holds: dict[str, Hold] = {}
        self._stuck: set[str] = set()
        self._asking: dict[str, set[str]] = {}
        """By task: the units that may start as far as this run is concerned, and depend on the run before."""
        self._hungry: set[str] = set()
        """Fan-outs that wait for memory."""
        self._timers: list[tuple[float, str]] = []
        self._heap: list[tuple[int, int, str]] = []
        self._marked: set[str] = set()
        self._first = {name for name in self._tried if self._expands(name)}
        """Fan-outs of which items have run, and that are not expanded. They come before others, so that the limit of items is the same for
        them after a restart."""
        self._deferred: list[str] = []
        """Fan-outs and handlers that wait for those."""
        recorded = (parse_key(key)[0] for key in self._ended)
        self._owed = Counter(task for task in recorded if task in self.definition.handlers)
        """By handler: recorded items that have no unit yet. They come first, too."""
        self._broken = False
        for name, task in tasks.items():
            if task.for_each:
                self.ledger.groups[name] = group = Group(name, task.for_each)
                if task.handles:
                    handled = self.definition.graph.upstream[name]
                    group.news, group.awaited = [*handled] if "Retry" in task.handles.ends else [], len(handled)
            else:
                self.ledger.units[name] = self._unit(name, None, None)
            self._mark(name)

    def _unit(self, task: str, index: int | None, item: Any) -> Unit:
        unit = Unit(task, index, item)
        unit.ended, unit.live = self._ended.get(unit.key, ()), self._live.get(unit.key)
        unit.seen, unit.before = self._seen.get(unit.key, 0.0), self._before.get(unit.key, 0)
        unit.retried = self._retried.get(unit.key, 0)
        return unit

    # Facts.

    def tell_ended(self, key: str, ended: Sequence[Attempt], seen: float) -> None:
        """Sets the ended attempts of a task or item, in order; `seen` is when the last of them was first seen to have
        ended."""
        self._outcome = None
        task = parse_key(key)[0]
        if task in self.definition.handlers and key not in self._ended and key not in self.ledger.units:
            self._owed[task] += 1
        self._ended[key], self._seen[key] = ended, seen
        self._try(task)
        if unit := self.ledger.units.get(key):
            unit.ended, unit.seen = ended, seen
            self._mark(key)
            self._mark_ran(unit)

    def tell_live(self, key: str, live: Live | None) -> None:
        """Sets the live pod of a task or item, if there is one."""
        self._outcome = None
        task, index = parse_key(key)
        if live is None:
            self._live.pop(key, None)
            self._live_items[task].discard(key)
        else:
            self._live[key] = live
            if index is not None:
                self._live_items[task].add(key)
            self._try(task)
        if unit := self.ledger.units.get(key):
            unit.live = live
            self._mark(key)
            self._mark_ran(unit)
        elif task in self.ledger.groups:
            self.stops.pop(key, None)
            self._mark(task)

    def _try(self, task: str) -> None:
        """Notes that a task, or an item of it, has an attempt."""
        self._tried.add(task)
        if self._expands(task) and self.ledger.groups[task].units is None:
            self._first.add(task)

    def _expands(self, task: str) -> bool:
        """Whether a task is a fan-out that finds its items at once."""
        return task not in self.definition.handlers and bool(self.definition.tasks[task].for_each)

    def _mark_ran(self, unit: Unit) -> None:
        """A teardown runs if its setup ran, however that ended; handlers may run for retries."""
        for name in self._links.retry_handlers.get(unit.task, ()):
            self._mark_handler(name, unit.task)
        for name in self._links.teardowns.get(unit.task, ()):
            for member in self.ledger.members(name):
                self._mark(member.key)

    def _mark_handler(self, name: str, task: str) -> None:
        """A task that a handler handles may have an end that it has not handled."""
        news = self.ledger.groups[name].news
        assert news is not None  # noqa: S101 - it is a handler
        if not news or news[-1] != task:
            news.append(task)
        self._mark(name)

    def tell_crowded(self, crowded: bool) -> None:
        """Sets whether there is no memory for further items. Fan-outs of which items have run get theirs all the same: they had them
        before a restart."""
        self._crowded = crowded
        if not crowded:
            for name in self._hungry:
                self._mark(name)
            self._hungry.clear()

    @property
    def hungry(self) -> bool:
        """Whether a fan-out waits for memory."""
        return bool(self._hungry)

    def live(self, key: str) -> Live | None:
        """The live pod of a task or item, as last reported."""
        return self._live.get(key)

    def tell_cleared(self, key: str, number: int) -> None:
        """Discards the attempts of a task or item up to this one."""
        self._outcome = None
        self._tell_rework(self._before, key, number)

    def tell_retried(self, key: str, number: int) -> None:
        """A task or item that had failed for good after this attempt is tried again, with a fresh budget."""
        self._outcome = None
        self._tell_rework(self._retried, key, number)

    def _tell_rework(self, numbers: dict[str, int], key: str, number: int) -> None:
        first = not self._reworked
        numbers[key] = number
        if first:
            self.clear()  # what asks for an approval waits for more from now on
        elif unit := self.ledger.units.get(key):
            unit.before, unit.retried = self._before.get(key, 0), self._retried.get(key, 0)
            self._mark(key)

    @property
    def _reworked(self) -> bool:
        """Whether a person has worked on the run."""
        return bool(self._before or self._retried)

    def tell_fixed(self, key: str, state: State, why: str) -> None:
        """Sets the final state of a task or item, whatever its attempts' results; for a fan-out, that of all its items."""
        self._outcome = None
        self._fixed[key] = (state, why)
        for name in (
            key,
            *(unit.key for unit in (self.ledger.groups[key].units or () if key in self.ledger.groups else ())),
        ):
            if name in self.ledger.units or name in self.ledger.groups:
                self._mark(name)

    def fixed(self, key: str) -> bool:
        """Whether a person, or another run, has set the final state of a task or item."""
        return key in self._fixed

    def _set(self, task: str) -> tuple[State, str] | None:
        """The final state of a task that does not follow from its attempts: a person, or another run, has set it, or this run
        leaves it out."""
        if found := self._fixed.get(task):
            return found
        state = self.selection.left_out.get(task)
        return (state, LEFT_OUT) if state else None

    def tell_previous(self, task: str, words: str) -> None:
        """Sets what a task of this run waits for in the run before, in words; empty if that lets it start."""
        if self._before_run.get(task) != words:
            self._before_run[task] = words
            for unit in self.ledger.members(task):
                self._mark(unit.key)

    def tell_outputs(self, key: str, outputs: Mapping[str, Any]) -> None:
        """Sets the outputs of a successful task or item. To be called before its end is reported."""
        self._outcome = None
        self.ledger.outputs[key] = outputs

    def suspend(self, suspended: bool) -> None:
        """Sets whether nothing more is to start."""
        self.ledger.suspended = suspended

    def cancel(self, terminate: bool = False) -> None:
        """Ends the run: nothing more starts, and active tasks are stopped. Teardowns and exit tasks still run, unless
        it is terminated."""
        if not self._cancelled or (terminate and not self._terminated):
            self._cancelled, self._terminated = True, self._terminated or terminate
            self._mark_all()

    # Asking.

    def may_have_started(self, key: str, number: int) -> bool:
        """Whether an attempt can have been started, given the facts so far: what comes before it has ended. `settle`
        first. Anyone who may create pods can forge one, so that labels prove nothing."""
        task, unit = parse_key(key)[0], self.ledger.units.get(key)
        if unit is None and number <= self._before.get(key, 0):
            return True  # It was cleared, and is to be stopped.
        if unit is None:  # An item of a fan-out that has not been expanded: it is now, even if nothing more may run.
            if task in self.ledger.groups and task not in self._tried:
                self._try(task)
                self._mark(task)
            return False
        if number <= unit.before or unit.ended or unit.live or unit.state in STARTED:
            return True
        if key in self._asking.get(task, ()):
            return True  # Its task of the run before may have been cleared after it started.
        if unit.state in (State.BLOCKED, State.SKIPPED, State.UPSTREAM_FAILED):
            return False
        return self._admit(unit, None)[0] is State.READY

    def asks_previous(self) -> list[str]:
        """The tasks that may start as far as their own run is concerned, and depend on the run before."""
        return [*self._asking]

    def decide(self, now: float) -> Plan:
        """What to do, given the facts, at `now` (monotonic seconds)."""
        while self._timers and self._timers[0][0] <= now:
            self._mark(heappop(self._timers)[1])
        self.settle(now)
        late = self._deadline is not None and now >= self._deadline
        if late and not self._timed_out and (self._open or self._live):
            self._timed_out = True
            self._mark_all()
            self.settle(now)
        plan = Plan(stops=list(self.stops.values()), held=len(self.holds), unsettled=bool(self._heap))
        plan.holds = list(islice(self.holds.values(), HOLDS_LIMIT))
        tally = self.ledger.tally
        plan.moving = tally[State.PENDING] + tally[State.RUNNING] > len(self._stuck)
        select_starts(self.ledger, plan)
        plan.wake_at = self._timers[0][0] if self._timers else None
        if self._deadline is not None and not self._timed_out:
            plan.wake_at = self._deadline if plan.wake_at is None else min(plan.wake_at, self._deadline)
        if not self._open and not self._live and not plan.unsettled:
            plan.phase, plan.message = self.outcome()
            if (
                plan.phase == "Succeeded"
            ):  # exit tasks saw the result of the others only; now all are counted, as in `progress`
                _, plan.message = conclusion(self.ledger, self.selection.deciding, timed_out=False, exited=True)
            plan.message += exit_story(self.ledger)
            plan.results, plan.kept = self._results, self._kept
            plan.wake_at = None
        elif self._cancelled:
            plan.message = "being terminated" if self._terminated else "being cancelled"
        elif self._timed_out:
            plan.message = "being stopped: the run took longer than its timeout"
        elif self._doomed:
            plan.message = "being stopped: it can't succeed any more, and the DAG fails fast"
        return plan

    def outcome(self) -> tuple[Phase, str]:
        """How the run ends, exit tasks aside, and why."""
        if self._outcome is None:
            going = not self._cancelled
            phase, message = conclusion(
                self.ledger, self.selection.deciding, self._timed_out and going, doomed=self._doomed and going
            )
            self._results, self._kept, self._ends = {}, {}, None
            if phase == "Succeeded" and not self.ledger.run.partial:
                try:
                    self._results, self._kept = results(self.ledger), kept(self.ledger)
                except NoResult as error:
                    phase, message = "Failed", str(error)
            self._outcome = phase, message
        return self._outcome

    def ends(self) -> Values:
        """The variables that only exit tasks know: how the run ends, what failed, and how long it took."""
        phase, message = self.outcome()
        if self._ends is None:
            names = (name for name in self.definition.graph.order if name not in self.definition.aside)
            units = [unit for name in names for unit in self.ledger.members(name)]
            self._ends = {
                "run.outcome": phase,
                "run.message": message,
                "run.duration": lasted(self.ledger.run.started_at, units),
                "run.failures": of_units(units),
            }
        return self._ends

    # Settling: from what changed to what follows.

    def _mark(self, key: str) -> None:
        if key not in self._marked:
            self._marked.add(key)
            task, index = parse_key(key)
            heappush(self._heap, (self._links.place[task], -1 if index is None else index, key))

    def _mark_all(self) -> None:
        self._outcome = None
        for group in self.ledger.groups.values():
            group.rulings, group.outdated = {}, None
        for key in (*self.ledger.groups, *self.ledger.units):
            self._mark(key)

    def settle(self, now: float) -> None:
        """Works out what follows from the facts, as far as the time of this pass allows."""
        anew = False
        while self._heap or self._deferred:
            pacing.pause()
            if pacing.spent():
                return  # the next pass settles the rest; what is settled stays valid
            if not self._heap:
                self._first.clear()
                while self._deferred:
                    self._mark(self._deferred.pop())
            key = heappop(self._heap)[2]
            self._marked.discard(key)
            if key in self.ledger.groups:
                self._settle_group(self.ledger.groups[key])
            else:
                self._settle_unit(self.ledger.units[key], now)
            if self._broken and not anew:
                # A fact contradicts what followed from the others: apply all of them from the start.
                anew = True
                self.clear()

    def _stopping(self, task: str, group: Group | None) -> tuple[str, str] | None:
        protected = task in self.definition.protected
        if self._terminated or (self._cancelled and not protected):
            return CANCELLED, f"the run is {'terminated' if self._terminated else 'cancelled'}"
        if self._timed_out and not protected:
            return RUN_TIMEOUT, "the run took longer than its timeout"
        if self._doomed and not protected:
            return FAIL_FAST, "the run can't succeed any more, and the DAG fails fast"
        if group and group.aborted:
            return FAIL_FAST, f"{group.task} can't succeed any more and fails fast"
        return None

    def _settle_unit(self, unit: Unit, now: float) -> None:
        key = unit.key
        self.stops.pop(key, None)
        self.holds.pop(key, None)
        stop = self._stopping(unit.task, self.ledger.groups.get(unit.task))
        fixed = self._fixed.get(key) or self._set(unit.task)
        if fixed:
            advice: Advice | None = fix(unit, *fixed)
        else:
            terms = self.definition.terms[unit.task]
            ledger = self.ledger
            advice = advise(unit, terms, stop, ledger.run.uid, now, ledger.loop_ends, ledger.skips_failed)
            if advice and advice.state in (State.READY, State.WAITING) and (ruled := self._shut(unit)):
                advice = Advice(*ruled)
        if advice is None:
            state, why = self._admit(unit, stop)
            why = brief(why, WHY_LIMIT)
            if state is State.FAILED:
                self.refused[key] = why
        else:
            state, why = advice.state, brief(advice.why, WHY_LIMIT)
            if state is State.FAILED and unit.ended and unit.ended[-1].succeeded and not fixed:
                self.refused[key] = why
            if advice.stop:
                self.stops[key] = advice.stop
            if advice.hold:
                self.holds[key] = advice.hold
            if advice.wake_at is not None:
                heappush(self._timers, (advice.wake_at, key))
        if state is State.READY:
            state, why = self._askers.hold(unit.task, key) or (state, why)
        if self.definition.tasks[unit.task].wait_for_previous:
            asks = state is State.READY and advice is None
            if words := self._ask_previous(unit, asks):
                state, why = State.BLOCKED, words
        if key in self.holds and state in LIVE and self.holds[key].reason not in IN_ORDER:
            self._stuck.add(key)
        else:
            self._stuck.discard(key)
        self._move(unit, state, why)

    def _ask_previous(self, unit: Unit, asks: bool) -> str:
        """Notes whether a unit depends on the run before now. Returns what it waits for there, in words; empty for nothing."""
        keys = self._asking.setdefault(unit.task, set())
        if asks:
            keys.add(unit.key)
            if words := self._before_run.get(unit.task, LOOKS):
                self.holds[unit.key] = Hold(unit.key, PREVIOUS, words)
            return words
        keys.discard(unit.key)
        if not keys:
            del self._asking[unit.task]
        return ""

    def _move(self, unit: Unit, state: State, why: str) -> None:
        before, unit.state, unit.why = unit.state, state, why
        if before is state:
            return
        if before in FINAL:
            self._broken = True
            return
        task = self.definition.tasks[unit.task]
        self.ledger.move(unit, before, Way.RUN if task.dag else Way.FREE if unit.task in self.podless else Way.POD)
        if unit.index is None:
            self._record_move(unit.task, state)
            return
        self._mark(unit.task)
        if state in FINAL:
            for child in self._links.chained.get(unit.task, ()):
                if f"{child}[{unit.index}]" in self.ledger.units:
                    self._mark(f"{child}[{unit.index}]")

    def _settle_group(self, group: Group) -> None:
        if group.news and self._first:
            self._deferred.append(group.task)
            return
        if group.news:
            self._grow(group, group.news)
        if group.outdated is not None:
            self._mark_ruled(group, group.outdated)
        if group.units is None and group.news is None:
            state, why = self._expand(group)
            why = brief(why, WHY_LIMIT)
            if state is State.FAILED and not self._set(group.task):
                self.refused[group.task] = why
        else:
            aborted, units = group.aborted, group.units or []
            state, why = self._set(group.task) or group.stand()
            if state in FINAL and not all(unit.state in FINAL for unit in units):
                state, why = group.stand()
            if group.aborted and not aborted:
                for unit in units:
                    self._mark(unit.key)
        if state in FINAL and self._stop_strays(group, why):
            state = State.BLOCKED if group.units is None else State.RUNNING
            why = "items that it does not have any more are being stopped"
        before, group.state, group.why = group.state, state, why
        if before is state:
            return
        if before in FINAL:
            self._broken = True
            return
        if not group.units:
            self.ledger.count(before, state)
        self._record_move(group.task, state)

    def _stop_strays(self, group: Group, why: str) -> bool:
        """Stops live items of before, when a fan-out is decided again and has no such items. Returns whether there are any."""
        strays = [key for key in self._live_items.get(group.task, ()) if key not in self.ledger.units]
        for key in strays:
            if not self._live[key].stopping:
                self.stops[key] = Stop(key, self._live[key].number, SUPERSEDED, why)
        return bool(strays)

    def _grow(self, group: Group, news: list[str]) -> None:
        """Adds an item to a handler for each end that it handles and has not handled. The number of an item follows from the
        end, so that a restart finds the same one."""
        handles = self.definition.tasks[group.task].handles
        assert handles is not None  # noqa: S101 - it is a handler
        for task in dict.fromkeys(news):
            if self._set(task) or any(self.fixed(unit.key) for unit in self.ledger.members(task)):
                continue  # Nothing has ended here.
            fan_out = self.ledger.groups.get(task)
            ends = (
                ends_of_fan_out(task, self.ledger.states[task], fan_out.why)
                if fan_out
                else ends_of_unit(self.ledger.units[task])
            )
            for kind, number, end in ends:
                index = ENDS_PER_TASK * self._links.place[task] + min(number, ENDS_PER_TASK - 1)
                unit = self._unit(group.task, index, end)
                if kind not in handles.ends or unit.key in self.ledger.units:
                    continue
                if unit.key in self._ended:
                    self._owed[group.task] -= 1
                elif self.ledger.total + self._owed.total() > MAX_ITEMS and unit.key not in self._live:
                    self.refused[group.task] = f"handles: the run has {MAX_ITEMS} tasks and items, the limit"
                    continue
                self.ledger.grow(group, unit)
                self._mark(unit.key)
        news.clear()

    def _expand(self, group: Group) -> Ruling:
        """Finds the items and makes units of them, if it is time. If nothing more may run, and nothing has, items that
        take long to find are not searched for."""
        stop = None if self._was_tried(group.task) else self._stopping(group.task, None)
        if stop is None:
            return self._expanded(group)
        try:
            with pacing.hurried():
                return self._expanded(group)
        except pacing.TooLong:
            return State.CANCELLED, stop[1]

    def _was_tried(self, task: str) -> bool:
        """Whether a fan-out, or one chained to it, has an attempt."""
        return task in self._tried or any(self._was_tried(child) for child in self._links.chained.get(task, ()))

    def _expanded(self, group: Group) -> Ruling:
        name, parent = group.task, group.source.items_of
        task = self.definition.tasks[name]
        self.holds.pop(name, None)
        if parent and self.ledger.groups[parent].units is None and self.ledger.states[parent] not in FINAL:
            return State.BLOCKED, ""
        above = self.ledger.groups[parent].units if parent else None
        scope = self.definition.scope(name, item=False)
        fixed = self._set(name)
        if fixed and any(self.ledger.states[other] not in FINAL for other in self.definition.graph.upstream[name]):
            return State.BLOCKED, ""
        if not above and not fixed:
            ruled = ruling(self.ledger.gate(name))
            if ruled[0] is State.READY and task.when and not names_item(task.when) and not parent:
                ruled = condition(task, scope, self.ledger.values(name, None, None), self.ledger.of_task) or ruled
            if ruled[0] is not State.READY:
                return ruled
        if self._first and not parent and not self._was_tried(name):
            self._deferred.append(name)
            return State.BLOCKED, ""
        if self._crowded and not parent and not self._was_tried(name):
            if stop := self._stopping(name, None):
                return State.CANCELLED, stop[1]
            self._hungry.add(name)
            self.holds[name] = Hold(name, MEMORY, CROWDED)
            return State.BLOCKED, CROWDED
        values: list[Any] = [unit.item for unit in above or ()]
        room = copy(self.ledger.item_room)
        try:
            if not parent:
                known = self.ledger.values(name, None, None)
                values = items(group.source, lambda text: evaluate(text, scope, known, self.ledger.of_task), room)
            if self.ledger.total + len(values) - 1 > MAX_ITEMS:
                raise FanOutError(
                    f"forEach: the run would have {self.ledger.total + len(values) - 1} tasks and items, the limit is {MAX_ITEMS}"
                )
        except FanOutError as error:
            if fixed:
                return fixed
            return State.FAILED, str(error)
        units = [self._unit(name, index, item) for index, item in enumerate(values)]
        self._first.discard(name)
        self.ledger.item_room = room
        self.ledger.expand(group, units)
        for unit in units:
            self._mark(unit.key)
        for child in self._links.chained.get(name, ()):
            self._mark(child)
        return fixed if fixed and not values else group.stand()

    def _record_move(self, task: str, state: State) -> None:
        """A task has moved to another state."""
        self.ledger.change(task, state)
        if state not in FINAL:
            return
        self._open -= 1
        for key in self._askers.end(task):
            self._mark(key)
        decides = self._fails_fast and task in self.selection.deciding
        if decides and not self._doomed and self.ledger.counted(task, state) in BAD:
            self._doomed = True
            self._mark_all()
        for name in self._links.handlers.get(task, ()):
            self.ledger.groups[name].awaited -= 1
            self._mark_handler(name, task)
        for name in (*self.definition.graph.downstream[task], *self._links.watchers.get(task, ())):
            group = self.ledger.groups.get(name)
            if name in self.definition.handlers:
                continue
            if group and group.units is not None:
                group.outdate()
            self._mark(name)

    def _mark_ruled(self, group: Group, before: Mapping[State, Ruling]) -> None:
        """Marks the items for which the end of a task before them can have changed something: of a chained fan-out, those
        for which the gate says something else now. What a gate has let through stays so."""
        group.outdated = None
        stop = self._stopping(group.task, group)
        same = {state for state, ruled in before.items() if self._ruling(group.task, state, stop) == ruled}
        for unit in group.units or ():
            if unit.state is State.BLOCKED and self._counterpart(unit) not in same:
                self._mark(unit.key)

    def _ruling(self, task: str, counterpart: State | None, stop: tuple[str, str] | None) -> Ruling:
        """What the gate of a task says or, with the state of a counterpart, that of such items of a chained fan-out: of these
        it is asked once, not for each. If nothing more may run, a rule that takes long is not evaluated."""
        own = self.definition.tasks[task]
        shared = counterpart is not None and not own.teardown and not own.on_exit
        rulings = self.ledger.groups[task].rulings if shared else {}
        if counterpart and (known := rulings.get(counterpart)):
            return known
        gate = self.ledger.gate(task, counterpart)
        if stop is None:
            found = ruling(gate)
        else:
            try:
                with pacing.hurried():
                    found = ruling(gate)
            except pacing.TooLong:
                found = State.CANCELLED, stop[1]
        if counterpart:
            rulings[counterpart] = found
        return found

    def _counterpart(self, unit: Unit) -> State | None:
        """The state of the counterpart of an item of a chained fan-out, BLOCKED before its end; None for other units."""
        state = self.ledger.counterpart(unit.task, unit.index)
        return state if state is None or state in FINAL else State.BLOCKED

    def _shut(self, unit: Unit) -> Ruling | None:
        """The ruling that keeps a unit from running again, if any: tasks before it were cleared since it ran."""
        if unit.task in self.definition.handlers:
            return None
        ruled = self._ruling(unit.task, self._counterpart(unit), None)
        return None if ruled[0] is State.READY else ruled

    def _admit(self, unit: Unit, stop: tuple[str, str] | None) -> Ruling:
        """Whether a unit without attempts may run. If nothing more may, a condition that takes long is not evaluated."""
        task, counterpart = self.definition.tasks[unit.task], self._counterpart(unit)
        if unit.index is None or counterpart:
            ruled = self._ruling(unit.task, counterpart, stop)
            if ruled[0] is not State.READY:
                return ruled
        else:
            ruled = State.READY, "its dependencies are done"
            if not names_item(task.when) and not task.handles:
                return ruled if stop is None else (State.CANCELLED, stop[1])  # the fan-out's own gate has asked
        values = self.ledger.values(unit.task, unit.index, unit.item)
        scope, others = self.definition.scope(unit.task), self.ledger.seen_by(unit.task, unit.index)
        if stop is None:
            return condition(task, scope, values, others) or ruled
        try:
            with pacing.hurried():
                return condition(task, scope, values, others) or (State.CANCELLED, stop[1])
        except pacing.TooLong:
            return State.CANCELLED, stop[1]
