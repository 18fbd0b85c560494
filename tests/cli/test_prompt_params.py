"""Missing params are asked for if the input is a terminal, until the answers fit."""

from typing import Any

import click
import pytest
from click.testing import CliRunner
from tradewind.cli.prompt_params import complete
from tradewind.model.value import Param

DECLARED = {
    "year": Param(type="integer", min=2000, description="of the report"),
    "region": Param(enum=["north", "south"], default="south"),
    "tags": Param(type="list", default=["a"]),
}


def asked(typed: str, given: dict[str, Any], ask: bool | None) -> tuple[dict[str, Any], str]:
    runner = CliRunner()
    with runner.isolation(input=typed) as streams:
        found = complete(DECLARED, given, ask)
        return found, streams[1].getvalue().decode()


def test_all_are_asked_for_and_an_empty_answer_takes_the_default() -> None:
    found, said = asked("2026\n\n\n", {}, True)
    assert found == {"year": 2026}
    assert "year (of the report) [an integer]" in said and "[south]" in said


def test_an_answer_that_does_not_fit_is_explained_and_asked_for_again() -> None:
    found, said = asked("1999\nmany\n2026\nwest\nnorth\nx,y\n", {}, True)
    assert found == {"year": 2026, "region": "north", "tags": ["x", "y"]}
    assert "1999 is out of bounds; at least 2000" in said and "'many' is not an integer" in said
    assert "'west' is not one of 'north', 'south'" in said


def test_what_is_given_is_not_asked_for() -> None:
    assert asked("north\n\n", {"year": 2001}, True)[0] == {"year": 2001, "region": "north"}


def test_where_nobody_can_be_asked_what_is_missing_is_told() -> None:
    for ask in (None, False):
        with pytest.raises(click.ClickException, match="--param year: required; give an integer"):
            asked("2026\n", {}, ask)


def test_an_end_of_input_says_how_else_the_value_can_be_given() -> None:
    with pytest.raises(click.ClickException, match="no value for year: the input has ended; give it with --param year"):
        asked("", {}, True)
