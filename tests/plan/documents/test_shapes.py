"""A value of the wrong shape is answered with what to write, for every field."""

from collections.abc import Iterator
from typing import Any, get_args, get_origin

import pytest
import yaml
from tradewind.model.base import Model
from tradewind.model.crd import KINDS
from tradewind.plan.documents.read import read_partly
from tradewind.plan.documents.reshape import plain, reshaped

VALUES = ["a", "5s", "3", 5, 1.5, True, ["a"], [5], {"name": "a"}, {"x": 3}, [{"name": "a", "value": "b"}], [], {}]


def _models(kind: Any, found: dict[str, type[Model]]) -> dict[str, type[Model]]:
    bare = plain(kind)
    if isinstance(bare, type) and issubclass(bare, Model):
        if bare.__name__ not in found:
            found[bare.__name__] = bare
            for field in bare.model_fields.values():
                _models(field.annotation, found)
    elif get_origin(bare):
        for other in get_args(bare):
            _models(other, found)
    return found


def _fields() -> Iterator[Any]:
    models: dict[str, type[Model]] = {}
    for kind in KINDS:
        _models(kind.model_fields["spec"].annotation, models)
    for name, model in models.items():
        for field in model.model_fields.values():
            yield pytest.param(model, field.alias, id=f"{name}.{field.alias}")


@pytest.mark.parametrize(("model", "field"), [*_fields()])
def test_it_is_told_what_to_write(model: type[Model], field: str) -> None:
    for value in VALUES:
        for problem in read_partly(model, {field: value}, "").problems:
            if not problem.path.startswith(field) or problem.what in ("unknown field", "required"):
                continue
            assert problem.instead and "dictionary" not in str(problem), (value, problem)
            shape = problem.instead.removeprefix("write ")
            if problem.path == field and shape.startswith(("{", "[")) and "..." not in shape:
                again = read_partly(model, {field: yaml.safe_load(shape)}, "").problems
                shapes = [other for other in again if ", not " in other.what and other.path.startswith(field)]
                assert not shapes, (value, problem, shapes)


def test_what_is_proposed_is_short() -> None:
    from tradewind.model.task import Task

    pools = Task.model_fields["pools"].annotation
    assert reshaped(pools, ["a", "b"]) == "[{name: a}, {name: b}]"
    assert reshaped(pools, ["a"] * 9) == reshaped(pools, "a" * 81) == reshaped(pools, [["a" * 40], "b" * 40]) == ""
    assert reshaped(pools, None) == reshaped(pools, [[[["a"]]]]) == ""
