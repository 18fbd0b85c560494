"""Reads documents from plain data: as strictly as an API server, and as far as possible."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Generic, TypeVar

from pydantic import ValidationError

from tradewind.model.base import Model
from tradewind.model.bounded import OutOfBounds, checked
from tradewind.plan import pacing
from tradewind.plan.documents import budget, wording
from tradewind.plan.documents.problem import ENOUGH, Invalid, Problem, more
from tradewind.plan.documents.reshape import plain
from tradewind.plan.documents.wording import UNKNOWN

M = TypeVar("M", bound=Model)
ROUNDS = 4
"""How often unreadable parts are left out before the rest is discarded."""


@dataclass(frozen=True, slots=True)
class Reading(Generic[M]):
    """The readable part of a document."""

    value: M | None
    """The document without what is wrong; None if nothing is left."""
    problems: Sequence[Problem] = ()
    left_out: Sequence[str] = ()
    """Paths that were left out."""


def read(kind: type[M], data: Any, root: str = "spec") -> M:
    """A document from plain data. Raises Invalid with a problem per field."""
    found = read_partly(kind, data, root, rounds=1)
    if found.value is None or found.problems:
        raise Invalid(found.problems)
    return found.value


@budget.document()
def read_partly(kind: type[M], data: Any, root: str = "spec", rounds: int = ROUNDS) -> Reading[M]:
    """A document without the fields that can't be read, and the problems of those."""
    try:
        data = checked(data, name=root)
    except OutOfBounds as error:
        return Reading(None, [Problem(error.path, error.problem)])
    problems: list[Problem] = []
    left_out: list[str] = []
    for _ in range(rounds):
        try:
            value = kind.model_validate(data, strict=True, by_alias=True, by_name=False)
            return Reading(value, problems, left_out)
        except ValidationError as error:
            details = error.errors(include_url=False)
        known = {*left_out}
        problems += [found for found in _problems(kind, details, root) if found.path not in known]
        bad = sorted({_bad(detail) for detail in pacing.each(details)}, key=len, reverse=True)
        left_out += [_path(root, steps) for steps in pacing.each(bad) if steps]
        if () in bad:
            return Reading(None, problems, left_out)
        data = _without(data, bad)
    return Reading(None, problems, left_out)


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
    meant = {problem.path.rpartition(".")[0] + "." + name for problem in found.values() if (name := _meant(problem))}
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


def _bad(detail: Mapping[str, Any]) -> tuple[str | int, ...]:
    """The path to leave out: the field; for a list all of it, so that other entries keep their indexes; for a missing
    field its parent."""
    steps = _steps(detail)
    steps = steps[:-1] if detail["type"] == "missing" else steps
    return next((steps[:at] for at, step in enumerate(steps) if isinstance(step, int)), steps)


def _path(root: str, steps: Sequence[str | int]) -> str:
    path = root + "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in steps)
    return path.removeprefix(".")


def _without(data: Any, bad: Iterable[Sequence[str | int]]) -> Any:
    """A copy of the data without some fields."""
    if not isinstance(data, dict):
        return data
    below: dict[str | int, list[Sequence[str | int]]] = {}
    for first, *rest in bad:
        below.setdefault(first, []).append(rest)
    return {
        key: _without(value, below[key]) if key in below else value
        for key, value in data.items()
        if [] not in below.get(key, ())
    }
