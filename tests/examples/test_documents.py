"""The manifests in the documents are valid."""

import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from tradewind.cli.manifests.reader import Loader
from tradewind.control.dags.validation import review
from tradewind.plan.dags.compile import define
from tradewind.plan.dags.template_check import sample
from tradewind.plan.templates.render import SORTS, Ref

ROOT = Path(__file__).parents[2]
PAGES = {
    path.name: [
        document
        for block in re.findall(r"```yaml\n(.*?)```", path.read_text(), re.DOTALL)
        for document in yaml.load_all(block, Loader)
        if str(document.get("apiVersion")).startswith("tradewind.dev/")
    ]
    for path in [*sorted((ROOT / "docs").glob("**/*.md")), ROOT / "README.md"]
}
BLOCKS = [
    pytest.param(page, document, id=f"{page}-{document['metadata'].get('name', 'generated')}")
    for page, documents in PAGES.items()
    for document in documents
]


def test_the_documents_have_manifests() -> None:
    assert len(BLOCKS) > 5


@pytest.mark.parametrize(("page", "document"), BLOCKS)
def test_a_manifest_in_the_documents_is_valid(page: str, document: dict[str, Any]) -> None:
    """With the templates that the same page shows."""
    shown = {Ref(other["kind"], other["metadata"].get("name", "")): other["spec"] for other in PAGES[page]}
    match document["kind"]:
        case "DAG":
            define(document["spec"], shown.get)
        case kind if kind in SORTS:
            sample(Ref(kind, document["metadata"]["name"]), document["spec"], shown.get)
        case kind:
            assert [*review(kind, document["spec"]).problems] == []
