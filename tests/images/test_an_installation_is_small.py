"""What `pip install tradewind` brings: without extras it stays below a budget."""

import re
from importlib import metadata
from pathlib import Path

from packaging.requirements import Requirement

BUDGET = 150_000_000
"""Bytes, without Python and pip."""


def needed(name: str, found: set[str]) -> set[str]:
    """A package and all that it asks for here, without extras."""
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
