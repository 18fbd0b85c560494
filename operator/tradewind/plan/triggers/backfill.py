"""The ticks of a backfill, and its next steps: decided from the existing runs each time."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta, tzinfo
from itertools import islice, takewhile
from typing import TypeVar

from tradewind.model.backfill import Action, BackfillSpec
from tradewind.model.schedule import Schedule
from tradewind.model.trigger import TriggerSpec
from tradewind.plan.documents.problem import Invalid, Problem
from tradewind.plan.triggers.calendar import ROOT, Calendar, day_of, end_of, is_day, moment_of, zone_of
from tradewind.plan.triggers.trigger import check

T = TypeVar("T")
BACKFILL_TICKS_LIMIT = 10_000
"""Ticks per backfill."""


@dataclass(frozen=True, slots=True)
class TickRun:
    """A run of the backfill's DAG. `mine` marks those that the backfill has created or retried, `again` those that can
    be retried."""

    name: str
    moment: float
    """Epoch seconds of its logical date."""
    created: int
    phase: str
    final: bool
    mine: bool = False
    again: bool = False


@dataclass(frozen=True, slots=True)
class Step:
    """Something to do. `run` is the one to retry."""

    tick: datetime
    action: Action
    run: str = ""


@dataclass(slots=True)
class Decided:
    """The results and next steps for the ticks."""

    steps: list[Step] = field(default_factory=list)
    """Ticks that have not had their turn, in order."""
    active: list[TickRun] = field(default_factory=list)
    """Its runs that have not ended."""
    succeeded: int = 0
    failed: list[TickRun] = field(default_factory=list)
    """Its runs that did not succeed."""
    kept: int = 0
    """The number of ticks that are left as they are."""


def decide(spec: BackfillSpec, ticks: Sequence[datetime], runs: Iterable[TickRun]) -> Decided:
    """The next steps. A tick whose run this backfill has created or retried has had its turn, whatever the result."""
    of_tick: dict[float, list[TickRun]] = {}
    for run in runs:
        of_tick.setdefault(run.moment, []).append(run)
    decided = Decided()
    for tick in ticks if spec.order == "OldestFirst" else reversed(ticks):
        found = of_tick.get(tick.timestamp(), [])
        if mine := [run for run in found if run.mine]:
            latest = max(mine, key=_age)
            if not latest.final:
                decided.active.append(latest)
            elif latest.phase == "Succeeded":
                decided.succeeded += 1
            else:
                decided.failed.append(latest)
        elif step := _step(spec, tick, found):
            decided.steps.append(step)
        else:
            decided.kept += 1
    return decided


def _step(spec: BackfillSpec, tick: datetime, found: Sequence[TickRun]) -> Step | None:
    if not found:
        return Step(tick, "Create") if "Missing" in spec.runs else None
    latest = max(found, key=_age)
    if not all(run.final for run in found):
        return None
    if latest.phase == "Succeeded":
        return Step(tick, "Rerun") if "Succeeded" in spec.runs else None
    if "Failed" not in spec.runs:
        return None
    return Step(tick, "Retry", latest.name) if latest.again else Step(tick, "Rerun")


def _age(run: TickRun) -> tuple[int, str]:
    return run.created, run.name


def source(spec: BackfillSpec, trigger: TriggerSpec | None) -> TriggerSpec:
    """The trigger that gives the backfill's runs their values: the backfill's trigger with its own params overriding
    the trigger's or, without one, a trigger that fires at the backfill's ticks. Raises Invalid for a trigger without a
    schedule or of another DAG."""
    if trigger is None:
        zone = spec.time_zone or "UTC"
        schedule = Schedule(cron=spec.cron, dates=spec.ticks, start=spec.start, end=spec.end, time_zone=zone)
        return TriggerSpec(dag=spec.dag, schedule=schedule, params=spec.params, priority=spec.priority)
    if trigger.dag != spec.dag:
        words = f"trigger {spec.trigger} is of DAG {trigger.dag}"
        raise Invalid([Problem("spec.trigger", words, f"name one of {spec.dag}")])
    if trigger.schedule is None:
        words = f"trigger {spec.trigger} has no schedule"
        raise Invalid([Problem("spec.trigger", words, "name one that has, or write ticks without a trigger")])
    return trigger.model_copy(update={"params": {**trigger.params, **spec.params}, "priority": spec.priority})


def ticks_of(spec: BackfillSpec, calendar: Calendar, created: datetime) -> list[datetime]:
    """The ticks of a backfill, in order, in UTC, up to `created`, when it was created. Raises Invalid."""
    zone = zone_of(spec.time_zone) if spec.time_zone else calendar.zone
    if spec.ticks:
        return _named(spec, calendar, created, zone)
    start = _read("start", spec.start or "", zone, moment_of)
    if start > created:
        raise Invalid([_in_future("spec.start")])
    end = min(_read("end", spec.end, zone, end_of), created) if spec.end else created
    return _limited(calendar, _between(calendar, start, end), "spec.end", "end at")


def is_cut(spec: BackfillSpec, calendar: Calendar, created: datetime) -> bool:
    """Whether a range extends into the future, where a backfill has no ticks. Raises Invalid."""
    zone = zone_of(spec.time_zone) if spec.time_zone else calendar.zone
    return bool(spec.end) and _read("end", spec.end or "", zone, end_of) > created


def _named(spec: BackfillSpec, calendar: Calendar, created: datetime, zone: tzinfo) -> list[datetime]:
    """The listed ticks. A date without a time stands for the trigger's ticks on that day."""
    found, problems = set[datetime](), list[Problem]()
    for index, text in enumerate(spec.ticks):
        path = f"spec.ticks[{index}]"
        if not spec.trigger or not is_day(text):
            tick = _read(f"ticks[{index}]", text, zone, moment_of)
            problems += _unfit(spec, path, tick, calendar, created)
            found.add(tick)
            continue
        first, last = _read(f"ticks[{index}]", text, zone, day_of)
        if first > created:
            problems.append(_in_future(path))
        elif of_day := list(_between(calendar, first, min(last, created))):
            found.update(of_day)
        elif next(_between(calendar, first, last), None):
            problems.append(_in_future(path))
        else:
            what = f"trigger {spec.trigger} has no tick on {text}"
            problems.append(Problem(path, what, _near(calendar, first)))
        if len(found) > BACKFILL_TICKS_LIMIT:
            break
    if problems:
        raise Invalid(problems)
    return _limited(calendar, sorted(found), path, "name fewer days: end at")


