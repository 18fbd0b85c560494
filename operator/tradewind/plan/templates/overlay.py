"""Merges a template with its user; the user's values win."""

from collections.abc import Mapping
from typing import Any

from tradewind.model.task import PODLESS

BY_NAME = frozenset({"env", "envFrom", "nodeSelector", "outputs", "params"})
"""Maps that are merged entry by entry. Everything else is replaced as a whole."""
_WAYS = ({"script"}, {"command", "args"}, *({way} for way in PODLESS))
"""Alternative ways to define a task's work. A user who sets one replaces the template's."""
_VARIABLES = (("env", "envFrom"), ("envFrom", "env"))


def overlaid(base: Mapping[str, Any], over: Mapping[str, Any]) -> dict[str, Any]:
    """`over` on top of `base`: fields of a task, of defaults or of a DAG."""
    result = dict(base)
    for way in _WAYS:
        if way & over.keys():
            gone = set().union(*_WAYS) - way | ({"image"} if way & set(PODLESS) else set())
            result = {name: value for name, value in result.items() if name not in gone}
    # A variable set in one way above replaces one set in the other way below.
    for field, other_field in _VARIABLES:
        said, below = over.get(field), result.get(other_field)
        if isinstance(said, dict) and isinstance(below, dict):
            result[other_field] = {name: value for name, value in below.items() if name not in said}
    for field, value in over.items():
        below = result.get(field)
        if isinstance(value, dict) and isinstance(below, dict) and field in BY_NAME:
            result[field] = {**below, **value}
        elif isinstance(value, dict) and isinstance(below, dict) and field == "defaults":
            result[field] = overlaid(below, value)
        else:
            result[field] = value
    return result
