"""`$[[ CEL ]]` in values: parsed, checked and rendered."""

import json
from collections.abc import Callable, Collection, Iterator
from typing import Any

from tradewind.model.bounded import checked
from tradewind.plan.cel.compiler import ExpressionError
from tradewind.plan.cel.program import Program
from tradewind.plan.expressions.literal import OPEN, inner, spans
from tradewind.plan.expressions.room import LONGEST, Room
from tradewind.plan.expressions.scope import Scope, compile_in

Evaluate = Callable[[str], Any]
"""The value of an expression as plain data. Raises ExpressionError."""


def expressions(text: str) -> list[str]:
    """The expressions in a value. Raises ExpressionError for an unclosed `$[[`."""
    return [expression for _, expression in _parts(text) if expression is not None]


def whole(text: str) -> str:
    """The expression of a value that consists of a single one; empty for others."""
    stripped = text.strip()
    span = next(spans(stripped), None)
    found = inner(stripped, span) if span == (0, len(stripped)) else ""
    return "" if OPEN in found else found


def secret(text: str, secrets: Collection[str]) -> str:
    """The param that is the whole value and among `secrets`; empty if there is none. A secret can't be a part of a
    value."""
    root, _, name = whole(text).partition(".") if secrets else ("", "", "")
    return name if root == "params" and name in secrets else ""


def check(text: str, scope: Scope, also: Callable[[Program], None] = lambda _: None) -> None:
    """Raises ExpressionError for the first expression in `text` that does not compile, or for which `also` raises it."""
    for expression in expressions(text):
        also(compile_in(expression, scope))


def render(text: str, evaluate: Evaluate, write: Callable[[Any], str]) -> str:
    """`text` with each expression replaced by its value, formatted by `write`. Raises ExpressionError."""
    parts, length = [], 0
    for before, expression in [*_parts(text)]:
        parts.append(before)
        if expression is not None:
            parts.append(write(evaluate(expression)))
            length += len(parts[-1])
        if length > LONGEST:
            words = f"the values in it make more than {LONGEST // 1024} KiB of text: write it to a file in a task"
            raise ExpressionError(text, words)
    return "".join(parts)


def _parts(text: str) -> Iterator[tuple[str, str | None]]:
    """Each expression with the text before it; at the end the remaining text with None. Raises ExpressionError."""
    at = 0
    for span in spans(text):
        yield text[at : span[0]], inner(text, span)
        at = span[1]
    if OPEN in text[at:]:
        raise ExpressionError(text, "`$[[` without `]]`: close the expression")
    yield text[at:], None


def render_tree(value: Any, evaluate: Evaluate, room: Room | None = None) -> Any:
    """Data with the expressions in its strings rendered. An expression that is a whole string keeps its type. Raises
    ExpressionError, also as soon as there is no `room` for what is rendered."""
    return _rendered(value, evaluate, room or Room())


def _rendered(value: Any, evaluate: Evaluate, room: Room) -> Any:
    match value:
        case str():
            if "$[[" not in value:
                return value
            expression = whole(value)
            found = _kept(evaluate(expression)) if expression else render(value, evaluate, written)
            room.take(found, value)
            return found
        case dict():
            return {name: _rendered(item, evaluate, room) for name, item in value.items()}
        case list():
            return [_rendered(item, evaluate, room) for item in value]
        case _:
            return value


def leaves(value: Any, path: str) -> list[tuple[str, str]]:
    """Path and text of every string with expressions in some data."""
    match value:
        case str():
            return [(path, value)] if "$[[" in value else []
        case dict():
            return [found for name, item in value.items() for found in leaves(item, f"{path}.{name}")]
        case list():
            return [found for index, item in enumerate(value) for found in leaves(item, f"{path}[{index}]")]
        case _:
            return []


def _kept(value: Any) -> Any:
    """A value as it will be stored: 3 for a computed 3.0."""
    return checked(value) if isinstance(value, float) else value


def written(value: Any) -> str:
    """A value as text: strings unchanged, everything else as JSON, with sorted keys; integral numbers without a
    fraction, whether declared as integers or as numbers."""
    if isinstance(value, str):
        return value
    return json.dumps(_kept(value), ensure_ascii=False, separators=(",", ":"), sort_keys=True, default=str)
