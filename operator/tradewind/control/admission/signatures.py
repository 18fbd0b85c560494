"""Whose name stands under a decision or an edit. Nothing has to be asked for it, so it is answered whatever else there is to do."""

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from tradewind.plan.documents.problem import Problem

if TYPE_CHECKING:
    from tradewind.control.admission.handler import Body, Request


def of_run(request: "Request") -> list[Problem]:
    """What is wrong with the names in a run's edits."""
    edits = request.spec.get("edits") if isinstance(request.spec, Mapping) else None
    return [*forged("spec.edits", _list(edits), _list(request.before.get("edits")), request.user)]


def of_approval(request: "Request") -> list[Problem]:
    """Who decides says so himself, and whoever changes a decision takes it over. One that comes with its object is nobody's."""
    spec = request.spec if isinstance(request.spec, Mapping) else {}
    by, decided = spec.get("by"), bool(spec.get("decision"))
    if decided and request.old is None:
        words, instead = "an approval is not made with a decision", "create it without, and change it"
        return [Problem("spec.decision", words, instead)]
    if decided and by != request.user:
        return [Problem("spec.by", f"{str(by)[:80]!r} is not who sends this", f"write {request.user!r}")]
    return []


def forged(path: str, new: Sequence["Body"], old: Sequence["Body"], user: str) -> Iterator[Problem]:
    """Entries of a list that only grows which say, in `by`, that they are someone else's than the one who sends it; and those that were
    there and are changed."""
    for index, entry in enumerate(new):
        if index < len(old):
            if entry != old[index]:
                yield Problem(f"{path}[{index}]", "was there before and can't be changed", "add another at the end")
        elif not isinstance(entry, Mapping) or entry.get("by") != user:
            by = entry.get("by") if isinstance(entry, Mapping) else None
            yield Problem(f"{path}[{index}].by", f"{str(by)[:80]!r} is not who sends this", f"write {user!r}")


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []
