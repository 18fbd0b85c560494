"""Params and edits of runs that hold more values than any needs: kept, each value takes a hundred times the memory of its text, and whoever
creates or edits a run decides how many there are. What is in their place is refused by those who read it. Statuses are the operator's own."""

from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from typing import Any

import msgspec
import orjson

from tradewind.kube.nested import decoded
from tradewind.model.bounded import EDIT_VALUES_LIMIT, PARAM_VALUES_LIMIT, placeholder, values_in, values_written

MANY_PARAMS: Mapping[str, Any] = placeholder(PARAM_VALUES_LIMIT)
"""Stands for the params."""
MANY_EDITS: Mapping[str, Any] = placeholder(EDIT_VALUES_LIMIT)
"""Stands for each edit that is too much with those before it: edits are only ever added, so what an edit is stays so."""
_object = partial(decoded, msgspec.json.Decoder(dict[str, msgspec.Raw]).decode)
_list = partial(decoded, msgspec.json.Decoder(list[msgspec.Raw]).decode)


def lean(raw: bytes) -> bytes:
    """A run as JSON, before it is parsed."""
    if raw.count(b",") + raw.count(b"[") + raw.count(b"{") <= PARAM_VALUES_LIMIT // 2:
        return raw
    run = _object(raw)
    spec = _object(run.get("spec", b"{}"))
    if "params" in spec and values_written(bytes(spec["params"])) > PARAM_VALUES_LIMIT:
        spec["params"] = msgspec.Raw(orjson.dumps(MANY_PARAMS))
    if "edits" in spec:
        given = _list(spec["edits"])
        fits = _fitting(values_written(bytes(edit)) for edit in given)
        few = [edit if fit else MANY_EDITS for edit, fit in zip(given, fits, strict=True)]
        spec["edits"] = msgspec.Raw(msgspec.json.encode(few))
    return msgspec.json.encode({**run, "spec": spec})


def params(given: Mapping[str, Any]) -> Mapping[str, Any]:
    """The params of a run that is parsed."""
    return MANY_PARAMS if values_in(given, PARAM_VALUES_LIMIT) > PARAM_VALUES_LIMIT else given


def edits(given: Sequence[Mapping[str, Any]]) -> Sequence[Mapping[str, Any]]:
    """The edits of one."""
    fits = [*_fitting(values_in(edit, EDIT_VALUES_LIMIT) for edit in given)]
    return given if all(fits) else [edit if fit else MANY_EDITS for edit, fit in zip(given, fits, strict=True)]


def _fitting(sizes: Iterator[int]) -> Iterator[bool]:
    left = EDIT_VALUES_LIMIT
    for size in sizes:
        yield size <= left
        left -= size if size <= left else 0
