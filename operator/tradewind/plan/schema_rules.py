"""`x-kubernetes-validations`: evaluates the CEL rules of a structural schema, as an API server does."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from cel_expr_python import cel

from tradewind.plan.cel.references import evaluate

MESSAGE_LIMIT = 5_120
"""Bytes of a messageExpression's result. Source: the Kubernetes documentation, "CRD validation rules"."""
_READ = re.compile(r"\bself\.(\w+)")
_ENVIRONMENT = cel.NewEnv(variables={"self": cel.Type.DYN, "oldSelf": cel.Type.DYN})


@dataclass(frozen=True, slots=True)
class Broken:
    """A rule that a value breaks. `failed` if the rule itself could not be evaluated."""

    path: str
    value: Any
    message: str
    reason: str = "FieldValueInvalid"
    failed: bool = False
    rests: tuple[str, ...] = ()
    """The fields that the rule reads."""


@lru_cache(maxsize=1024)
def _compiled(rule: str) -> Any:
    return _ENVIRONMENT.compile(rule)


def broken(schema: dict[str, Any], value: Any, old: Any = None, path: str = "") -> Iterator[Broken]:
    """Rules that a value breaks. Unchanged values are not validated again, and rules about changes need an `old` value."""
    if old is not None and value == old:
        return
    for rule in schema.get("x-kubernetes-validations", ()):
        if "oldSelf" in rule["rule"] and old is None:
            continue
        yield from _judge(rule, value, old, path)
    if isinstance(value, dict):
        properties, rest = schema.get("properties") or {}, schema.get("additionalProperties")
        for key, item in value.items():
            child = properties.get(key) or (rest if isinstance(rest, dict) else None)
            if child:
                before = old.get(key) if isinstance(old, dict) else None
                yield from broken(child, item, before, f"{path}.{key}" if path else key)
    elif isinstance(value, list) and isinstance(schema.get("items"), dict):
        for index, item in enumerate(value):
            yield from broken(schema["items"], item, None, f"{path}[{index}]")


def _judge(rule: dict[str, Any], value: Any, old: Any, path: str) -> Iterator[Broken]:
    field = f"{path}{rule.get('fieldPath', '')}"
    try:
        result = evaluate(_compiled(rule["rule"]), {"self": value, "oldSelf": old})
    except RuntimeError as error:
        if "budget" not in str(error):
            yield Broken(field, value, str(error), failed=True)
        return
    if result.type() == cel.Type.BOOL and result.plain_value():
        return
    if result.type() == cel.Type.ERROR:
        yield Broken(field, value, f"rule evaluation error: {result.plain_value()}", failed=True)
        return
    message = _message(rule, value, old) or rule.get("message") or f"failed rule: {rule['rule']}"
    rests = tuple(f"{path}.{name}" for name in dict.fromkeys(_READ.findall(rule["rule"])))
    yield Broken(field, value, message, rule.get("reason", "FieldValueInvalid"), rests=rests)


def _message(rule: dict[str, Any], value: Any, old: Any) -> str:
    """The result of a rule's messageExpression; empty if there is none, or if it gives no single line of text."""
    if "messageExpression" not in rule:
        return ""
    try:
        found = evaluate(_compiled(rule["messageExpression"]), {"self": value, "oldSelf": old})
    except RuntimeError:
        return ""
    if found.type() != cel.Type.STRING:
        return ""
    text = str(found.plain_value())
    return text if text.strip() and "\n" not in text and len(text.encode()) <= MESSAGE_LIMIT else ""
