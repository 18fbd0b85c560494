"""Foreign data is plain data within bounds, or OutOfBounds says where it is not."""

import json
import math
from datetime import UTC, date, datetime, timedelta, timezone
from typing import Any

import msgspec
import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tradewind.model.bounded import MAX_DEPTH, OutOfBounds, checked, params_problem, read_json

LIMIT = 2**20
VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**63 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=20,
)
WILD = st.recursive(
    st.none()
    | st.integers()
    | st.floats()
    | st.text(st.characters(codec=None))
    | st.binary()
    | st.datetimes(timezones=st.timezones() | st.none())
    | st.timedeltas()
    | st.complex_numbers(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text() | st.integers() | st.binary(), inner),
)


def nested(levels: int, inner: str = "") -> str:
    return "[" * levels + inner + "]" * levels


@given(VALUES)
def test_what_is_within_bounds_is_read_as_it_was_written(value: Any) -> None:
    assert read_json(json.dumps(value), limit=LIMIT) == value
    assert read_json(orjson.dumps(value), limit=LIMIT) == value
    assert checked(value) == value


@given(st.binary() | st.text() | st.text('[]{}",:0123456789.eE-+\\u\ud800 \n'))
def test_any_bytes_are_read_or_refused(raw: bytes | str) -> None:
    try:
        value = read_json(raw, limit=100)
    except OutOfBounds as error:
        assert str(error)
    else:
        assert json.loads(orjson.dumps(checked(value))) == value == msgspec.json.decode(msgspec.json.encode(value))


@given(WILD)
def test_any_value_becomes_one_that_everybody_writes(value: Any) -> None:
    try:
        plain = checked(value, name="v", nul=False)
    except OutOfBounds as error:
        assert str(error) == f"{error.path} {error.problem}"
        assert error.path.startswith("v")
    else:
        assert orjson.loads(orjson.dumps(plain)) == plain == json.loads(json.dumps(plain, allow_nan=False))
        assert "\\u0000" not in json.dumps(plain)


@given(st.integers(1, 5000), st.sampled_from(['"[[["', r'"\"[{"', "1", '{"a]": [1, {}]}']), st.integers(0, 100))
def test_depth_is_that_of_lists_and_objects(levels: int, inner: str, beside: int) -> None:
    """Brackets in texts and many small lists side by side are not depth."""
    deep = levels + (2 if inner.startswith("{") else 0)
    text = f"[{'[], ' * beside}{nested(levels - 1, inner)}]"
    if deep + ("{}" in inner) <= MAX_DEPTH:
        read_json(text, limit=LIMIT)
    else:
        with pytest.raises(OutOfBounds, match="nested more than 64 levels deep"):
            read_json(text, limit=LIMIT)


def test_values_that_are_too_deep_are_refused() -> None:
    value: list[Any] = []
    for _ in range(100_000):
        value = [value]
    with pytest.raises(OutOfBounds, match="nested more than 64"):
        checked(value)


def test_a_value_that_holds_itself_many_times_is_refused() -> None:
    """Aliases of YAML: few lines, a billion values."""
    value: list[Any] = [0] * 10
    for _ in range(30):
        value = [value] * 10
    with pytest.raises(OutOfBounds, match="more than 1,000,000 values"):
        checked(value)


@pytest.mark.parametrize(
    ("raw", "words"),
    [
        ('{"a": {"items": [1, 2, 100000000000000000000]}}', "body.a.items[2] is an integer beyond 64 bits: send it as text"),
        ("9223372036854775808", "body is an integer beyond 64 bits"),
        ("-9223372036854775809", "body is an integer beyond 64 bits"),
        ("1" * 400, "body is not JSON"),
        ("1e400", "body is not JSON"),
        ('"\\ud800"', "body is not JSON"),
        ("\ud800", "body is not JSON"),
        (b"\xff", "body is not JSON"),
        ("NaN", "body is not JSON"),
        ("[1,]", "body is not JSON"),
        ("", "body is not JSON"),
        (" " * (LIMIT + 1), "body is 1024 KiB long, more than the 1024 KiB that are taken"),
        ('{"a b": 1' + "0" * 30 + "}", 'body["a b"] is an integer'),
        ('{"\\u001b[2J": 1' + "0" * 30 + "}", 'body["\\u001b[2J"] is an integer'),
    ],
)  # fmt: skip
def test_what_is_out_of_bounds_is_said_with_its_place(raw: bytes | str, words: str) -> None:
    with pytest.raises(OutOfBounds) as caught:
        read_json(raw, limit=LIMIT, name="body")
    assert str(caught.value).startswith(words)


@pytest.mark.parametrize("number", [2**63 - 1, -(2**63), 0.12345678901234567890123, 1e300])
def test_long_numbers_that_fit_are_kept(number: float) -> None:
    assert read_json(json.dumps({"n": number}), limit=LIMIT) == {"n": number}


@pytest.mark.parametrize(
    ("value", "words"),
    [
        ({"x": b"ab"}, "x is bytes, not text"),
        ({"x": "a\ud83d"}, "x is not valid Unicode"),
        ({"a\ud83d": 1}, "the value has a key that is not valid Unicode"),
        ({1: 1}, "the value has a key that is not text"),
        ([math.nan], "[0] is not a finite number"),
        ([2**64 - 1], "[0] is an integer beyond 64 bits"),
        ({"x": {1}}, "x is of the type set"),
        ({"x": date(2026, 1, 1)}, "x is of the type date"),
        ({"x": "a\0"}, "x contains the character U+0000"),
    ],
)
def test_values_json_does_not_have_are_said_with_their_place(value: Any, words: str) -> None:
    with pytest.raises(OutOfBounds) as caught:
        checked(value, nul=False)
    assert str(caught.value).startswith(words)


def test_a_message_quotes_little_of_the_content() -> None:
    with pytest.raises(OutOfBounds) as caught:
        checked({"k" * 5000: {"l" * 5000: b""}}, name="body")
    assert len(caught.value.path) <= len("body") + 81


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (datetime(2026, 1, 31, 6, tzinfo=UTC), "2026-01-31T06:00:00Z"),
        (datetime(2026, 1, 31, 6, 0, 0, 500, tzinfo=timezone(timedelta(hours=1))), "2026-01-31T05:00:00.000500Z"),
        (datetime(2026, 1, 31, 6), "2026-01-31T06:00:00Z"),
        (timedelta(0), "0s"),
        (timedelta(hours=1, minutes=30), "1h30m0s"),
        (timedelta(days=2), "48h0m0s"),
        (timedelta(minutes=5, milliseconds=1), "5m0.001s"),
        (timedelta(milliseconds=20), "20ms"),
        (timedelta(microseconds=7), "7µs"),
        (timedelta(seconds=-90), "-1m30s"),
    ],
)
def test_times_and_durations_become_text(value: Any, text: str) -> None:
    assert checked({"v": value}) == {"v": text}


def test_params_are_bounded_by_their_values_too() -> None:
    assert params_problem({"rows": list(range(19_000))}) == ""
    assert "hold more than 20,000 values" in params_problem({"rows": [[] for _ in range(21_000)]})
    assert params_problem({"text": "," * 100_000}) == "", "commas in a text are no values"
