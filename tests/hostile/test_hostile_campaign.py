"""The short form of `make hostile`: some inputs of every generator, all at once."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from .arena import TESTS, arena
from .campaign import chosen
from .generators import GENERATORS
from .inputs import Input
from .plants import PLANTS, VARIABLE

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="measures the operator by /proc")
INPUTS = 150
HEAVY = ("crowds", "sums", "runaways", "misspelt")
"""Few of these are useful if there is little time."""


def some() -> list[Input]:
    """A few of each generator."""
    found: list[Input] = []
    for name in GENERATORS:
        found += chosen(INPUTS, 0, [name])[: 3 if name in HEAVY else 12]
    return [
        Input(**{field: getattr(each, field) for field in Input.__slots__} | {"number": number})
        for number, each in enumerate(found)
    ]


@pytest.mark.alone
@pytest.mark.timeout(900)
async def test_others_notice_nothing_of_hostile_inputs(tmp_path: Path) -> None:
    found = some()
    assert {each.generator for each in found} == set(GENERATORS)
    async with arena(tmp_path) as here:
        outcome = await here.play(found)
        broken = {each.oracle: str(each) for each in outcome.violations}
        if broken:  # others may use this machine: a real violation is reproducible
            again = {each.oracle for each in (await here.play(found)).violations}
            broken = {oracle: words for oracle, words in broken.items() if oracle in again}
    assert not broken
    assert outcome.others and outcome.runs["Succeeded"] and outcome.stored > len(found) / 2


@pytest.mark.parametrize("name", PLANTS)
def test_what_a_put_back_fault_replaces_is_there(name: str) -> None:
    """A fault that is put where nothing is any more would not be found, whatever the campaign can find."""
    code = "from hostile import plants; print(plants.put_back())"
    environment = {**os.environ, VARIABLE: name, "PYTHONPATH": str(TESTS)}
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True)
    assert done.stdout.strip() == name, done.stderr
