"""Regular expression functions, under the names of CEL's extension for them. RE2 matches without backtracking, like the
engine's own `matches`."""

import re
from collections.abc import Iterator
from functools import lru_cache
from typing import Any

from cel_expr_python import cel

from tradewind.plan.cel.functions.lists import exact
from tradewind.plan.cel.references import overload

ROOM = 8 * 2**20
"""Bytes that RE2 may use for a regular expression: its own default, with which it is as fast as in the engine."""
KEPT = 4
"""Compiled patterns in the cache: a loop uses the same one again and again."""
_REFERENCE = re.compile(r"\\(.?)", re.DOTALL)
_ESCAPED = re.compile(r"\\(.)", re.DOTALL)
_STRING, _INT, _DYN = cel.Type.STRING, cel.Type.INT, cel.Type.DYN


@lru_cache(maxsize=KEPT)
def _compiled(pattern: str) -> Any:
    import re2  # imported on demand: it takes memory, and most expressions don't need it

    if any(letter == "C" for letter in _ESCAPED.findall(pattern)):
        raise ValueError("\\C matches parts of characters; write . for a character")
    options = re2.Options()
    options.max_mem, options.log_errors = ROOM, False
    try:
        found = re2._Regexp(pattern, options)  # re2.compile keeps 128 of them
    except re2.error as error:
        said = error.args[0] if error.args else b""
        words = said.decode(errors="replace") if isinstance(said, bytes) else str(said)
        raise ValueError(f"{pattern[:80]!r} is not a regular expression that can be used: {words}") from None
    return found


def _with_one_group(name: str, pattern: str) -> Any:
    found = _compiled(pattern)
    if found.groups > 1:
        words = f"the regular expression has {found.groups} groups; write (?:...) for those that you don't need"
        raise ValueError(f"{name}: {words}")
    return found


def extract(text: str, pattern: str) -> str | None:
    """The first match, or that of its group; null if there is none."""
    found = _with_one_group("regex.extract", pattern)
    match = found.search(text)
    return match.group(found.groups) if match else None


def extract_all(text: str, pattern: str) -> list[str]:
    """All matches, or those of the group in each."""
    found = _with_one_group("regex.extractAll", pattern)
    groups = (match.group(found.groups) for match in found.finditer(text))
    return [group for group in groups if group is not None]


def replace(text: str, pattern: str, by: str, count: int = -1) -> str:
    """The text with the first `count` matches (all if it is negative) replaced; `\\1` in `by` is the match of a group."""
    found = _compiled(pattern)
    parts = [*_parts(by, found.groups)]
    made, end = [], 0
    for at, match in enumerate(found.finditer(text) if count else ()):
        if at == count:
            break
        made.append(text[end : match.start()])
        made += [part if isinstance(part, str) else match.group(part) or "" for part in parts]
        end = match.end()
    return "".join(made) + text[end:]


def _parts(by: str, groups: int) -> Iterator[str | int]:
    """The texts in a replacement, and the numbers of groups."""
    end = 0
    for match in _REFERENCE.finditer(by):
        yield by[end : match.start()]
        end = match.end()
        if match[1] == "\\":
            yield "\\"
        elif match[1] in "0123456789" and match[1]:
            if int(match[1]) > groups:
                raise ValueError(f"regex.replace: there is no group {match[1]}; the regular expression has {groups}")
            yield int(match[1])
        else:
            raise ValueError("regex.replace: \\ stands before the number of a group; write \\\\ for a backslash")
    yield by[end:]


def declarations() -> Iterator[Any]:
    """Declarations of these functions for the engine."""
    two, list_ = [_STRING, _STRING], cel.Type.List(_STRING)
    yield _declared("extract", [_overload("extract", two, _DYN, extract)])
    yield _declared("extractAll", [_overload("extract_all", two, list_, extract_all)])
    three = [_STRING, _STRING, _STRING]
    overloads = [
        _overload("replace", three, _STRING, replace),
        _overload("replace_some", [*three, _INT], _STRING, replace),
    ]
    yield _declared("replace", overloads)


def _declared(name: str, overloads: list[Any]) -> Any:
    return cel.FunctionDecl(f"regex.{name}", overloads)


def _overload(name: str, parameters: list[Any], gives: Any, impl: Any) -> Any:
    return overload(f"tradewind_regex_{name}", parameters, gives, exact(impl))
