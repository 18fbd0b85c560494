"""Documents with the templates among them: checked together, rendered offline."""

from collections.abc import Iterable, Iterator
from typing import Any

from tradewind.cli.manifest import BadManifest, Document, Refusal
from tradewind.kube.resources import TEMPLATES
from tradewind.plan.define import checked
from tradewind.plan.definition import Definition
from tradewind.plan.problem import Invalid, Problem
from tradewind.plan.render import Find, Ref, Rendering, render
from tradewind.plan.sample import sample


class Shelf:
    """The templates among some documents."""

    def __init__(self, documents: Iterable[Document]) -> None:
        self._templates: dict[Ref, list[Document]] = {}
        for document in documents:
            if document.kind in TEMPLATES:
                self._templates.setdefault(Ref(document.kind, document.name), []).append(document)

    def find(self, namespace: str) -> Find:
        """Templates for a document of a namespace. Documents that name none are in whichever is meant."""

        def find(ref: Ref) -> Any:
            for document in self._templates.get(ref, []):
                if ref.cluster or not namespace or document.namespace in ("", namespace):
                    return document.spec
            return None

        return find

    def rendering(self, document: Document) -> Rendering:
        """A DAG's spec, rendered as far as the templates are here."""
        return render(document.spec, self.find(document.namespace))

    def look(self, document: Document) -> tuple[Rendering, Definition | None]:
        """A DAG or a template, checked as far as the templates that it uses are here. Raises Invalid."""
        if document.kind in TEMPLATES:
            found = sample(
                Ref(document.kind, document.name), document.spec, self.find(document.namespace), complete=False
            )
            return found.rendering, found.definition
        rendering = self.rendering(document)
        if rendering.problems:
            raise Invalid(rendering.problems)
        return rendering, checked(rendering)

    def check(self, document: Document) -> list[Refusal]:
        """What can't be told of a document, since templates are not here. Raises BadManifest for a DAG that could not run, and a template
        that could not be used."""
        if document.kind != "DAG" and document.kind not in TEMPLATES:
            return []
        try:
            return list(unknown(document, self.look(document)[0]))
        except Invalid as error:
            raise problems(document, error.problems) from None


def unknown(document: Document, rendering: Rendering) -> Iterator[Refusal]:
    """A note for each template that is not here."""
    for ref, place in rendering.missing.items():
        problem = place.problem(f"{ref} is not among these manifests", "what comes from it is not checked")
        yield document.refusal(problem.path, str(problem))


def problems(document: Document, found: Iterable[Problem]) -> BadManifest:
    """An error that points at each problem's line."""
    return BadManifest(*(document.refusal(problem.path, str(problem)) for problem in found))
