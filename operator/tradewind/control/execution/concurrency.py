"""Concurrency of a DAG's runs: which run may begin, and which active ones it replaces."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from tradewind.control.dagrun.run import Run
from tradewind.model.shown import counted
from tradewind.plan.cel.compiler import ExpressionError
from tradewind.plan.dags.definition import Definition
from tradewind.plan.expressions.interpolation import written
from tradewind.plan.expressions.scope import evaluate
from tradewind.plan.expressions.typed_values import resolve

NEXT = 5
"""Waiting runs that are woken when one ends. Waking all would make a line of thousands quadratic."""


@dataclass(frozen=True, slots=True)
class Peer:
    """Another run of the same DAG that has not ended. `active` if it has begun or is about to; `key` is None if it can't be computed."""

    run: Run
    active: bool
    key: str | None = ""


@dataclass(frozen=True, slots=True)
class ConcurrencyDecision:
    """Whether a run may begin and, if not, why, and which runs to cancel or skip."""

    begin: bool
    message: str = ""
    skip: bool = False
    cancel: Sequence[Run] = ()
    """Active runs that it replaces."""


def key_of(definition: Definition, run: Run, params: Mapping[str, Any]) -> str:
    """The run's concurrency key by `concurrencyKey`. Raises ExpressionError."""
    expression = definition.spec.concurrency_key
    if not expression:
        return ""
    facts = {**run.facts.values(), **{f"params.{name}": value for name, value in params.items()}}
    return written(evaluate(expression, definition.waiting_scope, facts, lambda _: {}))


def key_of_peer(definition: Definition, run: Run) -> str | None:
    """As `key_of`, with the params that the run has or would have. None if that fails; the run itself will report it."""
    params = run.status.get("params") or resolve(definition.spec.params, run.params)[0]
    try:
        return key_of(definition, run, params)
    except ExpressionError:
        return None


def priority(definition: Definition, run: Run) -> int:
    """The run's own priority, or its DAG's."""
    return definition.spec.priority if run.priority is None else run.priority


def verdict(definition: Definition, run: Run, key: str, peers: Sequence[Peer]) -> ConcurrencyDecision:
    """Whether `run` with this concurrency key may begin beside its peers."""
    limit = definition.spec.max_active_runs
    if limit is None:
        return ConcurrencyDecision(True)
    rivals = [peer for peer in peers if peer.key == key]
    active = [peer.run for peer in rivals if peer.active]
    policy = definition.spec.concurrency_policy
    which = f" with key {key!r}" if definition.spec.concurrency_key else ""
    most = counted(limit, "run")
    full = f"{len(active)} of at most {most} of DAG {run.dag}{which} {'is' if len(active) == 1 else 'are'} active"
    if policy == "Skip" and len(active) >= limit:
        return ConcurrencyDecision(False, f"{full}; this one is skipped (concurrencyPolicy)", skip=True)
    ahead = [peer.run for peer in rivals if not peer.active and turn(definition, peer.run) < turn(definition, run)]
    if policy == "Replace":
        # Only the youngest waiting run replaces others: earlier ones would be replaced in their turn.
        going = sorted((peer for peer in active if not peer.cancelled), key=lambda peer: (peer.created, peer.name))
        surplus = len(going) + 1 - limit
        cancel = going[:surplus] if surplus > 0 else []
        if len(active) < limit and not ahead:
            return ConcurrencyDecision(True)
        return ConcurrencyDecision(False, f"{full}; it begins when those it replaces have ended", cancel=cancel)
    if len(active) + len(ahead) < limit:
        return ConcurrencyDecision(True)
    first = min(active, key=lambda peer: (peer.created, peer.name)).name if active else ahead[0].name
    if len(ahead) >= NEXT:
        # It is reconciled again only when it is among the next, so its message must stay true until then.
        return ConcurrencyDecision(
            False, f"at most {most} of DAG {run.dag}{which} may be active; {NEXT} or more wait before it"
        )
    more = f", {len(ahead)} {'waits' if len(ahead) == 1 else 'wait'} before it" if ahead else ""
    return ConcurrencyDecision(False, f"{full}{more}; it waits for {first}")


def turn(definition: Definition, run: Run) -> tuple[int, int, float, str]:
    """Sorts waiting runs in the order in which they begin: by priority, then by age."""
    return (-priority(definition, run), *age(run))


def in_queue(run: Run, peers: Iterable[Run]) -> ConcurrencyDecision:
    """Whether `run` may begin as far as its queue allows; `peers` have not ended."""
    rivals = (peer for peer in peers if run.queue and peer.queue == run.queue)
    if any(peer.phase == "Running" or age(peer) < age(run) for peer in rivals):
        words = f"runs of queue {run.queue!r} go one after the other, in the order in which they were made: others are before it"
        return ConcurrencyDecision(False, words)
    return ConcurrencyDecision(True)


def age(run: Run) -> tuple[int, float, str]:
    """Sorts runs by age. Creation times have a resolution of one second; within it, the earlier logical date goes first."""
    return (run.created, run.moment, run.name)
