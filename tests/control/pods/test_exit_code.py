"""The meaning of an exit code is reported with it."""

import pytest
from tradewind.control.pods.exit_code import meaning
from tradewind.model.shown import brief


@pytest.mark.parametrize(
    ("code", "words"),
    [
        (1, ""),
        (75, ""),
        (127, "a command was not found"),
        (137, "SIGKILL"),
        (143, "stopped by SIGTERM"),
        (130, "SIGINT"),
        (255, ""),
    ],
)
def test_signals_and_customs_of_shells_are_told(code: int, words: str) -> None:
    assert (words in meaning(code)) if words else meaning(code) == ""


def test_long_texts_are_cut_after_a_word() -> None:
    assert brief("one two three four", 15) == "one two three …"
    assert brief("x" * 20, 10) == "x" * 9 + "…" and brief("short", 10) == "short"
