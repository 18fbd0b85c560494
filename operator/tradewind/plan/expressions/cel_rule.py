"""Trigger rules in CEL: whether they hold, and the consequence if they don't.

A rule that is false because of a failure differs from an unmet condition: its task is `UpstreamFailed`, and the run is
not green."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import chain, combinations

from tradewind.plan import pacing
from tradewind.plan.cel import compiler
from tradewind.plan.cel.compiler import ExpressionError
from tradewind.plan.cel.program import Program
from tradewind.plan.cel.tree import Call, Const, nodes
from tradewind.plan.expressions.spelling import cel_name, is_word, path, plain
from tradewind.plan.outcomes.state import BAD, State
from tradewind.plan.outcomes.trigger_rule import Decision, Verdict

FEW, SOME = 4, 16
"""Up to FEW failed dependencies, all subsets are evaluated; above that, all of them together and each of the first SOME
alone. Each choice costs an evaluation of the rule."""


NAMED = 50
"""Dependencies that a message names."""


def trigger(rule: str, dependencies: Sequence[str]) -> Program:
    """A trigger rule, compiled. Each dependency is a variable that holds its state. Raises ExpressionError."""

    def explained(problem: str) -> str:
        name = compiler.undeclared(problem)
        functions = ", ".join(f"{name}(task)" for name in compiler.FUNCTIONS)
        return f"there is no {name!r}; dependencies are: {there}; functions are {functions}" if name else problem

    more = f" and {len(dependencies) - NAMED} more" if len(dependencies) > NAMED else ""
    there = (", ".join(map(_shown, dependencies[:NAMED])) or "none") + more
    variables = tuple((_variable(name), "string") for name in dependencies)
    program = compiler.compiled(plain(rule), variables, explained, "boolean")
    for node in nodes(program.tree.root):
        if isinstance(node, Call) and node.function in compiler.FUNCTIONS and isinstance(node.args[0], Const):
            words = f"{node.function} asks about a dependency by its name, without quotes: write {node.function}(NAME)"
            raise ExpressionError(rule, f"{words}; dependencies are: {there}")
    return program


def decide(
    rule: str,
    dependencies: Sequence[str],
    ended: Mapping[str, State],
    allowed: Callable[[str], bool] = lambda name: False,
) -> Decision:
    """The decision of a rule, given the states of the ended dependencies; None while it depends on others. A false rule
    that would hold if some of the failed dependencies had succeeded is UpstreamFailed; `allowed` failures don't count.
    Raises ExpressionError."""
    program = trigger(rule, dependencies)
    states = {_variable(name): str(state) for name, state in ended.items()}
    holds = _holds(program, states)
    if holds is None and len(ended) == len(dependencies):
        compiler.run(program, states)  # raises the rule's error
    if holds is not False:
        return Verdict.RUN if holds else None
    bad = [_variable(name) for name in dependencies if ended.get(name) in BAD and not allowed(name)]
    failed = [name for name in bad if name in program.names]
    open_ = False
    for choice in pacing.each(_choices(failed)):
        other = _holds(program, {**states, **dict.fromkeys(choice, str(State.SUCCEEDED))})
        if other:
            return Verdict.UPSTREAM_FAILED
        open_ = open_ or other is None
    return None if open_ and len(ended) < len(dependencies) else Verdict.SKIP


def _variable(name: str) -> str:
    return cel_name(name) if is_word(cel_name(name)) else f"tasks.{cel_name(name)}"


def _shown(name: str) -> str:
    return cel_name(name) if is_word(cel_name(name)) else path("tasks", name)


def _holds(program: Program, states: Mapping[str, str]) -> bool | None:
    """Whether a rule holds; None if that is open. `||` and `&&` may be known without all of their operands."""
    try:
        return bool(compiler.run(program, states))
    except ExpressionError:
        return None


def _choices(failed: Sequence[str]) -> Iterator[tuple[str, ...]]:
    """Sets of failed dependencies that might have succeeded instead."""
    if len(failed) <= FEW:
        return chain.from_iterable(combinations(failed, size) for size in range(1, len(failed) + 1))
    return chain([tuple(failed)], combinations(failed[:SOME], 1))
