"""The names of pods: a function of run, task, item and attempt, so that creating one twice is creating one."""

import hashlib

from tradewind.plan.outcomes.attempt import key
from tradewind.plan.runs.decision import RunFacts, Start

NAME_LIMIT = 63


def pod_name(run: str, task: str, attempt: int, index: int | None = None) -> str:
    """`<run>-<task>-<attempt>`, of an item `<run>-<task>-<index>-<attempt>`; hashed in the middle when that is too long for a host
    name."""
    name = f"{run}-{task}-{attempt}" if index is None else f"{run}-{task}-{index}-{attempt}"
    return name if len(name) <= NAME_LIMIT else hashed(name, f"{run}/{key(task, index)}", attempt)


def both_names(run: RunFacts, start: Start) -> tuple[str, str]:
    """The usual name of what an attempt makes, and the one it gets where something else has that."""
    usual = pod_name(run.name, start.task, start.number, start.index)
    return usual, hashed(usual, f"{run.uid}/{start.key}", start.number)


def hashed(name: str, what: str, attempt: int) -> str:
    """A name that is cut, with a hash of what it stands for in the middle."""
    tail = f"-{hashlib.sha256(what.encode()).hexdigest()[:10]}-{attempt}"
    return f"{name[: NAME_LIMIT - len(tail)].rstrip('-')}{tail}"
