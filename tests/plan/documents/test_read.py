"""Documents are read as far as possible, within bounds."""

from typing import Any

import pytest
from tradewind.control.dags.validation import review
from tradewind.model.task import Task
from tradewind.model.trigger import TriggerSpec
from tradewind.plan.documents.read import MOST_UNREAD, read_partly


def test_entries_keep_their_places_and_names() -> None:
    found = read_partly(Task, {"dependsOn": ["a", 5, "b"], "env": {"A": "x", "B": 5}, "image": 5})
    assert found.value and found.value.depends_on[::2] == ["a", "b"] and found.value.env.keys() == {"A", "B"}
    assert {*found.unread} == {"spec.dependsOn[1]", "spec.env.B", "spec.image"}
    assert not found.value.image


def test_what_is_required_has_a_stand_in() -> None:
    found = read_partly(TriggerSpec, {"completed": {"dags": [{"when": "true"}]}})
    assert found.value and found.value.completed and found.value.completed.dags[0].when == "true"
    assert {*found.unread} == {"spec.dag", "spec.completed.dags[0].name"}


def test_an_unknown_field_may_be_meant_for_one_that_is_not_there() -> None:
    found = read_partly(TriggerSpec, {"dag": "d", "shedule": {}, "suspend": True, "suspended": True})
    assert found.meant == ["spec.schedule"]
    [*others] = read_partly(TriggerSpec, {"dag": "d", "zzqq": 1}).meant
    assert "spec.schedule" in others and "spec.dag" not in others


def test_the_rest_is_judged_only_while_mistakes_are_few(monkeypatch: pytest.MonkeyPatch) -> None:
    calls = []
    validate = Task.model_validate

    def counted(*given: Any, **more: Any) -> Task:
        calls.append(1)
        return validate(*given, **more)

    monkeypatch.setattr(Task, "model_validate", counted)
    size = 3 * MOST_UNREAD
    found = review("DAG", {"tasks": {f"t{at}": {"image": "x", "zzqq": at} for at in range(size)}})
    assert len(found.problems) > 100 and size < len(calls) <= size + MOST_UNREAD + 1
    assert read_partly(Task, {f"zz{at}": 1 for at in range(MOST_UNREAD + 1)}).value is None
