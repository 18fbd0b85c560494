"""Names of pods: a function of run, task, item and attempt, so that creating a pod twice creates one."""

import hashlib

from tradewind.plan.outcomes.attempt import key
from tradewind.plan.runs.decision import RunFacts, Start

NAME_LIMIT = 63


def pod_name(run: str, task: str, attempt: int, index: int | None = None) -> str:
    """`<run>-<task>-<attempt>`, or `<run>-<task>-<index>-<attempt>` for an item; shortened with a hash where that is too long for a host
    name."""
    name = f"{run}-{task}-{attempt}" if index is None else f"{run}-{task}-{index}-{attempt}"
    return name if len(name) <= NAME_LIMIT else hashed(name, f"{run}/{key(task, index)}", attempt)


def both_names(run: RunFacts, start: Start) -> tuple[str, str]:
    """The usual name of an attempt's object, and the one to use if another object has that name."""
    usual = pod_name(run.name, start.task, start.number, start.index)
    return usual, hashed(usual, f"{run.uid}/{start.key}", start.number)


def hashed(name: str, what: str, attempt: int) -> str:
    """A shortened name with a hash of the full identity in the middle."""
    tail = f"-{hashlib.sha256(what.encode()).hexdigest()[:10]}-{attempt}"
    return f"{name[: NAME_LIMIT - len(tail)].rstrip('-')}{tail}"
