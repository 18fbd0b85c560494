"""Documents with the templates among them: checked together, rendered offline."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

from tradewind.cli.manifests.document import BadManifest, Document, Refusal
from tradewind.kube.resources import TEMPLATES
from tradewind.plan.dags.compile import examined
from tradewind.plan.dags.definition import Definition
from tradewind.plan.dags.template_check import sampled
from tradewind.plan.documents.problem import Invalid, Problem
from tradewind.plan.documents.unread import Unread
from tradewind.plan.templates.render import Find, Ref, Rendering, render


@dataclass(slots=True)
class Looked:
    """The result of checking a DAG or a template."""

    rendering: Rendering
    definition: Definition | None = None
    """The definition, from the parts that could be read."""
    problems: list[Problem] = field(default_factory=list)
    unread: Unread = field(default_factory=Unread)
    """What could not be read, by the document's field paths."""


class DocumentSet:
    """The templates among some documents."""

    def __init__(self, documents: Iterable[Document]) -> None:
        self._templates: dict[Ref, list[Document]] = {}
        for document in documents:
            if document.kind in TEMPLATES:
                self._templates.setdefault(Ref(document.kind, document.name), []).append(document)

    def find(self, namespace: str) -> Find:
        """Finds templates for a document of a namespace. Documents without a namespace match any."""

        def find(ref: Ref) -> Any:
            for document in self._templates.get(ref, []):
                if ref.cluster or not namespace or document.namespace in ("", namespace):
                    return document.spec
            return None

        return find

    def rendering(self, document: Document) -> Rendering:
        """A DAG's spec, rendered with the templates among the documents."""
        return render(document.spec, self.find(document.namespace))

    def look(self, document: Document) -> Looked:
        """Checks a DAG or a template, with the templates among the documents."""
        found = Looked(Rendering(None))
        try:
            if document.kind in TEMPLATES:
                ref, find = Ref(document.kind, document.name), self.find(document.namespace)
                made = sampled(ref, document.spec, find)
                found.rendering, found.definition = made.rendering, made.definition
                found.problems += made.problems
                found.unread = made.unread
            else:
                found.rendering = self.rendering(document)
                seen = examined(found.rendering)
                found.definition = seen.definition
                if seen.definition:
                    place, there = found.rendering.place, seen.definition.unread
                    found.unread = Unread(
                        (place(path).path for path in there.paths), (place(path).path for path in there.all)
                    )
                found.problems += seen.problems
        except Invalid as error:
            found.problems += error.problems
        return found

    def check(self, document: Document) -> list[Refusal]:
        """Notes on what can't be checked since templates are missing. Raises BadManifest for a DAG that could not run
        and a template that could not be used."""
        if document.kind != "DAG" and document.kind not in TEMPLATES:
            return []
        found = self.look(document)
        if found.problems:
            raise problems(document, found.problems)
        return list(unknown(document, found.rendering))


def unknown(document: Document, rendering: Rendering) -> Iterator[Refusal]:
    """A note for each missing template."""
    for ref, place in rendering.missing.items():
        problem = place.problem(f"{ref} is not among these manifests", "what it provides is not checked")
        yield document.refusal(problem)


def problems(document: Document, found: Iterable[Problem]) -> BadManifest:
    """An error that points at each problem's line."""
    return BadManifest(*(document.refusal(problem) for problem in found))
