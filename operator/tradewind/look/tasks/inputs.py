"""The values that a task takes: each with the expression that gives it."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from tradewind.control.dagrun.state import RunState
from tradewind.model.task import Task
from tradewind.plan import pacing
from tradewind.plan.cel.error import ExpressionError
from tradewind.plan.expressions.interpolation import render_tree
from tradewind.plan.runs.unit import Unit

MOST = 200
"""Values that are shown."""
LONGEST = 8 * 1024
"""Characters of a value."""


@dataclass(frozen=True, slots=True)
class Input:
    """A value, or why it can't be computed."""

    name: str
    expression: str
    value: Any
    problem: str = ""


def inputs(view: RunState, unit: Unit) -> list[Input]:
    """The values of a unit's next, or last, attempt. Secrets are references here, as in the pod."""
    planner = view.planner
    assert planner is not None  # noqa: S101 - the picture of a run that has begun
    task = planner.definition.tasks[unit.task]
    number = unit.live.number if unit.live else unit.ended[-1].number if unit.ended else unit.next
    evaluate = planner.ledger.evaluator(unit.key, number)
    found: list[Input] = []
    for name, given in pacing.each(_fields(task)):
        if len(found) == MOST:
            break
        text = given if isinstance(given, str) else ""
        try:
            value, problem = render_tree(given, evaluate), ""
        except ExpressionError as error:
            value, problem = None, str(error)
        except Exception as error:  # a value that is not there yet, or a status that was changed by hand
            value, problem = None, f"{type(error).__name__}: {error}"
        if isinstance(value, str) and len(value) > LONGEST:
            value = f"{value[:LONGEST]}… ({len(value)} characters)"
        found.append(Input(name, text[:LONGEST] if "$[[" in text else "", value, problem[:1_024]))
    return found


def _fields(task: Task) -> Iterator[tuple[str, Any]]:
    yield from ((f"env.{name}", text) for name, text in task.env.items())
    for name, source in task.env_from.items():
        ref = source.secret_key_ref or source.config_map_key_ref
        kind = "Secret" if source.secret_key_ref else "ConfigMap"
        yield f"env.{name}", f"{kind} {ref.name}, key {ref.key}" if ref else ""
    yield from ((f"command[{place}]", text) for place, text in enumerate(task.command))
    yield from ((f"args[{place}]", text) for place, text in enumerate(task.args))
    if task.image:
        yield "image", task.image
    if task.dag:
        yield from ((f"dag.params.{name}", value) for name, value in task.dag.params.items())
    yield from _parts(task)


def _parts(task: Task) -> Iterator[tuple[str, Any]]:
    if task.http:
        yield "http.url", task.http.url
        yield from ((f"http.headers.{name}", text) for name, text in _open(task.http.headers))
        if task.http.body:
            yield "http.body", task.http.body
    if task.wait:
        yield from ((f"wait.{name}", text) for name in ("duration", "until") if (text := getattr(task.wait, name)))
    if task.approval:
        yield "approval.message", task.approval.message
    yield from ((f"compute.{name}", f"$[[ {text} ]]") for name, text in task.compute.items())


def _open(headers: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    """Headers without those that carry credentials."""
    for name, text in headers.items():
        hidden = name.lower() in ("authorization", "cookie", "proxy-authorization") and "$(" not in text
        yield name, "(hidden)" if hidden else text
