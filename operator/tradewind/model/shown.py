"""Foreign text for people: control characters are escaped, so that they have no effect on a terminal."""

import re

_CONTROLS = [
    *range(0x20),
    *range(0x7F, 0xA0),  # DEL and the C1 controls: U+009B begins a sequence as ESC [ does
    0x061C, 0x200E, 0x200F, *range(0x202A, 0x202F), *range(0x2066, 0x206A),  # change the direction of writing
    *range(0xD800, 0xE000),  # halves of surrogate pairs, which can't be sent to a terminal
]  # fmt: skip
_ESCAPES = {
    code: f"\\x{code:02x}" if code < 0x20 else f"\\u{code:04x}" for code in _CONTROLS if code not in (0x09, 0x0A)
}
_COLOURS = re.compile(r"(\x1b\[[0-9;]*m)")
_PLAIN = "\x1b[0m"


def shown(text: str) -> str:
    """The text with `\\x1b` for the character ESC, `\\u202e` for one that changes the direction, and so on; newlines
    and tabs stay. A JSON document keeps its meaning: JSON escapes everything below U+0020 anyway."""
    return text.translate(_ESCAPES)


def coloured(text: str) -> str:
    """The same for a line of a log, whose colours stay and end with it: they hide nothing but that line, and move no
    cursor."""
    parts = _COLOURS.split(text)
    found = "".join(part if at % 2 else shown(part) for at, part in enumerate(parts))
    return found + _PLAIN if len(parts) > 1 else found


def uncoloured(text: str) -> str:
    """The same without the colours."""
    return shown("".join(_COLOURS.split(text)[::2]))


MESSAGE = 4_096
"""Maximum characters of a message in a status."""


def brief(text: str, limit: int = MESSAGE) -> str:
    """The text, cut after a word if it is longer than `limit`: the foreign values that it quotes can be of any length."""
    if len(text) <= limit:
        return text
    words = text[: limit - 2].rpartition(" ")[0]
    return f"{words} …" if 2 * len(words) > limit else f"{text[: limit - 1]}…"


def counted(count: int, what: str, many: str = "") -> str:
    """`1 tick`, `2 ticks`, `0 entries`. `many` is the plural if it is irregular."""
    return f"{count} {what if count == 1 else many or f'{what}s'}"
