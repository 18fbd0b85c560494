"""Suppresses follow-up problems: those caused by a field that could not be read."""

import re
from collections.abc import Collection, Iterator, Mapping, Sequence

from tradewind.model.base import DNS_LABEL
from tradewind.model.task import PODLESS, Task
from tradewind.plan import pacing
from tradewind.plan.documents.nearest import nearest
from tradewind.plan.documents.problem import Problem
from tradewind.plan.documents.wording import foreign

_TASK = re.compile(r"spec\.tasks\.([^.\[]+)(?:\.(.*))?")
_NAMED_IN = re.compile(r"(dependsOn|teardown\.of)\[\d+\]|forEach\.itemsOf")
_MEANT = ("image", "podTemplate", *PODLESS)
"""Fields that name an image or make one unnecessary."""


_SCOPE_WORDS = frozenset(("dependsOn", "forEach", "loop", "onExit", "sensor", "teardown", "template"))
"""Fields of a task that decide which tasks, items and other values its expressions may name."""
_FIELDS = tuple(str(field.alias) for field in Task.model_fields.values())
_NO_WORD = re.compile(r"\W")
_PARAM = re.compile(r"spec\.params\.([^.\[]+)")


def vague(left_out: Sequence[str]) -> frozenset[str]:
    """Tasks that could not be read completely."""
    return frozenset(match[1] for path in pacing.each(left_out) if (match := _TASK.match(path)))


def astray(left_out: Sequence[str]) -> frozenset[str]:
    """Those of them whose expressions may use unknown names: the unread part may contain dependencies or items."""
    matches = (match for path in pacing.each(left_out) if (match := _TASK.match(path)))
    return frozenset(match[1] for match in matches if not match[2] or _scopes(re.split(r"[.\[]", match[2])[0]))


def _scopes(field: str) -> bool:
    """Whether a field decides, or may be meant to decide, what expressions may name."""
    if field not in _FIELDS:
        field = foreign(Task, field) or nearest(field, _FIELDS)
    return not field or not _SCOPE_WORDS.isdisjoint(_NO_WORD.split(field))


def murky(left_out: Sequence[str]) -> frozenset[str]:
    """Params that could not be read completely."""
    return frozenset(match[1] for path in pacing.each(left_out) if (match := _PARAM.match(path)))


def hides(left_out: Sequence[str], path: str) -> bool:
    """Whether the unread part is at a path, or below it."""
    return any(other == path or other.startswith((f"{path}.", f"{path}[")) for other in pacing.each(left_out))


def without(
    read: Sequence[Problem], found: Sequence[Problem], left_out: Sequence[str], tasks: Mapping[str, Task]
) -> list[Problem]:
    """The problems with fields that could not be read, and those found in the rest, without follow-up problems."""
    names = {name for name in tasks if not re.fullmatch(DNS_LABEL, name)}
    kept = [problem for problem in pacing.each(read) if not _names(problem, names)] if names else [*read]
    if not left_out:
        return [*kept, *found]
    missed = set(_missed_images(left_out))
    return [*kept, *(problem for problem in pacing.each(found) if not _follows(problem, left_out, missed))]


def _names(problem: Problem, names: Collection[str]) -> bool:
    """Whether a problem is about a reference to a task whose name is refused at its definition."""
    match = _TASK.fullmatch(problem.path)
    return bool(
        match and match[2] and _NAMED_IN.fullmatch(match[2]) and any(repr(name) in problem.what for name in names)
    )


def _follows(problem: Problem, left_out: Sequence[str], missed: Collection[str]) -> bool:
    if any(problem.path == path or problem.path.startswith((f"{path}.", f"{path}[")) for path in left_out):
        return True
    if problem.path.rpartition(".")[0] + ".type" in left_out:
        return True  # a value of unknown type can't be checked
    if problem.path.endswith(".image") and problem.what == "required":
        return "spec.defaults" in missed or problem.path.removesuffix(".image") in missed
    return any(path.startswith(f"{problem.path}.") for path in left_out) and problem.path.count(".") > 2


def _missed_images(left_out: Sequence[str]) -> Iterator[str]:
    """Where an unread field may have meant an image."""
    for path in pacing.each(left_out):
        parent, _, field = path.rpartition(".")
        if path == "spec.defaults" or (_TASK.fullmatch(path) and path.count(".") == 2):
            yield path
        elif nearest(field, _MEANT):
            yield parent
