"""Plain scalars as kubectl reads them, which has YAML 1.1 as in Go's yaml.v2: `on`, `y` and `no` are booleans, `010` is
8, `1e3` is a number; times of day and dates are text."""

import re
from typing import Any

import yaml

BOOL, INT, FLOAT, NULL, MERGE = (f"tag:yaml.org,2002:{name}" for name in ("bool", "int", "float", "null", "merge"))
_TRUE = ("y", "yes", "true", "on")
_WORDS = [case for word in (*_TRUE, "n", "no", "false", "off") for case in {word, word.capitalize(), word.upper()}]
_RESOLVERS: tuple[tuple[str, str, str], ...] = (
    (BOOL, "yYnNtTfFoO", f"(?:{'|'.join(sorted(_WORDS))})"),
    (NULL, "~nN\0", "(?:~|null|Null|NULL|)"),
    (INT, "+-0123456789", r"[-+]?(?:0[bB][01_]+|0[oO]?[0-7_]+|0[xX][0-9a-fA-F_]+|0|[1-9][0-9_]*)"),
    (FLOAT, "+-0123456789.", r"[-+]?(?:\.[0-9][0-9_]*|[0-9][0-9_]*(?:\.[0-9_]*)?)(?:[eE][-+]?[0-9][0-9_]*)?"),
    (FLOAT, "+-.", r"(?:[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN))"),
    (MERGE, "<", "<<"),
)
"""Tag, the characters that such a scalar begins with (NUL: none), and its pattern; the first match counts."""


def resolvers() -> dict[Any, list[tuple[str, re.Pattern[str]]]]:
    """The resolvers in PyYAML's form."""
    found: dict[Any, list[tuple[str, re.Pattern[str]]]] = {}
    for tag, firsts, pattern in _RESOLVERS:
        compiled = re.compile(rf"{pattern}\Z")
        for first in firsts:
            found.setdefault("" if first == "\0" else first, []).append((tag, compiled))
    return found


def boolean(text: str) -> bool:
    """The value of a boolean. Raises LookupError for other text."""
    if text not in _WORDS:
        raise LookupError(text)
    return text.lower() in _TRUE


def integer(text: str) -> int:
    """The value of an integer. Raises ValueError for other text."""
    plain = text.replace("_", "")
    octal = re.fullmatch(r"([-+]?)0([0-7]+)", plain)
    return int(octal[1] + octal[2], 8) if octal else int(plain, 0)


def fraction(text: str) -> int | float:
    """The value of a number with a fraction or an exponent. A zero fraction gives an int, as in the JSON that kubectl
    sends."""
    value = float(text.lower().replace("_", "").replace(".inf", "inf").replace(".nan", "nan"))
    return int(value) if value.is_integer() and abs(value) < 2**63 else value


def as_key(node: yaml.ScalarNode) -> str:
    """The text that kubectl makes of a key that is a boolean or a number."""
    if node.tag == BOOL:
        return "true" if boolean(node.value) else "false"
    return str(integer(node.value) if node.tag == INT else fraction(node.value))


def misread(node: yaml.ScalarNode) -> str:
    """The value of a plain scalar that its author may not have meant: `on` is true; empty for others."""
    if node.style:
        return ""
    if node.tag == BOOL and node.value.lower() not in ("true", "false"):
        return "true" if boolean(node.value) else "false"
    if node.tag == INT and re.fullmatch(r"[-+]?0[0-7_]+", node.value):
        return str(integer(node.value))
    return ""
