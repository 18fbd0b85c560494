"""What `pip install tradewind` installs: everything that is imported, and without extras no more than a budget."""

import ast
import re
import sys
from importlib import metadata
from pathlib import Path

from packaging.requirements import Requirement

BUDGET = 150_000_000
"""Bytes, without Python and pip."""


def needed(name: str, found: set[str]) -> set[str]:
    """A package and its requirements on this platform, without extras."""
    name = re.sub(r"[-_.]+", "-", name).lower()
    if name not in found:
        found.add(name)
        for text in metadata.requires(name) or ():
            asked = Requirement(text)
            if asked.marker is None or asked.marker.evaluate({"extra": ""}):
                needed(asked.name, found)
    return found


def size(name: str) -> int:
    files = metadata.distribution(name).files or ()
    return sum(path.stat().st_size for file in files if (path := Path(str(file.locate()))).is_file())


def test_an_installation_stays_within_its_budget() -> None:
    packages = needed("tradewind", set())
    assert {"aiohttp", "kopf", "cel-expr-python"} <= packages
    assert "kubernetes" not in packages, "126 MB, of which a kubeconfig and the names of a pod's fields were used"
    source = Path(__file__).parents[2] / "operator" / "tradewind"
    own = sum(path.stat().st_size for path in source.rglob("*.py"))  # here it is installed as a link
    sizes = {name: size(name) for name in packages - {"tradewind"}}
    assert own + sum(sizes.values()) < BUDGET, sorted(sizes.items(), key=lambda item: -item[1])[:5]


def test_nothing_is_imported_that_is_not_installed() -> None:
    """The development environment has more, so other tests would not notice."""
    there = needed("tradewind", set()) | needed("psycopg", set())  # of the extra `postgres`
    source = Path(__file__).parents[2] / "operator" / "tradewind"
    imported = set()
    for path in source.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Import):
                imported |= {alias.name.partition(".")[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
                imported.add(node.module.partition(".")[0])
    owners = metadata.packages_distributions()
    foreign = imported - sys.stdlib_module_names - {"tradewind"}
    assert "aiohttp" in foreign
    lost = {name for name in foreign if not {re.sub(r"[-_.]+", "-", owner).lower() for owner in owners[name]} & there}
    assert not lost
