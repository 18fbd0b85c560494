"""Objects whose status no operator of this version wrote: after a hand-edit, by another version, or with intent. They are
reported, and the rest is shown."""

import contextlib
from collections.abc import Iterator, Mapping
from typing import Any

from tradewind.kube.errors import ApiError


class StatusUnreadable(Exception):
    """A status that can't be shown; the message says whose, and why."""


def status(body: Mapping[str, Any] | None) -> Mapping[str, Any]:
    """An object's status; empty if it is missing or not a mapping."""
    found = (body or {}).get("status")
    return found if isinstance(found, Mapping) else {}


def of_kind(kind: type[Any], value: Any) -> Any:
    """The value if it is of a type such as dict or list; else an empty one."""
    return value if isinstance(value, kind) else kind()


def condition(given: Mapping[str, Any], kind: str) -> Mapping[str, Any]:
    """A condition of a status; empty if there is none."""
    found = of_kind(list, given.get("conditions"))
    return next((item for item in found if isinstance(item, Mapping) and item.get("type") == kind), {})


def validity(body: Mapping[str, Any]) -> str:
    """The message of an object's condition Valid; empty without one."""
    return str(condition(status(body), "Valid").get("message") or "")


@contextlib.contextmanager
def reading(what: str) -> Iterator[None]:
    """Wraps code that only reads an object. Raises StatusUnreadable for any exception: nothing has validated the
    object, so no list of exceptions would be complete."""
    try:
        yield
    except (ApiError, StatusUnreadable):
        raise
    except Exception as error:
        words = str(error) if isinstance(error, ValueError) and str(error) else f"{type(error).__name__}: {error}"
        raise StatusUnreadable(f"the status of {what} can't be read: {words[:400]}") from error
