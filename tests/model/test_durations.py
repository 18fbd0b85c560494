import pytest
from tradewind.model.duration import seconds, text


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
