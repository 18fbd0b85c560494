"""What a history must show, whatever went wrong. The checker knows the scenario and what really happened, and nothing
of the operator's own reasoning."""

from collections.abc import Iterator, Mapping
from itertools import combinations, pairwise

from tradewind.kube.client import Object
from tradewind.kube.labels import RUN
from tradewind.model.run import FINAL_PHASES
from tradewind.plan.outcomes.attempt import FAILURES, SKIPPED_ITSELF

from .bounds import broken_bounds
from .deadlines import broken_deadlines
from .expectation import RAN, expected
from .fail_fast import broken_stops
from .history import PODS, RUNS, History, attempts
from .makers import broken_makers, made_anew, replaced, without
from .order import Executions, Order, broken_approvals, broken_order, times, unasked
from .scenario import HEEDED, LATE, NOTHING_TO_DO, SHOWN, TELL, Scenario, item_of
from .waits import broken_delays, broken_following

SUSPENDED = 5.0
"""Seconds after which a suspended run starts nothing."""


def violations(scenario: Scenario, history: History, left: Mapping[str, Object]) -> list[str]:
    """All violations, in words; empty for a history that keeps all promises."""
    found = [*history.crashes, *broken_bounds(scenario, history), *broken_makers(scenario, history, left)]
    for run in scenario.names:
        found += [f"{run}: {words}" for words in _of_run(scenario, history, left, run)]
    if scenario.shown:
        found += [f"{SHOWN}: {words}" for words in _next_door(scenario, history, left, SHOWN)]
    for run in scenario.neighbours:
        found += [f"{run}, next door: {words}" for words in _next_door(scenario, history, left, run)]
    for caller in history.callers.values():
        if caller.run not in history.deleted:  # otherwise it may have been created again with its run
            found += [f"{caller.name}: {words}" for words in _of_any(scenario, history, left, caller.name)]
    return found


def _of_run(scenario: Scenario, history: History, left: Mapping[str, Object], run: str) -> Iterator[str]:
    executions = history.of(run)
    yield from _never_doubled(history, executions)
    yield from _only_what_should(scenario, history, run, executions)
    yield from _each_its_item(scenario, executions)
    yield from _told_once(executions)
    yield from broken_order(scenario, history, run)
    yield from broken_approvals(scenario, history, run)
    yield from broken_delays(scenario, history, run)
    yield from broken_following(scenario, history, run)
    yield from broken_deadlines(scenario, history, left, run)
    yield from broken_stops(scenario, history, run)
    yield from _of_any(scenario, history, left, run)
    yield from _heeded(scenario, history, run)
    body = left.get(f"{RUNS}/{run}")
    if body is None and "deleted" not in history.touched[run] and scenario.kept is not None:
        body = history.last(run)  # the DAG's history has deleted it, so it had ended
    if body is not None:
        yield from _ended_right(scenario, history, executions, body)
    elif "deleted" not in history.touched[run] and not without(scenario, history, run):
        yield "the run is there no more"


def _next_door(scenario: Scenario, history: History, left: Mapping[str, Object], run: str) -> Iterator[str]:
    """Whatever happens in one namespace, the runs of another one succeed."""
    yield from _never_doubled(history, history.of(run))
    yield from _of_any(scenario, history, left, run)
    body = history.last(run) or {}
    if (phase := (body.get("status") or {}).get("phase")) != "Succeeded":
        yield f"is {phase}, and should have succeeded: {(body.get('status') or {}).get('waiting')}"


def _of_any(scenario: Scenario, history: History, left: Mapping[str, Object], run: str) -> Iterator[str]:
    """Checks that apply to sub-DAG runs too."""
    yield from _nothing_left(history, left, run)
    yield from _told_the_truth(scenario, history, run)
    yield from _ended_once(history, run)


def _never_doubled(history: History, executions: Executions) -> Iterator[str]:
    """No two live attempts of a task, not even while a node is unreachable, since its containers may be alive. A pod
    that was removed by force may live on unnoticed. The only other overlap allowed: one of two leaders recreates a
    removed pod under its name, while the other one, which sees both later, counts it as lost. A run that was
    created again after its deletion is a different one."""
    both = "two leaders" in history.faults
    for key, items in executions.items():
        for one, other in combinations(items, 2):
            replaced = both and (history.touched[one.pod] or history.touched[other.pod])
            excused = one.forced or other.forced or replaced or (one.asked and history.repeating)
            if one.run_uid == other.run_uid and one.over(other) and not excused:
                yield f"two attempts of {key} alive at once: {one.pod} and {other.pod}"


