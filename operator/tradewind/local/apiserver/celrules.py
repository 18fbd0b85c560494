"""`x-kubernetes-validations`: CEL rules of a structural schema."""

from collections.abc import Iterator
from functools import lru_cache
from typing import Any

from cel_expr_python import cel

from tradewind.local.apiserver.errors import Cause

_ENVIRONMENT = cel.NewEnv(variables={"self": cel.Type.DYN, "oldSelf": cel.Type.DYN})


@lru_cache(maxsize=1024)
def _compiled(rule: str) -> Any:
    return _ENVIRONMENT.compile(rule)


def violations(schema: dict[str, Any], value: Any, old: Any, path: str = "") -> Iterator[Cause]:
    """Rules that a value breaks. What has not changed is not judged again, as in a real server (ratcheting)."""
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
                yield from violations(child, item, before, f"{path}.{key}" if path else key)
    elif isinstance(value, list) and isinstance(schema.get("items"), dict):
        for index, item in enumerate(value):
            yield from violations(schema["items"], item, None, f"{path}[{index}]")


def _judge(rule: dict[str, Any], value: Any, old: Any, path: str) -> Iterator[Cause]:
    field = f"{path}{rule.get('fieldPath', '')}"
    try:
        result = _compiled(rule["rule"]).eval(data={"self": value, "oldSelf": old})
    except RuntimeError as error:
        if "budget" not in str(error):
            yield Cause.invalid(field, f'"{_kind(value)}"', str(error))
        return
    if result.type() == cel.Type.BOOL and result.plain_value():
        return
    if result.type() == cel.Type.ERROR:
        yield Cause.invalid(field, f'"{_kind(value)}"', f"rule evaluation error: {result.plain_value()}")
        return
    message = rule.get("message") or f"failed rule: {rule['rule']}"
    reason = rule.get("reason", "FieldValueInvalid")
    yield Cause(reason, field, f'Invalid value: "{_kind(value)}": {message}')


def _kind(value: Any) -> str:
    if isinstance(value, dict):
        return "object"
    return "array" if isinstance(value, list) else str(value)
