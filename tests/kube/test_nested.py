"""JSON that is nested deeper than any valid object is truncated there, and the rest is unchanged."""

import json
from typing import Any

import msgspec
import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tradewind.kube.nested import KEPT, decoded, load, pruned
from tradewind.kube.pages import parse_page
from tradewind.local.apiserver.text import read, write

LEAVES = st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text()
VALUES = st.recursive(LEAVES, lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner), max_leaves=20)
TEXTS = st.text('[]{}"\\,: ab')


def nested(levels: int, inner: str) -> str:
    return "[" * levels + inner + "]" * levels


@given(VALUES)
def test_what_is_not_deep_stays_as_it_is(value: Any) -> None:
    raw = orjson.dumps(value)
    assert pruned(raw) == raw
    assert load(raw) == value == read(raw)


@settings(deadline=None)
@given(st.integers(KEPT, 5_000), TEXTS, TEXTS, st.lists(TEXTS, min_size=KEPT))
def test_only_what_is_too_deep_is_cut_off(levels: int, before: str, inside: str, after: list[str]) -> None:
    """Brackets in texts are not levels."""
    deep = nested(levels, json.dumps(inside))
    raw = f'{{"before": {json.dumps(before)}, "deep": {deep}, "after": {json.dumps(after)}}}'.encode()
    found = load(raw)
    assert (found["before"], found["after"]) == (before, after)
    cut = found["deep"]
    for _ in range(KEPT - 2):
        (cut,) = cut
    assert cut == [None]


@given(st.binary(max_size=50) | st.text('[]{}",\\:1').map(str.encode))
def test_what_is_no_json_stays_none(raw: bytes) -> None:
    try:
        orjson.loads(raw)
    except ValueError:
        with pytest.raises(ValueError):
            load(raw)


@pytest.mark.parametrize("levels", [10, 1_200, 9_000])
def test_one_nested_object_hides_none_of_its_page(levels: int) -> None:
    items = f'{{"spec": {nested(levels, "")}}}, {{"spec": 1}}'
    page = parse_page(f'{{"metadata": {{"resourceVersion": "5"}}, "items": [{items}]}}'.encode())
    assert [bytes(item) for item in page.items][1] == b'{"spec": 1}'


def test_a_decoder_reads_what_is_beside_something_nested() -> None:
    raw = f'{{"deep": {nested(9_000, "")}, "name": "a"}}'.encode()
    decode = msgspec.json.Decoder(dict[str, Any]).decode
    assert decoded(decode, raw)["name"] == "a"


@settings(deadline=None, max_examples=30)
@given(st.integers(90, 9_999), TEXTS)
def test_the_embedded_server_keeps_all_of_it(levels: int, inner: str) -> None:
    raw = nested(levels, orjson.dumps(inner).decode()).encode()
    assert write(read(raw)) == raw


@pytest.mark.parametrize("inner", ["nonsense", "1 2", "{]", '"'])
def test_the_embedded_server_refuses_what_is_no_json_far_inside(inner: str) -> None:
    with pytest.raises(ValueError):
        read(nested(1_000, inner).encode())


def test_the_embedded_server_refuses_what_a_real_one_does() -> None:
    with pytest.raises(ValueError, match="max depth"):
        read(nested(10_001, "").encode())
