"""What an expression gives as plain data, as long as that is not too large: in the engine a list can name the same text ten thousand
times, as plain data each of them takes its own memory."""

from functools import lru_cache
from typing import Any

from tradewind.plan.growth import ELEMENT, LARGEST
from tradewind.plan.pieces import LOOP, blanked, words

FEW = 32
"""Words of an expression without loops that may all name something as large as an object of the API can be."""


class TooLarge(ValueError):
    """It would take more than LARGEST bytes."""


def plain(expression: str, value: Any, room: "Room") -> Any:
    """The value as plain data. Raises TooLarge."""
    return value.plain_value() if _small(expression) else room.take(value)


@lru_cache(maxsize=8192)
def _small(expression: str) -> bool:
    """Whether it can only give parts of what it is given, and few of them."""
    return not LOOP.search(blanked(expression)) and len(words(expression)) <= FEW


class Room:
    """What is left of LARGEST."""

    def __init__(self) -> None:
        self._bytes = LARGEST

    def take(self, value: Any) -> Any:
        """Takes a value apart, and counts its bytes. Raises TooLarge."""
        match value.type().name().partition("<")[0]:
            case "LIST":
                return [self.take(item) for item in self._within(value.value())]
            case "MAP":
                return {key: self.take(item) for key, item in self._within(value.value()).items()}
        return self._within(value.plain_value())

    def _within(self, value: Any) -> Any:
        size = len(value) if isinstance(value, str | bytes | bytearray | list | dict) else 1
        self._bytes -= ELEMENT * size if isinstance(value, list | dict) else ELEMENT + size
        if self._bytes < 0:
            raise TooLarge
        return value
