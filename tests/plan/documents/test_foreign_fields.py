"""Hints about fields of other products name fields that there are."""

import re
from collections.abc import Iterator
from typing import Any

import pytest
from tradewind.model.dag import DAGSpec
from tradewind.model.retries import Retries
from tradewind.model.task import ScriptSource, Task
from tradewind.model.trigger import Schedule, TriggerSpec
from tradewind.plan.documents.foreign_fields import FOREIGN

MODELS: dict[str, Any] = {
    model.__name__: model for model in (DAGSpec, Retries, ScriptSource, Task, Schedule, TriggerSpec)
}


def _fields(model: Any) -> set[str]:
    return {field.alias or name for name, field in model.model_fields.items()}


def _hints() -> Iterator[Any]:
    for kind, hints in FOREIGN.items():
        for theirs, words in hints.items():
            for ours in re.findall(r"(?:^|, or |\bwrite )(?:write )?([a-z][A-Za-z]*)(?=:|$| (?:true|false)\b)", words):
                yield pytest.param(kind, theirs, ours, id=f"{kind}-{theirs}-{ours}")


@pytest.mark.parametrize(("kind", "theirs", "ours"), [*_hints()])
def test_a_hint_names_a_field_that_there_is(kind: str, theirs: str, ours: str) -> None:
    elsewhere = {"metadata", *_fields(DAGSpec), *_fields(Task), *_fields(TriggerSpec), *_fields(Schedule)}
    assert ours in (_fields(MODELS[kind]) if kind in ("Retries", "ScriptSource") else elsewhere)


@pytest.mark.parametrize("kind", [kind for kind in FOREIGN if kind in MODELS])
def test_no_hint_is_about_a_field_that_there_is(kind: str) -> None:
    assert not _fields(MODELS[kind]) & FOREIGN[kind].keys()
