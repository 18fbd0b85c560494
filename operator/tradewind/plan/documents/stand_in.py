"""Stand-ins for values that can't be read, where something must be: so that the rest of a document can be checked."""

from functools import lru_cache
from typing import Any, Literal, get_args, get_origin

from tradewind.model.base import Model
from tradewind.plan.documents.reshape import fits, member, plain

NOTHING = object()
"""There is no stand-in, or none is needed."""
_TEXTS = ("not-read", "not_read", "v1", "Unread", "1s", "2000-01-01", "01-01", "https://not-read")
"""Texts of all patterns; the first that fits is taken. It is no name that an author is likely to use."""


def stand_in(kind: Any, step: str | int) -> Any:
    """A value for a field that its model requires, or for an entry of a list or a map."""
    within = plain(kind)
    if isinstance(within, type) and issubclass(within, Model):
        field = next((field for field in within.model_fields.values() if field.alias == step), None)
        return _of(member(within, step)) if field and field.is_required() else NOTHING
    return _of(member(within, step)) if get_origin(within) in (dict, list) else NOTHING


@lru_cache(maxsize=1_024)
def _of(kind: Any) -> Any:
    """A value that a type accepts."""
    bare = plain(kind)
    if isinstance(bare, type) and issubclass(bare, Model):
        return {
            str(field.alias): _of(member(bare, str(field.alias)))
            for field in bare.model_fields.values()
            if field.is_required()
        }
    if get_origin(bare) is Literal:
        return get_args(bare)[0]
    likely = [*_TEXTS, 1, 200, True, {}, []]
    if get_origin(bare) in (list, dict):
        entry = _of(member(bare, 0))
        likely = [[], {}, [entry], {_TEXTS[1]: entry}]
    return next((value for value in likely if fits(kind, value)), NOTHING)
