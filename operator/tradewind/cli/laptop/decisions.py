"""Decisions of approvals given on the command line, before the run starts."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from tradewind.cli.laptop.preflight import called
from tradewind.cli.manifests.document import Document, Refusal
from tradewind.cli.manifests.documents import DocumentSet
from tradewind.model.value import Param
from tradewind.plan.documents.nearest import choose, listed
from tradewind.plan.documents.parts import tasks
from tradewind.plan.documents.place import Place
from tradewind.plan.expressions.typed_values import from_text, problem_with
from tradewind.plan.outcomes.attempt import parse_key

ALL = ""
"""Stands for all tasks in place of a name."""


@dataclass(frozen=True, slots=True)
class Decisions:
    """Decisions by task name."""

    approved: frozenset[str] = frozenset()
    rejected: frozenset[str] = frozenset()
    answers: Mapping[str, str] = field(default_factory=dict)
    """Answers to the questions of approved tasks, by name of the question."""

    def on(self, spec: Mapping[str, Any]) -> dict[str, Any] | None:
        """The decision for an approval; None if it is left to people."""
        names = {spec["task"], parse_key(spec["task"])[0]}
        if names & self.rejected:
            return {"decision": "Rejected", "comment": "run -f --reject"}
        if not (names | {ALL}) & self.approved:
            return None
        asked = {name: Param.model_validate(body) for name, body in (spec.get("questions") or {}).items()}
        answers = {name: from_text(asked[name], text) for name, text in self.answers.items() if name in asked}
        return {"decision": "Approved", "comment": "run -f --approve", **({"answers": answers} if answers else {})}


def undecided(
    documents: Sequence[Document], shelf: DocumentSet, dag: str, decisions: Decisions, person: bool
) -> list[Refusal]:
    """What is wrong with decisions for a DAG and its sub-DAGs; without a `person` to ask, also the approvals for which
    the run would wait forever."""
    found, names, questions = list[Refusal](), set[str](), set[str]()
    top = next(document for document in documents if (document.kind, document.name) == ("DAG", dag))
    for document, place, task, approval in _approvals(documents, shelf, dag):
        names.add(task)
        questions |= set(approval.get("questions") or {})
        decision = decisions.on({"task": task})
        if decision is None and not person and not approval.get("timeout"):
            way = f"decide now, with --approve {task} or --reject {task}, or give it a timeout"
            found.append(document.refusal(place.problem("nobody can be asked here: the input is not a terminal", way)))
        elif decision and decision["decision"] == "Approved":
            found += _unanswered(document, place, approval, decisions.answers)
    for option, given, there in (
        ("--approve", decisions.approved - {ALL}, names),
        ("--reject", decisions.rejected, names),
        ("--answer", set(decisions.answers), questions),
    ):
        what = "question of an approval" if option == "--answer" else "approval"
        for name in sorted({parse_key(name)[0] for name in given} - there):
            way = choose(name, there, f"there are: {listed(there)}")
            found.append(Refusal(top.source, 0, 0, f"{option} {name}: there is no such {what}; {way}"))
    return found


def _approvals(
    documents: Sequence[Document], shelf: DocumentSet, dag: str
) -> Iterator[tuple[Document, Place, str, Mapping[str, Any]]]:
    for document in called(documents, shelf, dag):
        rendering = shelf.rendering(document)
        for path, body in tasks(rendering.spec):
            if isinstance(approval := body.get("approval"), dict):
                yield document, rendering.place(f"{path}.approval"), path.rpartition(".")[2], approval


def _unanswered(
    document: Document, place: Place, approval: Mapping[str, Any], answers: Mapping[str, str]
) -> Iterator[Refusal]:
    """Questions whose answers are missing or don't fit."""
    for name, body in (approval.get("questions") or {}).items():
        asked = Param.model_validate(body)
        if name not in answers and asked.default is not None:
            continue
        what = "an answer is needed"
        if name in answers:
            problem = problem_with(asked, from_text(asked, answers[name]), name)
            if problem is None:
                continue
            what = f"{problem.what}; {problem.instead}"
        yield document.refusal(place.problem(f"question {name}: {what}", f"answer it with --answer {name}=VALUE"))
