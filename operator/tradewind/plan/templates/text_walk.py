"""Visits the texts of plain data, by the types in the models: values, expressions and scripts."""

from collections.abc import Callable
from types import UnionType
from typing import Annotated, Any, Union, get_args, get_origin

from tradewind.model.base import Model, Role

Visit = Callable[[str, str, Role | None, Any], Any]
"""The new value of a text, given the text, its path, its role (None: a value) and the model's annotation."""
OMIT = object()
"""Returned by a visit: omit the field."""


def walked(kind: Any, value: Any, path: str, visit: Visit) -> Any:
    """A copy of `value`, whose model or annotation is `kind`, with its texts replaced. Fields that the models don't
    have are visited too."""
    plain, role = bare(kind)
    match value:
        case str():
            return visit(value, path, role, kind)
        case dict():
            items = {name: walked(_member(plain, name), item, f"{path}.{name}", visit) for name, item in value.items()}
            return {name: item for name, item in items.items() if item is not OMIT}
        case list():
            inner = get_args(plain)[0] if get_origin(plain) is list else Any
            found = [walked(inner, item, f"{path}[{index}]", visit) for index, item in enumerate(value)]
            return [item for item in found if item is not OMIT]
        case _:
            return value


def bare(kind: Any) -> tuple[Any, Role | None]:
    """A type without its annotations and without None, and its role."""
    role = None
    while True:
        if get_origin(kind) is Annotated:
            kind, *marks = get_args(kind)
            role = next((mark for mark in marks if isinstance(mark, Role)), role)
        elif get_origin(kind) in (Union, UnionType):
            options = [option for option in get_args(kind) if option is not type(None)]
            if len(options) != 1:
                return kind, role
            kind = options[0]
        else:
            return kind, role


def _member(kind: Any, name: str) -> Any:
    """The type of a field of a model, or of a value of a map."""
    if isinstance(kind, type) and issubclass(kind, Model):
        for field in kind.model_fields.values():
            if field.alias == name:
                return Annotated[field.annotation, *field.metadata] if field.metadata else field.annotation
        return Any
    return get_args(kind)[1] if get_origin(kind) is dict else Any


def size_of(value: Any, enough: float) -> float:
    """The approximate size of a value as JSON; at most `enough` of it is visited, and a value that occurs several times
    counts each time."""
    total = 0.0
    stack = [value]
    while stack and total <= enough:
        item = stack.pop()
        total += 2
        if isinstance(item, str):
            total += len(item)
        elif isinstance(item, dict):
            total += sum(len(key) + 3 for key in item if isinstance(key, str))
            stack += item.values()
        elif isinstance(item, list | tuple):
            stack += item
    return total
