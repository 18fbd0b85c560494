"""Checks user names in decisions and edits. This asks nothing of the cluster, so it is answered under any load."""

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from tradewind.plan.documents.problem import Problem

if TYPE_CHECKING:
    from tradewind.control.admission.handler import Body, Request


def of_run(request: "Request") -> list[Problem]:
    """The problems of user names in a run's edits."""
    edits = request.spec.get("edits") if isinstance(request.spec, Mapping) else None
    return [*forged("spec.edits", _list(edits), _list(request.before.get("edits")), request.user)]


def of_approval(request: "Request") -> list[Problem]:
    """The problems of an approval's user name: `by` must be the user who makes or changes a decision. A new object must have none."""
    spec = request.spec if isinstance(request.spec, Mapping) else {}
    by, decided = spec.get("by"), bool(spec.get("decision"))
    if decided and request.old is None:
        words, instead = "an approval is not made with a decision", "create it without, and change it"
        return [Problem("spec.decision", words, instead)]
    if decided and by != request.user:
        return [Problem("spec.by", f"{str(by)[:80]!r} is not who sends this", f"write {request.user!r}")]
    return []


def forged(path: str, new: Sequence["Body"], old: Sequence["Body"], user: str) -> Iterator[Problem]:
    """Problems in a list that is only appended to: new entries whose `by` is not the sender, and changed old entries."""
    for index, entry in enumerate(new):
        if index < len(old):
            if entry != old[index]:
                yield Problem(f"{path}[{index}]", "was there before and can't be changed", "add another at the end")
        elif not isinstance(entry, Mapping) or entry.get("by") != user:
            by = entry.get("by") if isinstance(entry, Mapping) else None
            yield Problem(f"{path}[{index}].by", f"{str(by)[:80]!r} is not who sends this", f"write {user!r}")


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []
