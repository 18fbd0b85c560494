"""The pools that a run's tasks claim, where names depend on the run: a lock for each region, `$[[ params.region ]]`."""

import re
from collections.abc import Iterator, Mapping
from typing import Any

from tradewind.model.base import DNS_LABEL, NAMED
from tradewind.model.pool import PoolClaim
from tradewind.model.task import Task
from tradewind.plan import pacing
from tradewind.plan.cel.error import ExpressionError
from tradewind.plan.documents.problem import Invalid, Problem
from tradewind.plan.expressions.interpolation import render, written
from tradewind.plan.expressions.literal import OPEN
from tradewind.plan.expressions.scope import Scope, evaluate

MOST_NAMES = 4
"""Different texts with expressions among the names of a DAG's pools: each is evaluated before a run starts, and
again whenever its plan is made."""
CHANGING = ("run.startedAt", "run.attempt")
"""What a run does not know before it starts: with it, a name would not be the one that was checked."""
UNKNOWN = ""
"""The name that stands for one that can't be computed. No pool has it, so that nothing starts."""


def templated(tasks: Mapping[str, Task]) -> Iterator[tuple[str, int, PoolClaim]]:
    """Task, index and claim, where the pool's name has an expression."""
    for name, task in pacing.each(tasks.items()):
        for index, claim in enumerate(task.pools):
            if OPEN in claim.name:
                yield name, index, claim


def too_many(tasks: Mapping[str, Task]) -> Iterator[Problem]:
    """A problem if names of pools have more different expressions than are evaluated for a run."""
    seen = set[str]()
    for name, index, claim in templated(tasks):
        seen.add(claim.name)
        if len(seen) > MOST_NAMES:
            what = f"more than {MOST_NAMES} different expressions name pools in this DAG"
            yield Problem(f"spec.tasks.{name}.pools[{index}].name", what, "compute the name once, in a param")
            return


def claims(tasks: Mapping[str, Task], scope: Scope, values: Mapping[str, Any]) -> dict[str, tuple[PoolClaim, ...]]:
    """By task: the claims of a run with these values. Only tasks with an expression in the name of a pool are listed."""
    names = _Names(scope, values)

    def rendered(task: Task) -> tuple[PoolClaim, ...]:
        return tuple(claim.model_copy(update={"name": names.get(claim.name)[0]}) for claim in task.pools)

    return {name: rendered(tasks[name]) for name in dict.fromkeys(name for name, _, _ in templated(tasks))}


def check(tasks: Mapping[str, Task], scope: Scope, values: Mapping[str, Any]) -> None:
    """Raises Invalid if a name of a pool can't be computed for a run with these values, is not one, or occurs twice in a task."""
    names, problems, seen = _Names(scope, values), [], set[tuple[str, str, str]]()
    for name, index, claim in templated(tasks):
        found, problem = names.get(claim.name)
        others = [other for at, other in enumerate(tasks[name].pools) if at != index and other.kind == claim.kind]
        if problem is None and found in (names.get(other.name)[0] for other in others):
            problem = Problem(
                "", f"{found!r} is claimed twice by this task", "claim it once, with the sum of the slots"
            )
        if problem and (name, problem.what, claim.kind) not in seen:
            seen.add((name, problem.what, claim.kind))
            problems.append(Problem(f"spec.tasks.{name}.pools[{index}].name", problem.what, problem.instead))
    if problems:
        raise Invalid(problems)


class _Names:
    """Rendered names, each text once."""

    def __init__(self, scope: Scope, values: Mapping[str, Any]) -> None:
        self._scope, self._values = scope, {name: value for name, value in values.items() if name not in CHANGING}
        self._known: dict[str, tuple[str, Problem | None]] = {}

    def get(self, text: str) -> tuple[str, Problem | None]:
        """The name, and what is wrong with it."""
        if OPEN not in text:
            return text, None
        if text not in self._known:
            self._known[text] = self._rendered(text)
        return self._known[text]

    def _rendered(self, text: str) -> tuple[str, Problem | None]:
        try:
            name = render(
                text, lambda expression: evaluate(expression, self._scope, self._values, lambda _: {}), written
            )
        except ExpressionError as error:
            return UNKNOWN, Problem("", str(error))
        if not re.fullmatch(DNS_LABEL, name):
            return UNKNOWN, Problem("", f"{name[:63]!r} is not the name of a pool", NAMED[DNS_LABEL])
        return name, None
