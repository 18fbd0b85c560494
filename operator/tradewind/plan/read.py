"""Documents from plain data."""

from typing import Any, TypeVar

from pydantic import ValidationError

from tradewind.model.base import NAMED, TEMPLATED, Model
from tradewind.model.bounded import OutOfBounds, checked
from tradewind.plan.problem import Invalid, Problem

M = TypeVar("M", bound=Model)


def read(kind: type[M], data: Any, root: str = "spec") -> M:
    """A document from plain data. Raises Invalid with a problem per field."""
    try:
        return kind.model_validate(checked(data, name=root))
    except OutOfBounds as error:
        raise Invalid([Problem(error.path, error.problem)]) from None
    except ValidationError as error:
        raise Invalid([_problem(detail, root) for detail in error.errors(include_url=False)]) from None


def _problem(detail: Any, root: str) -> Problem:
    parts = [part for part in detail["loc"] if part not in ("int", "str")]
    path = root + "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in parts)
    match detail["type"]:
        case "extra_forbidden":
            return Problem(path, "unknown field", "remove it, or see `kubectl explain` for the fields there are")
        case "missing":
            return Problem(path, "required", "")
        case "string_pattern_mismatch" if "$[[" not in detail["input"] and (words := _named(detail["ctx"]["pattern"])):
            return Problem(path, f"{detail['input'][:80]!r} is not valid here", words)
        case _ if isinstance(detail["input"], str) and "$[[" in detail["input"]:
            what = f"`{detail['input'][:120]}` is not known before a run begins, and this field is"
            return Problem(path, what, "write a plain value; in a template, an expression of inputs alone")
        case _:
            message = detail["msg"].removeprefix("Value error, ")
            return Problem(path, f"{message[0].lower()}{message[1:]}", "")


def _named(pattern: str) -> str:
    """What to write where a name has such a pattern; empty for other patterns."""
    return NAMED.get(pattern.removeprefix("^$|").removeprefix(r"^\*$|").removesuffix(f"|{TEMPLATED}"), "")