def _only_what_should(scenario: Scenario, history: History, run: str, executions: Executions) -> Iterator[str]:
    states, _ = expected(scenario)
    ran = {name for name, state in states.items() if state in RAN}
    for uid in history.uids(run) & history.reworked.keys():
        ran |= {*Order(scenario, history, uid).again.ran}
    wanted = {key for name in ran if not scenario.tasks[name].silent for key in scenario.keys(name)}
    for key in executions.keys() - wanted:
        if not (scenario.told and key.startswith(f"{TELL}[")):
            yield f"{key} ran, which was not to run"


def _told_once(executions: Executions) -> Iterator[str]:
    """A handler's item is about one end, whichever process creates its pod, and no two items are about the same end."""
    about: dict[tuple[str, str], str] = {}
    for key, items in executions.items():
        for item in items if key.startswith(f"{TELL}[") else ():
            if (other := about.setdefault((item.run_uid, item.item), key)) != key:
                yield f"{key} and {other} are both about {item.item!r}"
        if key.startswith(f"{TELL}[") and len({(item.run_uid, item.item) for item in items}) > len(
            {item.run_uid for item in items}
        ):
            yield f"{key} is about several ends: {sorted({item.item for item in items})}"


def _all_told(scenario: Scenario, executions: Executions, states: Mapping[str, str]) -> Iterator[str]:
    """Each failure was handled, and nothing else was called one."""
    told = {
        item.item for key, items in executions.items() if key.startswith(f"{TELL}[") for item in items if item.code == 0
    }
    failed = {text.split()[0] for text in told if text.split()[1] == "Failed"}
    real = {name for name, state in states.items() if state == "Failed"}
    stopped = scenario.fails_fast and failed and failed < real
    if failed != real and not stopped:
        yield f"handlers ran for the failures of {sorted(failed)}, and failed had {sorted(real)}"


def _each_its_item(scenario: Scenario, executions: Executions) -> Iterator[str]:
    """An item is the same whichever process creates its pod."""
    for name, task in scenario.tasks.items():
        for index in range(task.items if task.does == "pod" else 0):
            for item in executions.get(f"{name}[{index}]", ()):
                if item.item != item_of(task, index):
                    yield f"{item.pod} ran for item {item.item}, and should have for {item_of(task, index)}"


def _ended_right(scenario: Scenario, history: History, executions: Executions, body: Object) -> Iterator[str]:
    name, status = body["metadata"]["name"], body.get("status") or {}
    order = Order(scenario, history, body["metadata"]["uid"])
    first, states, phase = order.first, order.states, order.phase
    if status.get("phase") == "Queued" and name in history.deleted and "DAG deleted" in history.faults:
        return  # created again, and waits for its DAG
    if status.get("phase") not in FINAL_PHASES:
        yield f"never ended: {status.get('phase')} {status.get('message')}; waiting: {status.get('waiting')}"
        return
    if status["phase"] != phase:
        mine = "cancelled" in history.touched[name] or replaced(scenario, history, name)
        if status["phase"] != "Cancelled" or not mine:
            yield f"ended {status['phase']} ({status.get('message')}), and should be {phase}"
        return
    exempt = bool(history.touched[name]) or made_anew(scenario, history)
    if scenario.told and not exempt:
        yield from _all_told(scenario, executions, states)
    stopped = scenario.fails_fast and phase == "Failed"
    if not stopped:
        yield from unasked(scenario, history, order)
    for task, plan in scenario.tasks.items():
        state = states[task]
        if plan.silent or (state not in RAN and first[task] not in RAN):
            continue
        good, bad = order.counts(task)
        for key in scenario.keys(task):
            items = executions.get(key, [])
            done = times([item for item in items if item.code in (0, NOTHING_TO_DO)])
            failed = times([item for item in items if item.code == 1])
            mine = exempt or any(history.touched[item.pod] for item in items)
            if (done < good or failed < bad) and not stopped:
                yield f"{key} is said to be {state}, but {done} of its executions succeeded and {failed} failed"
            elif (done > good or failed > bad) and not mine:
                yield f"{key} ran once too often: {done} successes for {good}, {failed} failures for {bad}"


