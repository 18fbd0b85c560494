"""Values as CEL literals, and CEL's keywords."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from tradewind.plan.cel.error import ExpressionError
from tradewind.plan.cel.tokens import MAX_LENGTH, TOKEN, tokens
from tradewind.plan.pacing import pause

OPEN, CLOSE = "$[[", "]]"
LOOKS = 8
"""Failed searches for the end of an expression, per text: each reads thousands of characters."""
_NESTED = re.compile(r"""[\["']|//""")
_SHORT = {'"': '\\"', "\\": "\\\\", "\n": "\\n", "\r": "\\r", "\t": "\\t"}


@dataclass(frozen=True, slots=True)
class Reference:
    """`inputs.NAME` in an expression, from `start` to `end`; without a name, another use of `inputs`."""

    name: str
    start: int
    end: int


def spans(text: str) -> Iterator[tuple[int, int]]:
    """Start and end of each `$[[ expression ]]` in a text, without unclosed ones."""
    at, looks = 0, LOOKS
    while (start := text.find(OPEN, at)) >= 0:
        pause()
        begin = start + len(OPEN)
        first = text.find(CLOSE, begin)
        if first < 0:
            return
        at = first + len(CLOSE)
        if looks and _NESTED.search(text, begin, first):
            end = _end(text, begin)
            looks -= end < 0
            at = max(at, end)
        yield start, at


def _end(text: str, start: int) -> int:
    """The end of the expression that begins at `start`; brackets within it, and within its texts, belong to it. -1 if
    it is invalid: its error then concerns the text up to the first bracket."""
    depth = 0
    for token in TOKEN.finditer(text, start, start + MAX_LENGTH + len(CLOSE)):
        if token[0] == "[":
            depth += 1
        elif token[0] == "]" and depth:
            depth -= 1
        elif token[0] in ("]", '"', "'"):
            return token.end() + 1 if text.startswith(CLOSE, token.start()) else -1
    return -1


def inner(text: str, span: tuple[int, int]) -> str:
    """The expression at a span."""
    return text[span[0] + len(OPEN) : span[1] - len(CLOSE)].strip()


def references(expression: str) -> Iterator[Reference]:
    """The uses of `inputs` in an expression, outside of strings and comments."""
    words = tokens(expression)
    for index, token in enumerate(words):
        if token.lastgroup != "name" or token[0] != "inputs" or (index and words[index - 1][0] == "."):
            continue
        rest = words[index + 1 : index + 3]
        if len(rest) == 2 and rest[0][0] == "." and rest[1].lastgroup == "name":
            yield Reference(rest[1][0], token.start(), rest[1].end())
        else:
            yield Reference("", token.start(), token.end())


def alone(expression: str) -> str:
    """The name of the input that is the whole expression; empty for others."""
    found = next(references(expression), None)
    return found.name if found and (found.start, found.end) == (0, len(expression)) else ""


def literal(value: Any) -> str:
    """CEL that evaluates to `value`; `$[[ CEL ]]` in its texts becomes part of it. Raises ExpressionError for what CEL
    can't express."""
    match value:
        case None:
            return "null"
        case bool():
            return "true" if value else "false"
        case int() | float():
            if isinstance(value, int) and not -(2**63) <= value < 2**63:
                raise ExpressionError(str(value), "too large for an expression: write it as a string")
            return f"({value!r})" if str(value).startswith("-") else repr(value)
        case str():
            return _text(value)
        case list():
            return "[" + ", ".join(map(literal, value)) + "]"
        case dict():
            return "{" + ", ".join(f"{_string(str(name))}: {literal(item)}" for name, item in value.items()) + "}"
        case _:
            raise ExpressionError(str(value), "not a value that an expression can hold")


def _text(text: str) -> str:
    parts = []
    end = 0
    for span in spans(text):
        if span[0] > end:
            parts.append(_string(text[end : span[0]]))
        parts.append(_grouped(inner(text, span)))
        end = span[1]
    if not parts:
        return _string(text)
    if len(parts) == 1 and end == len(text):
        return parts[0]
    if end < len(text):
        parts.append(_string(text[end:]))
    return "(" + " + ".join(part if part.startswith('"') else f"string{part}" for part in parts) + ")"


def _grouped(expression: str) -> str:
    """The expression in parentheses; a comment at its end must not swallow the closing one."""
    return f"({expression}\n)" if "//" in expression else f"({expression})"


def _string(text: str) -> str:
    found = "".join(_SHORT.get(char) or (char if char.isprintable() else _escaped(char)) for char in text)
    return '"' + found.replace("[[", r"[\u005b").replace("]]", r"]\u005d") + '"'


def _escaped(char: str) -> str:
    return f"\\u{ord(char):04x}" if ord(char) < 0x10000 else f"\\U{ord(char):08x}"
