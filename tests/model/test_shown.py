import json
import unicodedata

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from tradewind.model.shown import coloured, counted, shown

OBEYED = {"Cc", "Cs"}
TURNING = {"\u061c", "\u200e", "\u200f", *map(chr, range(0x202A, 0x202F)), *map(chr, range(0x2066, 0x206A))}


@given(st.text(st.characters(codec=None)))
@example("\x1b]0;pwned\x07\x1b[2J\x9b31m\u202eevil\x7f")
def test_nothing_is_left_that_a_terminal_obeys(text: str) -> None:
    left = [char for char in shown(text) if char not in "\n\t"]
    assert not [char for char in left if unicodedata.category(char) in OBEYED or char in TURNING]
    shown(text).encode()


def test_control_characters_look_like_what_they_are() -> None:
    assert shown("a\x1b[2J\r\u202eb\n\tc") == "a\\x1b[2J\\x0d\\u202eb\n\tc"


@given(
    st.recursive(
        st.none() | st.text(st.characters(codec=None)),
        lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    )
)
def test_a_json_document_means_the_same_afterwards(data: object) -> None:
    assert json.loads(shown(json.dumps(data, ensure_ascii=False))) == data


def test_colours_of_a_line_stay_and_end_with_it() -> None:
    assert coloured("\x1b[31mred\x1b[2J") == "\x1b[31mred\\x1b[2J\x1b[0m"
    assert coloured("plain") == "plain"


@pytest.mark.parametrize(
    ("count", "what", "many", "said"),
    [
        (0, "tick", "", "0 ticks"),
        (1, "tick", "", "1 tick"),
        (2, "tick", "", "2 ticks"),
        (3, "entry", "entries", "3 entries"),
    ],
)
def test_one_is_not_told_as_many(count: int, what: str, many: str, said: str) -> None:
    assert counted(count, what, many) == said
