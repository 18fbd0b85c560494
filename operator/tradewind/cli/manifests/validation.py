"""Checks documents together: a DAG against its templates and a run against its DAG's params, if those are among them."""

from collections.abc import Container, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from tradewind.cli.manifests import schema_check, script_check, yaml_misreadings
from tradewind.cli.manifests.cross_checks import (
    Key,
    call_circles,
    calls,
    circles,
    followed,
    not_allowed,
    twice,
    without_repetitions,
)
from tradewind.cli.manifests.document import KINDS, BadManifest, Document, Refusal
from tradewind.cli.manifests.documents import DocumentSet, unknown
from tradewind.cli.manifests.reader import load
from tradewind.control.dags import judgement
from tradewind.control.dags.validation import REVIEWS, User, against, more_problems
from tradewind.control.dags.validation import review as reviewed
from tradewind.kube.resources import TEMPLATES
from tradewind.model.trigger import TriggerSpec
from tradewind.plan.dags.definition import Definition
from tradewind.plan.dags.local_dags import fitting
from tradewind.plan.documents.problem import Problem
from tradewind.plan.documents.unread import Unread


@dataclass(slots=True)
class Review:
    """The results. Notes are not errors."""

    refusals: list[Refusal]
    notes: list[Refusal]


def review(documents: Sequence[Document]) -> Review:
    """Checks all documents."""
    shelf, found = DocumentSet(documents), Review([], [])
    known: dict[Key, Definition] = {}
    wrong: list[tuple[Document, Problem]] = []
    users: list[tuple[Document, User, Unread]] = []
    for document in documents:
        with _guard(document, found):
            problems, unread = list[Problem](), Unread()
            if document.kind == "DAG" or document.kind in TEMPLATES:
                looked = shelf.look(document)
                found.notes += unknown(document, looked.rendering)
                problems += looked.problems
                unread = looked.unread
                if looked.definition:
                    problems += more_problems(looked.definition, looked.rendering, problems)
                    found.notes += map(document.refusal, map(looked.rendering.told, judgement.notes(looked.definition)))
                    found.refusals += script_check.refusals(document, looked.definition, looked.rendering)
                    if document.kind == "DAG" and not looked.rendering.missing and not looked.rendering.problems:
                        known[document.namespace, document.name] = looked.definition
            elif document.kind in REVIEWS:
                result = reviewed(document.kind, document.spec)
                problems += result.problems
                unread = result.unread
                if isinstance(result.content, User):
                    users.append((document, result.content, unread))
            told = Unread(unread.paths, {*unread.all, *(problem.path for problem in problems)})
            more = schema_check.problems(document, others=bool(problems))
            problems += [problem for problem in more if not told.touches(problem.path)]
            wrong += [(document, problem) for problem in problems]
            found.notes += map(document.refusal, yaml_misreadings.notes(document.node))
    found.refusals += [document.refusal(problem) for document, problem in without_repetitions(wrong)]
    there = {(document.namespace, document.name) for document in documents if document.kind == "DAG"}
    for document, problem, harmless in [*twice(documents), *calls(documents, known, there)]:
        (found.notes if harmless else found.refusals).append(document.refusal(problem))
    for document, problem in [*not_allowed(documents, known), *call_circles(documents, known)]:
        found.refusals.append(document.refusal(problem))
    triggers = [(document, spec, unread) for document, spec, unread in users if isinstance(spec, TriggerSpec)]
    for document, problem in followed(triggers, known):
        found.refusals.append(document.refusal(problem))
    for document, problem, ends in circles([(item, spec) for item, spec, unread in triggers if not unread], known):
        (found.notes if ends else found.refusals).append(document.refusal(problem))
    for document, spec, unread in users:
        dag = known.get((document.namespace, spec.dag))
        with _guard(document, found):
            for problem in unread.without_followers(fitting(dag, against(dag.spec.params, spec)) if dag else ()):
                found.refusals.append(document.refusal(problem))
    return found


def require(*paths: str, unchecked: Container[str] = ()) -> tuple[list[Document], list[Refusal]]:
    """The documents of files and folders that will be used together, except for the check of some kinds, and notes.
    Raises BadManifest with everything that is wrong, in all files."""
    try:
        documents, refusals = load(*paths), list[Refusal]()
    except BadManifest as error:
        documents, refusals = list(error.documents), list(error.refusals)
    checked = [document for document in documents if document.kind in KINDS and document.kind not in unchecked]
    found = review(checked)
    found.refusals += [document.refusal(problem) for document, problem, elsewhere in twice(checked) if elsewhere]
    if refusals or found.refusals:
        raise BadManifest(*sorted(refusals + found.refusals, key=lambda item: (item.source, item.line, item.column)))
    return documents, found.notes


@contextmanager
def _guard(document: Document, found: Review) -> Iterator[None]:
    """Refuses a document whose check crashes; the ones after it are still checked."""
    try:
        yield
    except Exception as error:
        words = f"can't be checked, which is a fault of Tradewind's own ({type(error).__name__}: {error})"
        found.refusals.append(document.refusal(Problem("", words[:1_024])))
