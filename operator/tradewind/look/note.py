"""The note on a run."""

from collections.abc import Mapping

NOTE, NOTED_BY, NOTED_AT = "tradewind.dev/note", "tradewind.dev/noted-by", "tradewind.dev/noted-at"
"""Annotations of a run."""
LONGEST, LONGEST_NAME = 1_024, 128
"""Characters of a note, and of its author's name, that are shown."""


def shown(annotations: Mapping[str, str]) -> str:
    """The note with its author and time, as far as they are known; empty if there is none."""
    text = _line(annotations.get(NOTE), LONGEST)
    who = ", ".join(words for name in (NOTED_BY, NOTED_AT) if (words := _line(annotations.get(name), LONGEST_NAME)))
    return f"{text} ({who})" if text and who else text


def _line(text: object, longest: int) -> str:
    """Anyone who may change a run writes it: it must not look like lines of the program."""
    return " ".join(str(text or "")[:longest].split())
