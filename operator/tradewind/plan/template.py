"""`$[[ CEL ]]` in values: found, checked, rendered."""

import json
import re
from collections.abc import Callable, Collection
from typing import Any

from tradewind.plan.cel import ExpressionError
from tradewind.plan.expression import Scope, compile_in

_TEMPLATE = re.compile(r"\$\[\[(.*?)\]\]", re.DOTALL)
Evaluate = Callable[[str], Any]
"""An expression's value as plain data. Raises ExpressionError."""


def expressions(text: str) -> list[str]:
    """The expressions inside a value. Raises ExpressionError for a `$[[` that is never closed."""
    rest = _TEMPLATE.sub(" ", text)
    if "$[[" in rest:
        raise ExpressionError(text, "`$[[` without `]]`: close the expression; a `]]` inside one is written `] ]`")
    return [match.strip() for match in _TEMPLATE.findall(text)]


def whole(text: str) -> str:
    """The expression of a value that is nothing but one; empty for others."""
    match = _TEMPLATE.fullmatch(text.strip())
    return match[1].strip() if match and "$[[" not in match[1] else ""


def secret(text: str, secrets: Collection[str]) -> str:
    """Which of these params the whole value is; empty when it is none. A secret can't be a part of a value."""
    root, _, name = whole(text).partition(".") if secrets else ("", "", "")
    return name if root == "params" and name in secrets else ""


def check(text: str, scope: Scope) -> None:
    """Raises ExpressionError for the first expression in `text` that does not compile."""
    for expression in expressions(text):
        compile_in(expression, scope)


def render(text: str, evaluate: Evaluate, write: Callable[[Any], str]) -> str:
    """`text` with each expression replaced by its value, written by `write`. Raises ExpressionError."""
    expressions(text)
    return _TEMPLATE.sub(lambda match: write(evaluate(match[1].strip())), text)


def render_tree(value: Any, evaluate: Evaluate) -> Any:
    """Data with the expressions in its strings rendered. An expression that is a whole string keeps its type. Raises
    ExpressionError."""
    match value:
        case str():
            if "$[[" not in value:
                return value
            expression = whole(value)
            return evaluate(expression) if expression else render(value, evaluate, written)
        case dict():
            return {name: render_tree(item, evaluate) for name, item in value.items()}
        case list():
            return [render_tree(item, evaluate) for item in value]
        case _:
            return value


def leaves(value: Any, path: str) -> list[tuple[str, str]]:
    """Path and text of every string in some data that has expressions."""
    match value:
        case str():
            return [(path, value)] if "$[[" in value else []
        case dict():
            return [found for name, item in value.items() for found in leaves(item, f"{path}.{name}")]
        case list():
            return [found for index, item in enumerate(value) for found in leaves(item, f"{path}[{index}]")]
        case _:
            return []


def written(value: Any) -> str:
    """A value as text: strings as they are, everything else as JSON."""
    if isinstance(value, str):
        return value
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"), default=str)
