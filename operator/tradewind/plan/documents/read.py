"""Reads documents from plain data: as strictly as an API server, and as far as possible."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Generic, TypeVar

from pydantic import ValidationError

from tradewind.model.base import Model
from tradewind.model.bounded import OutOfBounds, checked
from tradewind.plan import pacing
from tradewind.plan.documents import budget, wording
from tradewind.plan.documents.problem import ENOUGH, Invalid, Problem, more
from tradewind.plan.documents.reshape import member, plain
from tradewind.plan.documents.stand_in import NOTHING, stand_in
from tradewind.plan.documents.wording import UNKNOWN

M = TypeVar("M", bound=Model)
ROUNDS = 4
"""How often unreadable parts are left out before the rest is discarded."""
MOST_UNREAD = 1_000
"""Unreadable fields beyond which the rest is discarded: each takes time, and nobody reads on."""


@dataclass(frozen=True, slots=True)
class Reading(Generic[M]):
    """The readable part of a document."""

    value: M | None
    """The document without what is wrong; None if nothing is left."""
    problems: Sequence[Problem] = ()
    unread: Sequence[str] = ()
    """Paths of fields that were left out, or hold a stand-in."""
    meant: Sequence[str] = ()
    """Paths of fields that unknown ones may be meant for."""
    data: Any = None
    """What the value was read from."""


def read(kind: type[M], data: Any, root: str = "spec") -> M:
    """A document from plain data. Raises Invalid with a problem per field."""
    found = read_partly(kind, data, root, rounds=1)
    if found.value is None or found.problems:
        raise Invalid(found.problems)
    return found.value


@budget.document()
def read_partly(kind: type[M], data: Any, root: str = "spec", rounds: int = ROUNDS) -> Reading[M]:
    """A document without the fields that can't be read, and the problems of those. Where something must be, a stand-in is:
    for required fields, and for entries of lists and maps, whose places and names others refer to."""
    try:
        data = checked(data, name=root)
    except OutOfBounds as error:
        return Reading(None, [Problem(error.path, error.problem)])
    problems: list[Problem] = []
    unread: list[str] = []
    meant: list[str] = []
    for _ in range(rounds):
        try:
            value = kind.model_validate(data, strict=True, by_alias=True, by_name=False)
            return Reading(value, problems, unread, meant, data)
        except ValidationError as error:
            details = error.errors(include_url=False)
        known = {*unread}
        problems += [found for found in _problems(kind, details, root) if found.path not in known]
        unknown = [_steps(detail) for detail in details if detail["type"] == "extra_forbidden"]
        for steps in unknown[:ENOUGH]:
            meant += [_path(root, (*steps[:-1], field)) for field in _fields_meant(kind, data, steps)]
        bad = {_steps(detail): detail["loc"][-1:] == ("[key]",) for detail in pacing.each(details)}
        bad |= dict.fromkeys(unknown, True)
        unread += [_path(root, steps) for steps in pacing.each(bad)]
        if () in bad or rounds == 1 or len(unread) > MOST_UNREAD:
            break
        data = _mended(kind, data, bad)
    return Reading(None, problems, unread, meant)


def _problems(kind: Any, details: Sequence[Any], root: str) -> list[Problem]:
    """One problem per field, in the order in which they were found."""
    found: dict[str, Problem] = {}
    for detail in pacing.each(details[:ENOUGH]):
        problem = _problem(kind, detail, root)
        if (before := found.get(problem.path)) and detail["loc"][-1] in ("int", "str"):
            problem = replace(
                before,
                what=f"{wording.described(detail['input'])}, not text or a number",
                instead="write text or a number",
            )
        found[problem.path] = problem
    named = ((problem.path.rpartition(".")[0], _meant(problem)) for problem in found.values())
    meant = {f"{parent}.{name}".removeprefix(".") for parent, name in named if name}
    told = [problem for problem in found.values() if problem.what != "required" or problem.path not in meant]
    return told if len(details) <= ENOUGH else [*told, more(root)]


def _meant(problem: Problem) -> str:
    """The field probably meant by an unknown one."""
    return problem.instead.removeprefix("did you mean ").removesuffix("?") if problem.what == UNKNOWN else ""


def _problem(kind: Any, detail: Mapping[str, Any], root: str) -> Problem:
    steps = _steps(detail)
    path, value = _path(root, steps), detail["input"]
    *_, parent, own = [None, *wording.annotations(kind, steps)]
    if detail["type"] == "extra_forbidden":
        return wording.unknown_field(path, str(steps[-1]), plain(parent))
    if detail["type"] == "missing":
        return Problem(path, "required")
    if isinstance(value, str) and "$[[" in value and detail["type"] != "string_too_long":
        what = f"`{value[:120]}` is not known before a run begins, and this field is"
        return Problem(path, what, "write a plain value; in a template, an expression of inputs alone")
    return wording.problem(path, detail, own)


def _steps(detail: Mapping[str, Any]) -> tuple[str | int, ...]:
    """The path of a field, without the reader's steps for unions and keys."""
    return tuple(part for part in detail["loc"] if part not in ("int", "str", "[key]"))


def _path(root: str, steps: Sequence[str | int]) -> str:
    path = root + "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in steps)
    return path.removeprefix(".")


def _fields_meant(kind: Any, data: Any, steps: Sequence[str | int]) -> list[str]:
    """The fields that an unknown one may be meant for: those that are not there."""
    *_, parent, _ = wording.annotations(kind, steps)
    for step in steps[:-1]:
        data = data[step]
    return [field for field in wording.fields_meant(plain(parent), str(steps[-1])) if field not in data]


def _mended(kind: Any, data: Any, bad: Mapping[tuple[str | int, ...], bool]) -> Any:
    """A copy of the data without the bad fields, or with stand-ins for those that are not to be dropped."""
    found = data.copy()
    below: dict[str | int, dict[tuple[str | int, ...], bool]] = {}
    for (first, *rest), drop in bad.items():
        below.setdefault(first, {})[tuple(rest)] = drop
    for step, inner in below.items():
        there = stand_in(kind, step) if inner.get(()) is False else NOTHING
        if () not in inner:
            found[step] = _mended(member(plain(kind), step), found[step], inner)
        elif there is not NOTHING:
            found[step] = there
        elif isinstance(found, dict):
            found.pop(step, None)
    return found
