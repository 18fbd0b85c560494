"""What a history must show about whatever creates runs, and deletes them."""

from collections.abc import Iterator, Mapping

from tradewind.kube.client import Object
from tradewind.model.backfill import FINISHED
from tradewind.model.run import FINAL_PHASES

from .clock import EPOCH
from .history import RUNS, History
from .scenario import EVERY, KEPT, SHOWN, Scenario

SETTING_BACK = "trigger or backfill set back"


def made_anew(scenario: Scenario, history: History) -> bool:
    """Whether runs may be created once more: their DAG's history had deleted them, and a trigger or backfill forgot
    them, or an operator that was cut off repeats what another one has done since."""
    return scenario.kept is not None and (SETTING_BACK in history.faults or history.cut_off)


def replaced(scenario: Scenario, history: History, run: str) -> bool:
    """Whether a run may have been cancelled because of a later tick."""
    later = scenario.names[scenario.names.index(run) + 1 :]
    return scenario.concurrency == "Replace" and any(history.last(name) for name in later)


def without(scenario: Scenario, history: History, run: str) -> bool:
    """Whether a tick may have no run: an earlier tick's run had not ended, or a later one replaced it at once. The
    earlier tick counts from when it was due: if the API server delays them, both are processed together."""
    if scenario.concurrency != "Forbid":
        return replaced(scenario, history, run)
    before = scenario.ticks[scenario.names.index(run)].timestamp() - EPOCH - EVERY
    others = (history.until(name) for name in scenario.names if name != run)
    return any(until is not None and (until >= before or "clock set" in history.faults) for until in others)


def broken_makers(scenario: Scenario, history: History, left: Mapping[str, Object]) -> Iterator[str]:
    """Runs that nobody requested, or that were created twice; triggers and backfills that did not finish; ended runs
    that should have been kept, or deleted."""
    called = {item.name for item in history.callers.values()}
    for name in {write.name for write in history.writes if write.kind == RUNS}.difference(
        scenario.names, scenario.neighbours, called, {SHOWN}
    ):
        yield f"nobody asked for run {name}"
    for name in scenario.names:
        if len(history.uids(name)) > 1 and "deleted" not in history.touched[name] and not made_anew(scenario, history):
            yield f"{name} was made twice"
    yield from _kept(scenario, history, left)
    if scenario.chained:
        yield from _chained(scenario, history)
    if "DAG deleted" in history.faults:
        return  # they wait for it
    if scenario.maker == "schedule":
        status = left["tradewind.dev/triggers/schedule"].get("status") or {}
        if status.get("phase") != "Done":
            yield f"the trigger is not done: {status}"
    elif scenario.maker == "backfill":
        status = left["tradewind.dev/backfills/backfill"].get("status") or {}
        right = "Succeeded" if {_phase(history, name) for name in scenario.names} == {"Succeeded"} else "Failed"
        touched = any(history.touched[name] for name in scenario.names)
        if status.get("phase") not in (FINISHED if touched else {right}):
            yield f"the backfill should be {right}: {status}"


def _chained(scenario: Scenario, history: History) -> Iterator[str]:
    """No run begins before the run before has ended, and each reads what that one left."""
    changed = any({"deleted", "rolled back", "cancelled"} & how for how in history.touched.values())
    if changed or not {"stale lists", "two leaders"}.isdisjoint(history.faults):
        return  # an operator may not have heard of the run before
    for at, name in enumerate(scenario.names):
        began = [when for when, status in history.statuses(name) if status.get("phase") == "Running"]
        ended = history.until(scenario.names[at - 1]) if at else 0.0
        if began and (ended is None or began[0] < ended):
            yield f"{name} began at {began[0]:.2f}, and the run before it ended at {ended}"
        kept = ((history.last(name) or {}).get("status") or {}).get("kept") or {}
        if _phase(history, name) == "Succeeded" and kept != {KEPT: at + 1}:
            yield f"{name} leaves {kept}, and {at} runs before it succeeded"


def _phase(history: History, run: str) -> str:
    return str(((history.last(run) or {}).get("status") or {}).get("phase"))


def _kept(scenario: Scenario, history: History, left: Mapping[str, Object]) -> Iterator[str]:
    if scenario.kept is None or any({"deleted", "rolled back"} & how for how in history.touched.values()):
        return  # the remaining objects don't show how many ended, and how
    for succeeded in (True, False):
        phases = {name: _phase(history, name) for name in scenario.names}
        ours = [name for name, phase in phases.items() if phase in FINAL_PHASES and (phase == "Succeeded") is succeeded]
        there = sum(f"{RUNS}/{name}" in left for name in ours)
        least = min(scenario.kept, len(ours))
        # It may not be time yet, and ended runs that were not in the list are searched for within the hour.
        late = history.misled or not {"DAG deleted", "clock set"}.isdisjoint(history.faults)
        if there < least or (there > least and not late):
            yield f"{there} of {len(ours)} runs that {'succeeded' if succeeded else 'failed'} are there, and {scenario.kept} are kept"
