"""The spelling of names in expressions: every valid name can be written, and `has` works for all of them.

Expressions keep their length, so that positions in messages refer to the original text."""

import re
from collections.abc import Mapping
from functools import lru_cache
from typing import NamedTuple

from tradewind.plan.cel.tokens import tokens

_QUOTED = re.compile(r"\b(?:tasks|params)\s*\[\s*[\"']")
_HAS = re.compile(r"\bhas\s*\(")
_NAME = re.compile(r"(?P<quote>[\"'])(?P<name>[A-Za-z0-9_-]+)(?P=quote)")
_WORD = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_RESERVED = frozenset(
    [
        "as",
        "break",
        "const",
        "continue",
        "else",
        "false",
        "for",
        "function",
        "if",
        "import",
        "in",
        "let",
        "loop",
        "namespace",
        "null",
        "package",
        "return",
        "true",
        "var",
        "void",
        "while",
    ]
)


def cel_name(task: str) -> str:
    """A task's name in variables: CEL reads `-` as minus, and task names contain no `_`."""
    return task.replace("-", "_")


def is_word(name: str) -> bool:
    """Whether a name can be written after a dot."""
    return name not in _RESERVED and _WORD.fullmatch(name) is not None


def path(root: str, name: str) -> str:
    """A task or param in an expression: `tasks.load_erp`, `tasks["1st-load"]`."""
    word = cel_name(name) if root == "tasks" else name
    return f"{root}.{word}" if is_word(word) else f'{root}["{name}"]'


def plain(expression: str) -> str:
    """The expression with `tasks["NAME"]` and `params["NAME"]` replaced by the names that the engine knows."""
    return _plain(expression) if _QUOTED.search(expression) else expression


@lru_cache(maxsize=256)
def _plain(expression: str) -> str:
    found, end = "", 0
    words = tokens(expression)
    for index, word in enumerate(words[:-3]):
        one, name, other = words[index + 1 : index + 4]
        if (
            word[0] not in ("tasks", "params")
            or one[0] != "["
            or other[0] != "]"
            or (index and words[index - 1][0] == ".")
        ):
            continue
        if match := _NAME.fullmatch(name[0]):
            written = cel_name(match["name"]) if word[0] == "tasks" else match["name"]
            found += expression[end : word.start()] + f"{word[0]}.`{written}`".ljust(other.end() - word.start())
            end = other.end()
    return found + expression[end:]


class Asking(NamedTuple):
    """An expression in which a variable replaces each `has(NAME)` of a declared name."""

    text: str
    variables: Mapping[str, str]
    """The declared name that each of them tests."""


def asking(expression: str, declared: tuple[tuple[str, str], ...]) -> Asking:
    """The expression with `has(NAME)` of declared names replaced by variables: the engine takes a declared name for one
    variable and would return its value."""
    return _asking(expression, declared) if _HAS.search(expression) else Asking(expression, {})


@lru_cache(maxsize=256)
def _asking(expression: str, declared: tuple[tuple[str, str], ...]) -> Asking:
    known = {name for name, _ in declared}
    found, end, variables = "", 0, dict[str, str]()
    words = tokens(expression)
    for index, word in enumerate(words[:-3]):
        if word[0] != "has" or words[index + 1][0] != "(" or (index and words[index - 1][0] == "."):
            continue
        close = next((at for at in range(index + 2, len(words)) if words[at][0] in "()"), index)
        name = "".join(part[0].strip("`") for part in words[index + 2 : close])
        if name in known and words[close][0] == ")":
            variable = f"has{len(variables)}_".ljust(words[close].end() - word.start(), "_")
            variables[variable] = name
            found += expression[end : word.start()] + variable
            end = words[close].end()
    return Asking(found + expression[end:], variables)
