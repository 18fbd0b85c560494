"""Room for rendered data: one text of a tenant, rendered thousands of times, must not fill the memory."""

from typing import Any

from tradewind.plan import pacing
from tradewind.plan.cel.compiler import ExpressionError

LONGEST = 2**20
"""Characters of a rendered value: more would not fit into a pod or a status."""
VALUE = 16
"""Bytes that each value counts for besides its text: an empty list takes more memory than its JSON."""


def held(text: str) -> int:
    """Bytes that a text takes: Python keeps one, two or four for each character, as the widest needs."""
    if text.isascii():
        return len(text)
    try:
        text.encode("latin-1")
    except UnicodeEncodeError:
        wide = len(text.encode("utf-16-le", "surrogatepass")) > 2 * len(text)
        return (4 if wide else 2) * len(text)
    return len(text)


class Room:
    """What rendered data may still take, in bytes: of text, and VALUE for each value. `what` names the data, as in `the
    values in it`; `instead` says what to write instead."""

    def __init__(self, limit: int = LONGEST, what: str = "", instead: str = "") -> None:
        self.left, self._limit = limit, limit
        self._what = what or "the values in it"
        self._instead = instead or "write what is large to a file in a task"

    @property
    def taken(self) -> int:
        """What has been taken."""
        return self._limit - self.left

    def take(self, value: Any, text: str) -> None:
        """Takes the room of the plain data that a text was rendered to. A value that occurs several times counts each
        time. Raises ExpressionError."""
        ahead = [value]
        while ahead:
            pacing.pause()
            item = ahead.pop()
            inside = item.values() if isinstance(item, dict) else item if isinstance(item, list) else ()
            texts = [item] if isinstance(item, str) else [each for each in inside if isinstance(each, str)]
            keys = item if isinstance(item, dict) else ()
            self.take_bytes(VALUE * (1 + len(inside) + len(keys)) + sum(map(held, texts)) + sum(map(held, keys)), text)
            ahead += [each for each in inside if isinstance(each, dict | list)]

    def take_bytes(self, count: int, text: str) -> None:
        """Takes this much for a text. Raises ExpressionError."""
        self.left -= count
        if self.left < 0:
            words = f"with it, {self._what} take more than {self._limit >> 20} MiB together: {self._instead}"
            raise ExpressionError(text, words)
