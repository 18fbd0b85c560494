"""docs/environment-variables.md names all variables that a task's container gets, and nothing else."""

import re
from pathlib import Path

from tradewind.local.environment import INHERITED

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs/environment-variables.md").read_text()
SOURCE = ROOT / "operator/tradewind"
OF_THE_OPERATOR = {"TRADEWIND_IMAGE", "TRADEWIND_TASK_USER"}
"""Variables of the operator's own container, which the chart sets."""
LITERAL = re.compile(r"""["'](TRADEWIND_[A-Z_]+)["']""")


def given() -> set[str]:
    """The variables in the code that builds pods, and in the programs in them."""
    texts = [path.read_text() for folder in ("control", "tasks") for path in (SOURCE / folder).rglob("*.py")]
    return {name for text in texts for name in LITERAL.findall(text)} - OF_THE_OPERATOR


def rows() -> set[str]:
    lines = [line for line in PAGE.splitlines() if line.startswith("| `")]
    return {name for line in lines for name in re.findall(r"`([A-Z_]+)`", line.split("|")[1])}


def test_the_page_lists_the_variables_that_the_code_gives() -> None:
    assert "TRADEWIND_OUTPUTS" in given()
    assert {name for name in rows() if name.startswith("TRADEWIND_")} == given()
    assert rows() - given() == {"PYTHONUNBUFFERED"}


def test_the_page_lists_what_a_task_sees_of_the_users_environment() -> None:
    [sentence] = re.findall(r"of your own environment (.*?)\. ", PAGE.replace("\n", " "))
    assert set(re.findall(r"`(\w+)`", sentence)) == set(INHERITED)
