import json
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tradewind.model.crd import manifests
from tradewind.model.duration import LONGEST, PATTERN, YEARS, instant, seconds, stamp, text


@pytest.mark.parametrize(
    ("written", "value"), [("90s", 90), ("1h30m", 5400), ("1.5h", 5400), ("250ms", 0.25), ("2d", 172800)]
)
def test_durations_are_read(written: str, value: float) -> None:
    assert seconds(written) == value


@pytest.mark.parametrize("written", ["", "5", "5x", "-5s", "s", "5 s", "1h 30m"])
def test_anything_else_is_refused_with_examples(written: str) -> None:
    with pytest.raises(ValueError, match="such as 30s, 10m"):
        seconds(written)


@pytest.mark.parametrize(
    ("value", "shown"), [(0, "0s"), (3.24, "3.2s"), (59.6, "1m0s"), (302, "5m2s"), (3_840, "1h4m")]
)
def test_durations_are_written_for_people(value: float, shown: str) -> None:
    assert text(value) == shown


@pytest.mark.parametrize("written", ["3650d", "87600h", "1s" * 5, "999999999ms"])
def test_durations_up_to_ten_years_are_read(written: str) -> None:
    assert seconds(written) <= LONGEST and re.match(PATTERN, written)


@pytest.mark.parametrize("written", ["3651d", "999999999d", "87600h1s", "999999999h", "3650d3650d", "999999999m"])
def test_longer_ones_are_refused_with_the_longest(written: str) -> None:
    with pytest.raises(ValueError, match="longer than ten years: write at most 3650d"):
        seconds(written)


@pytest.mark.parametrize("written", ["1970-01-01T00:00:00+14:00", "9000-12-31T23:59:59-12:00", "2026-01-31T06:00Z"])
def test_points_in_time_of_the_years_1970_to_9000_are_read(written: str) -> None:
    assert stamp(instant(written)) and re.match(YEARS, written)


@pytest.mark.parametrize(
    "written", ["0001-01-01T00:00+14:00", "1969-12-31T23:59:59Z", "9001-01-01T00:00Z", "9999-12-31T23:59:59-12:00"]
)
def test_other_years_are_refused(written: str) -> None:
    with pytest.raises(ValueError, match="none of the years 1970 to 9000"):
        instant(written)
    assert not re.match(YEARS, written)


@given(st.text() | st.from_regex(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}(Z|[+-][0-9]{2}:[0-9]{2})"))
def test_any_text_is_a_point_in_time_or_none(written: str) -> None:
    try:
        stamp(instant(written))
    except ValueError as error:
        assert str(error)


def test_schemas_bound_every_duration_by_its_digits() -> None:
    assert "[0-9]{1,4}" in PATTERN and json.dumps(manifests()).count(json.dumps(PATTERN)) > 20
