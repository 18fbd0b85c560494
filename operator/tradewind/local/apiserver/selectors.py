"""Label and field selectors."""

import re
from collections.abc import Callable, Mapping
from typing import Any

from tradewind.local.apiserver.errors import bad_request
from tradewind.local.apiserver.kinds import Kind, look_up

Match = Callable[[Mapping[str, Any]], bool]
_REQUIREMENT = re.compile(
    r"\s*(?:(!)\s*([\w./-]+)|([\w./-]+)\s*(?:(==|=|!=)\s*([\w.-]*)|\s(in|notin)\s*\(([^)]*)\))?)\s*"
)


def everything(_: Mapping[str, Any]) -> bool:
    """Selects all."""
    return True


def labels(text: str) -> Match:
    """A label selector. Raises 400."""
    if not text.strip():
        return everything
    checks = [_label(part) for part in re.split(r",(?![^(]*\))", text)]

    def match(body: Mapping[str, Any]) -> bool:
        found = body["metadata"].get("labels") or {}
        return all(check(found) for check in checks)

    return match


def _label(text: str) -> Callable[[Mapping[str, str]], bool]:
    parsed = _REQUIREMENT.fullmatch(text)
    if not parsed:
        raise bad_request(f"unable to parse requirement: {text!r}")
    absent, absent_key, key, operator, value, many, values = parsed.groups()
    if absent:
        return lambda found: absent_key not in found
    if many:
        wanted = {item.strip() for item in values.split(",")}
        return (
            (lambda found: found.get(key) in wanted) if many == "in" else (lambda found: found.get(key) not in wanted)
        )
    if operator == "!=":
        return lambda found: found.get(key) != value
    if operator:
        return lambda found: found.get(key) == value
    return lambda found: key in found


def fields(text: str, kind: Kind) -> Match:
    """A field selector. Raises 400 for a field that can't be selected."""
    if not text.strip():
        return everything
    checks: list[tuple[str, bool, str]] = []
    for part in text.split(","):
        path, operator, value = re.split(r"(!=|==|=)", part, maxsplit=1) if "=" in part else (part, "", "")
        path = path.strip()
        if not operator:
            raise bad_request(f"invalid selector: {part!r}; can't understand {part!r}")
        if path not in ("metadata.name", "metadata.namespace", *kind.selectable):
            raise bad_request(f"field label not supported: {path}")
        checks.append((path, operator != "!=", value))

    def match(body: Mapping[str, Any]) -> bool:
        return all((_shown(look_up(body, path)) == value) == positive for path, positive, value in checks)

    return match


def _shown(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    return "" if value is None else str(value)


def both(first: Match, second: Match) -> Match:
    """Matches what both match."""
    if first is everything:
        return second
    if second is everything:
        return first
    return lambda body: first(body) and second(body)
