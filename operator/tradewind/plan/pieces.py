"""Which loops of an expression can go over a long list in pieces: the engine makes the list that `map` and `filter` give anew at every
turn, and keeps all of them, which for ten thousand elements comes to more than a gigabyte."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache

PIECE = 500
"""Elements of a piece."""
TEXT = re.compile(r"""[rR]?("{3}|'{3}).*?\1|[rR]?"(?:\\.|[^"\\])*"|[rR]?'(?:\\.|[^'\\])*'""", re.DOTALL)
_NAME = r"[A-Za-z_]\w*"
_WORD = re.compile(_NAME)
_LINK = re.compile(r"\s*\.\s*(?:map|filter)\s*\(")
_PATH = re.compile(rf"(?<![\w.)\]}}]){_NAME}(?:\s*\.\s*(?!(?:map|filter)\s*\(){_NAME})*")
LOOP = re.compile(r"\.\s*(?:map|filter|all|exists|exists_one|existsOne)\s*\(\s*(\w*)")
"""Where a loop begins, and its variable."""
_CLOSED_BY = {"(": ")", "[": "]", "{": "}"}


@dataclass(frozen=True, slots=True)
class Chain:
    """`path.filter(...).map(...)`, which stands in no other loop: for each element it gives the same, whichever others there are."""

    start: int
    end: int
    path: tuple[str, ...]
    links: tuple[tuple[int, int], ...]
    """From where to where its loops go."""


@lru_cache(maxsize=8192)
def blanked(expression: str) -> str:
    """The expression with its texts overwritten, in the same length."""
    return TEXT.sub(lambda match: "0" * len(match[0]), expression)


def words(expression: str) -> list[str]:
    """The names in it, with repetitions."""
    return _WORD.findall(blanked(expression))


@lru_cache(maxsize=8192)
def chains(expression: str) -> tuple[Chain, ...]:
    """The chains of an expression, from left to right."""
    return tuple(_chains(blanked(expression)))


def _chains(plain: str) -> Iterator[Chain]:
    at = 0
    while True:
        path, loop = _PATH.search(plain, at), LOOP.search(plain, at)
        if path is None or (loop and loop.start() < path.start()):
            if loop is None:
                return
            at = closed(plain, loop.end())  # What stands in a loop may depend on its variable.
            continue
        links, at = [], path.end()
        while link := _LINK.match(plain, at):
            end = closed(plain, link.end())
            links.append((at, end))
            at = end
        if links:
            yield Chain(path.start(), at, tuple(re.split(r"\s*\.\s*", path[0])), tuple(links))
        elif loop and loop.start() < path.end():
            at = closed(plain, loop.end())


def closed(plain: str, at: int) -> int:
    """Where the bracket is closed that was opened before."""
    open_ = [")"]
    while at < len(plain) and open_:
        sign = plain[at]
        if sign in _CLOSED_BY:
            open_.append(_CLOSED_BY[sign])
        elif sign == open_[-1]:
            open_.pop()
        at += 1
    return at