def _heeded(scenario: Scenario, history: History, run: str) -> Iterator[str]:
    """What users want of a run takes effect, also if they say so while its status is written. Sensors that wait still ask
    in a suspended run."""
    for uid in sorted(history.uids(run)) if scenario.calm else ():
        changes = history.desired.get(uid, [])
        for (at, desired), (until, _) in pairwise([*changes, (float("inf"), "")]):
            if desired in ("Cancelled", "Terminated"):
                late = [then for then, _ in history.statuses(run, uid) if then > at + HEEDED]
                if late:
                    yield f"it was {desired.lower()} at {at:.1f}, and its status changed at {late[-1]:.1f}"
            elif desired == "Suspended":
                for item in history.executions:
                    if item.run_uid == uid and not item.asked and at + SUSPENDED < item.started < until:
                        yield f"{item.pod} started at {item.started:.1f}, and the run was suspended at {at:.1f}"


def _told_the_truth(scenario: Scenario, history: History, run: str) -> Iterator[str]:
    """Every stored status reports only attempts that had happened by then."""
    executions = [item for item in history.executions if item.run == run]
    mine = scenario.tasks.items() if run in scenario.names else ()
    unseen = {name for name, task in mine if task.silent or task.does == "dag"}
    said: set[tuple[str, int, str]] = set()
    for write in history.writes:
        if write.kind != RUNS or write.name != run or write.body is None:
            continue
        for attempt in attempts(write.body):
            claim = (attempt.task, attempt.number, attempt.reason)
            if claim in said or attempt.task.partition("[")[0] in unseen:
                continue
            said.add(claim)
            ran = [item for item in executions if (item.key, item.attempt) == (attempt.task, attempt.number)]
            ended = [item for item in ran if item.ended is not None and item.ended <= write.at]
            if attempt.reason == SKIPPED_ITSELF and not any(item.code == NOTHING_TO_DO for item in ended):
                yield f"{attempt.task} #{attempt.number} is said to have skipped itself, and no container of it had"
            if attempt.succeeded and not any(item.code == 0 for item in ended):
                yield f"{attempt.task} #{attempt.number} is said to have succeeded, and no container of it had"
            if attempt.reason in FAILURES and not any(item.code == 1 for item in ended):
                yield f"{attempt.task} #{attempt.number} is said to be the task's failure ({attempt.reason}), and no container of it failed"


def _ended_once(history: History, run: str) -> Iterator[str]:
    """A run that has ended stays as it is, unless someone gave it an older status, or works on it: then it continues."""
    for uid in history.uids(run):
        for phases in history.lives(run, uid):
            final = [at for at, phase in enumerate(phases) if phase in FINAL_PHASES]
            if final and len(set(phases[final[0] :])) > 1 and "rolled back" not in history.touched[run]:
                yield f"it had ended, and went on: {phases[final[0] :]}"


def _nothing_left(history: History, left: Mapping[str, Object], run: str) -> Iterator[str]:
    """No pod of a run that has ended is alive, and none starts later."""
    for kind_and_name, body in left.items():
        labels = body["metadata"].get("labels") or {}
        mine = kind_and_name.startswith(f"{PODS}/") and labels.get(RUN) == run
        if mine and body["status"].get("phase") not in ("Succeeded", "Failed"):
            yield f"{kind_and_name} is still {body['status'].get('phase', 'new')}"
    ends = [at for at, status in history.statuses(run) if status.get("phase") in FINAL_PHASES]
    touched = not history.touched[run].isdisjoint({"rolled back", "deleted"})
    if ends and not touched and len(uids := history.uids(run)) == 1 and not history.cut_off:
        on = history.reworked.get(next(iter(uids)), float("inf"))
        last = history.until(run) or 0.0
        for item in history.executions:
            if item.run == run and (ends[0] + LATE < item.started < on or item.started > last + LATE):
                yield f"{item.pod} started at {item.started:.0f} s, after the end of the run"
