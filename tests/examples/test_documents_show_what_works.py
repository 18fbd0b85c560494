"""The manifests in the documents are valid."""

import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from tradewind.model.pool import PoolSpec
from tradewind.plan.define import define, read

ROOT = Path(__file__).parents[2]
BLOCKS = [
    pytest.param(document, id=f"{path.name}-{document['metadata']['name']}")
    for path in [*sorted((ROOT / "docs").glob("**/*.md")), ROOT / "README.md"]
    for block in re.findall(r"```yaml\n(.*?)```", path.read_text(), re.DOTALL)
    for document in yaml.safe_load_all(block)
]


def test_the_documents_have_manifests() -> None:
    assert len(BLOCKS) > 5


@pytest.mark.parametrize("document", BLOCKS)
def test_a_manifest_in_the_documents_is_valid(document: dict[str, Any]) -> None:
    if document["kind"] == "DAG":
        define(document["spec"])
    else:
        read(PoolSpec, document["spec"])
