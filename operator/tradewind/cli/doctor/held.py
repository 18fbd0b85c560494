"""Runs that don't progress: what delays them, the most common cause first, and what to do about each."""

from dataclasses import dataclass

from tradewind.cli.doctor.facts import Facts, Unknown
from tradewind.cli.doctor.finding import Found, Level
from tradewind.cli.waiting.reason import WORK, Cause, Wait
from tradewind.control.dagrun.run import Run
from tradewind.model import duration
from tradewind.model.shown import counted

LONG = 300.0
"""Seconds after which a wait is reported."""
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
    """A finding for each cause and reason of long waits."""
    if isinstance(facts.runs, Unknown):
        yield Level.UNKNOWN, f"what they wait for: {facts.runs.why}", ""
        return
    groups: dict[tuple[Cause, str], _Group] = {}
    for item in facts.runs:
        for wait in item.waits:
            seconds = wait.seconds(facts.now) or 0.0
            if wait.cause in WORK or seconds < LONG:
                continue
            group = groups.setdefault((wait.cause, wait.reason), _Group(item.run, wait))
            group.tasks += 1
            if seconds > group.seconds:
                group.run, group.wait, group.seconds = item.run, wait, seconds
    for (cause, reason), group in sorted(groups.items(), key=lambda found: -found[1].seconds)[:SHOWN]:
        where = f"{group.run.namespace}/{group.run.name}{' ' + group.wait.task if group.wait.task else ''}"
        more = f", and {group.tasks - 1} more" if group.tasks > 1 else ""
        words = (
            f"{where}{more} waits for {duration.text(round(group.seconds))}: {reason or cause}: {group.wait.message}"
        )
        level = Level.OK if cause in EXPECTED else Level.WARNING
        look = f"`tradewind describe {group.run.name} -n {group.run.namespace}`"
        yield level, words.rstrip(": "), f"{DO.get(cause, '')}; {look}".lstrip("; ")
    if not groups:
        count = len(facts.runs)
        yield Level.OK, f"{counted(count, 'active run')}, and none waits for long" if count else "no active runs", ""
