"""Tasks may output any bytes: the attempt ends anyway, with outputs that a status can hold or with a reason."""

from typing import Any

import orjson
from hypothesis import given
from hypothesis import strategies as st

from fuzz.garbage import JSON, MAPS, NEST, tries
from fuzz.targets import outputs

BYTES = st.binary(max_size=200) | NEST | st.integers(4_000, 5_000).map(lambda size: b"x" * size)
NUMBERS = st.sampled_from([b"NaN", b"Infinity", b"-0", b"1e400", b"9" * 400, b"1.0e-999", b'"\\ud800"', b'"\\u0000"'])


@tries(300)
@given(BYTES)
def test_any_bytes_end_the_attempt(data: bytes) -> None:
    outputs(data)


@tries(150)
@given(MAPS | JSON)
def test_any_json_ends_the_attempt(value: Any) -> None:
    outputs(orjson.dumps(value))


@tries(100)
@given(NUMBERS)
def test_numbers_and_texts_that_json_hardly_has_end_the_attempt(data: bytes) -> None:
    outputs(b'{"rows": ' + data + b"}")
    outputs(data)
