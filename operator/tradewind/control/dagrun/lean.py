"""Replaces params and edits of runs that hold more values than allowed. A parsed value takes a hundred times the memory of its text, and
users decide how many values a run has. The code that reads params and edits refuses the placeholders. Only the operator writes statuses, so
they are left as they are."""

from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from typing import Any

import msgspec
import orjson

from tradewind.kube.nested import decoded
from tradewind.model.bounded import EDIT_VALUES_LIMIT, PARAM_VALUES_LIMIT, placeholder, values_in, values_written

MANY_PARAMS: Mapping[str, Any] = placeholder(PARAM_VALUES_LIMIT)
"""Replaces params that hold too many values."""
MANY_EDITS: Mapping[str, Any] = placeholder(EDIT_VALUES_LIMIT)
"""Replaces each edit that exceeds the limit together with those before it. Edits are only ever appended, so the result for an edit stays
the same."""
_object = partial(decoded, msgspec.json.Decoder(dict[str, msgspec.Raw]).decode)
_list = partial(decoded, msgspec.json.Decoder(list[msgspec.Raw]).decode)


def lean(raw: bytes) -> bytes:
    """The JSON of a run with excess params and edits replaced, before it is parsed."""
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
    """The params of a parsed run, or their placeholder."""
    return MANY_PARAMS if values_in(given, PARAM_VALUES_LIMIT) > PARAM_VALUES_LIMIT else given


def edits(given: Sequence[Mapping[str, Any]]) -> Sequence[Mapping[str, Any]]:
    """The edits of a parsed run, with excess ones replaced."""
    fits = [*_fitting(values_in(edit, EDIT_VALUES_LIMIT) for edit in given)]
    return given if all(fits) else [edit if fit else MANY_EDITS for edit, fit in zip(given, fits, strict=True)]


def _fitting(sizes: Iterator[int]) -> Iterator[bool]:
    left = EDIT_VALUES_LIMIT
    for size in sizes:
        yield size <= left
        left -= size if size <= left else 0
