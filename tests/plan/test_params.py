import pytest
from tradewind.model.dag import Param
from tradewind.plan.params import from_text, resolve

DECLARED = {
    "region": Param(type="string", enum=["north", "south"], default="north"),
    "year": Param(type="integer"),
    "ratio": Param(type="number", default=1),
    "dry": Param(type="boolean", default=False),
}


def test_defaults_fill_what_is_not_given() -> None:
    values, problems = resolve(DECLARED, {"year": 2026})
    assert not problems and values == {"region": "north", "year": 2026, "ratio": 1.0, "dry": False}


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({}, "spec.params.year: required; give an integer"),
        ({"year": "2026"}, "spec.params.year: '2026' is not an integer; write an integer"),
        ({"year": True}, "is not an integer"),
        ({"year": 2**63}, "is not an integer"),
        ({"year": 1, "region": "west"}, "spec.params.region: 'west' is not allowed; write one of north, south"),
        ({"year": 1, "region": 3}, "3 is not a string; write a string (in YAML, quote it"),
        ({"year": 1, "dry": "yes"}, "'yes' is not true or false"),
        ({"year": 1, "yaer": 1}, "spec.params.yaer: no such param; the DAG declares: dry, ratio, region, year"),
        ({"year": 1, "ratio": None}, "None is not a number"),
    ],
)
def test_each_refusal_names_the_field_and_what_to_write(given: dict[str, object], words: str) -> None:
    _, problems = resolve(DECLARED, given)
    assert words in "\n".join(map(str, problems))


@pytest.mark.parametrize(
    ("name", "text", "value"),
    [
        ("year", "7", 7),
        ("ratio", "0.5", 0.5),
        ("dry", "TRUE", True),
        ("region", "7", "7"),
        ("year", "x", "x"),
        ("dry", "x", "x"),
    ],
)
def test_typed_text_becomes_the_params_type(name: str, text: str, value: object) -> None:
    assert from_text(DECLARED[name], text) == value
