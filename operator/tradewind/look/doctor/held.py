"""Runs that don't progress: what delays them, the most common cause first, and what to do about each."""

from collections.abc import Sequence
from dataclasses import dataclass

from tradewind.control.dagrun.run import Run
from tradewind.look.doctor.facts import Facts, Unknown
from tradewind.look.doctor.finding import Found, Level, unknown
from tradewind.look.doctor.leases import idle
from tradewind.look.unclaimed import PATIENCE
from tradewind.look.waiting.reason import NOT_SEEN, WORK, Cause, Wait
from tradewind.model import duration
from tradewind.model.shown import counted

LONG = 300.0
"""Seconds after which a wait is reported; that of a run that no operator has taken up is reported after PATIENCE, as
the other commands do."""
SHOWN = 10
DO = {
    Cause.QUEUED: "`tradewind get runs` shows those before it",
    Cause.BACK_OFF: "`tradewind logs` of the failed attempt",
    Cause.PARALLELISM: "raise `parallelism`, if the cluster has room",
    Cause.POOL: "`tradewind get pools`; raise `slots`",
    Cause.QUOTA: "`kubectl describe resourcequota`",
    Cause.PERSON: "`tradewind approve`, or `tradewind resume`",
    Cause.OPERATOR: "is the operator well (above)? Its log names the run",
    Cause.SCHEDULING: "`kubectl describe pod`: requests, node selectors, taints, or a cluster that is full",
    Cause.CONFIG: "create what is missing, or fix env and envFrom",
    Cause.IMAGE: "fix the image's name, or the pull secret",
}
EXPECTED = frozenset({Cause.QUEUED, Cause.BACK_OFF, Cause.PARALLELISM, Cause.POOL, Cause.PERSON})
"""Waits that are intended."""


@dataclass(slots=True)
class _Group:
    run: Run
    wait: Wait
    tasks: int = 0
    seconds: float = 0.0


def held_up(facts: Facts) -> Found:
    """A finding for each cause and reason of long waits, and for the runs that no operator continues."""
    if isinstance(facts.runs, Unknown):
        yield unknown(facts.runs, "what they wait for")
        return
    where = f"in namespace {facts.namespace}" if facts.namespace else "in any namespace"
    abandoned = _abandoned(facts, [item.run for item in facts.runs if item.run.phase])
    for why, runs in abandoned.items():
        named = ", ".join(f"{run.namespace}/{run.name}" for run in runs[:SHOWN])
        more = f" and {len(runs) - SHOWN} more" if len(runs) > SHOWN else ""
        words = (
            f"{counted(len(runs), 'active run')} stand{'s' if len(runs) == 1 else ''} still, since {why}: {named}{more}"
        )
        yield (
            Level.PROBLEM,
            words,
            "see the lines `operator` and `leader`: a new operator continues where the last one stopped",
        )
    groups: dict[tuple[Cause, str], _Group] = {}
    for item in facts.runs:
        for wait in item.waits:
            seconds = wait.seconds(facts.now) or 0.0
            if wait.cause in WORK or seconds < (PATIENCE if wait.reason == NOT_SEEN else LONG):
                continue
            group = groups.setdefault((wait.cause, wait.reason), _Group(item.run, wait))
            group.tasks += 1
            if seconds > group.seconds:
                group.run, group.wait, group.seconds = item.run, wait, seconds
    for (cause, _), group in sorted(groups.items(), key=lambda found: -found[1].seconds)[:SHOWN]:
        level = Level.OK if cause in EXPECTED else Level.WARNING
        look = f"`tradewind describe {group.run.name} -n {group.run.namespace}`"
        yield level, _words(group), f"{DO.get(cause, '')}; {look}".lstrip("; ")
    if not groups and not abandoned:
        count = len(facts.runs)
        words = f"{counted(count, 'active run')} {where}, and none waits for long"
        yield Level.OK, words if count else f"no active runs {where}", ""


def _words(group: _Group) -> str:
    run, wait, lasts = group.run, group.wait, duration.text(round(group.seconds))
    where = f"{run.namespace}/{run.name}{f' {wait.task}' if wait.task else ''}"
    more = f", and {group.tasks - 1} more" if group.tasks > 1 else ""
    if wait.reason == NOT_SEEN:
        return f"no operator has taken up {where}{more} for {lasts}, since {duration.stamp(run.created)}"
    return f"{where}{more} waits for {lasts}: {wait.reason or wait.cause}: {wait.message}".rstrip(": ")


def _abandoned(facts: Facts, runs: Sequence[Run]) -> dict[str, list[Run]]:
    """The runs that an operator has taken up and none continues, by the reason."""
    reasons = {namespace: idle(facts, namespace) for namespace in {run.namespace for run in runs}}
    found: dict[str, list[Run]] = {}
    for run in runs:
        if reason := reasons[run.namespace]:
            found.setdefault(reason, []).append(run)
    return found
