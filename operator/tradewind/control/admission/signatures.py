"""Checks user names in decisions and edits. This asks nothing of the cluster, so it is answered under any load."""

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from tradewind.plan.documents.problem import Problem

if TYPE_CHECKING:
    from tradewind.control.admission.handler import Body, Request

_PARTS = {"decision": "a decision", "answers": "answers", "comment": "a comment", "by": "a name"}


def of_run(request: "Request") -> list[Problem]:
    """The problems of user names in a run's edits."""
    edits = request.spec.get("edits") if isinstance(request.spec, Mapping) else None
    return [*forged("spec.edits", _list(edits), _list(request.before.get("edits")), request.user)]


def of_approval(request: "Request") -> list[Problem]:
    """The problems of an approval's user name: `by` must be the user who makes any change, even before there is a decision. A new object
    must have neither a decision nor a part of one."""
    spec = request.spec if isinstance(request.spec, Mapping) else {}
    if request.old is None:
        written = [name for name in ("decision", "answers", "comment", "by") if spec.get(name)]
        words, instead = "an approval is not made with", "create it without, and change it"
        return [Problem(f"spec.{name}", f"{words} {_PARTS[name]}", instead) for name in written[:1]]
    if spec != request.before and (by := spec.get("by")) != request.user:
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