def _between(calendar: Calendar, first: datetime, last: datetime) -> Iterator[datetime]:
    """The ticks from one moment to another, both inclusive."""
    return takewhile(lambda tick: tick <= last, calendar.after(first - timedelta(seconds=1)))


def _limited(calendar: Calendar, ticks: Iterable[datetime], path: str, instead: str) -> list[datetime]:
    found = list(islice(ticks, BACKFILL_TICKS_LIMIT + 1))
    if len(found) > BACKFILL_TICKS_LIMIT:
        words = f"over {BACKFILL_TICKS_LIMIT:,} ticks"
        last = calendar.local(found[-2]).isoformat()
        raise Invalid([Problem(path, words, f"{instead} {last}, and make another backfill")])
    return found


def _unfit(spec: BackfillSpec, path: str, tick: datetime, calendar: Calendar, created: datetime) -> Iterator[Problem]:
    if tick > created:
        yield _in_future(path)
    elif spec.trigger and next(calendar.before(tick), None) != tick:
        yield Problem(path, f"not a tick of trigger {spec.trigger}", _near(calendar, tick))


def _in_future(path: str) -> Problem:
    return Problem(path, "was in the future when the backfill was created", "leave it to the schedule, or run the DAG")


def _near(calendar: Calendar, moment: datetime) -> str:
    near = [*islice(calendar.before(moment), 1), *islice(calendar.after(moment), 1)]
    words = " or ".join(calendar.local(tick).isoformat() for tick in near)
    return f"near it are {words}" if words else "it has none"


def _read(name: str, text: str, zone: tzinfo, read: Callable[[str, tzinfo], T]) -> T:
    try:
        return read(text, zone)
    except ValueError as error:
        what, _, instead = str(error).partition("; ")
        raise Invalid([Problem(f"spec.{name}", what, instead)]) from None


def review(spec: BackfillSpec) -> list[Problem]:
    """What is wrong with a backfill, as far as it is known without its DAG and its trigger."""
    return [own(problem) for problem in check(source(spec, None), None)]


def own(problem: Problem) -> Problem:
    """A problem of the trigger that stands for a backfill, moved to the backfill's field."""
    path = problem.path.replace(f"{ROOT}.dates", "spec.ticks").replace(f"{ROOT}.", "spec.")
    return Problem(path, problem.what, problem.instead)


def moment(epoch: float) -> datetime:
    """A point in time in UTC."""
    return datetime.fromtimestamp(epoch, UTC)
