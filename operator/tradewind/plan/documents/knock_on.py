"""What is not known of a DAG since some of its fields can't be read."""

import re
from collections.abc import Collection, Iterator, Mapping, Sequence, Set
from functools import cached_property

from tradewind.model.base import DNS_LABEL
from tradewind.model.task import Task
from tradewind.plan import pacing
from tradewind.plan.documents.nearest import nearest
from tradewind.plan.documents.problem import Problem
from tradewind.plan.documents.unread import Unread
from tradewind.plan.documents.wording import foreign

_TASK = re.compile(r"spec\.tasks\.([^.\[]+)(?:[.\[](.*))?")
_NAMED_IN = re.compile(r"(dependsOn|teardown\.of|handles\.of)\[\d+\]|forEach\.itemsOf")
_TYPED = re.compile(
    r"spec\.(?:tasks\.([^.\[]+)\.outputs\.([^.\[]+)(?:\.type)?$|params\.([^.\[]+)|keep\.([^.\[]+)(?:\.type)?$)"
)
KEPT = "kept."
"""Stands for the task of values that a DAG keeps."""
_DEPTH = {"dependsOn": 9, "forEach": 9, "onExit": 9, "sensor": 1, "teardown": 9, "template": 9}
"""How deep in a field what matters to others is."""
_FIELDS = tuple(str(field.alias) for field in Task.model_fields.values())
_NO_WORD = re.compile(r"\W")
_ORDER = frozenset(("dependsOn", "handles", "onExit", "teardown", "template"))
"""Fields of a task that decide which tasks are upstream of it."""
_NAMES = frozenset(("forEach", "handles", "loop", "onExit", "sensor", "template"))
"""Fields that decide which other names its expressions may use."""
_SHAPE = frozenset(("forEach", "handles", "template"))
"""Fields that decide whether it has items."""
_OUTPUTS = frozenset(("approval", "artifacts", "compute", "dag", "http", "outputs", "sensor", "template"))
"""Fields that decide which outputs it has."""


class UnreadOfDAG(Unread):
    """The fields of a DAG that can't be read."""

    def _places(self, path: str) -> Iterator[str]:
        """A task has the fields of spec.defaults too."""
        yield path
        if (match := _TASK.match(path)) and match[2]:
            yield f"spec.defaults.{match[2]}"

    @cached_property
    def vague(self) -> frozenset[str]:
        """Tasks that may have other outputs than those that could be read."""
        return self._tasks(_OUTPUTS)

    @cached_property
    def unordered(self) -> frozenset[str]:
        """Tasks that may be downstream of others than those that could be read."""
        return self._tasks(_ORDER)

    @cached_property
    def astray(self) -> frozenset[str]:
        """Tasks whose expressions may use other names than those that are known, apart from those of tasks."""
        return self._tasks(_NAMES)

    @cached_property
    def shapeless(self) -> frozenset[str]:
        """Tasks that may have items, or none."""
        return self._tasks(_SHAPE)

    @cached_property
    def murky(self) -> frozenset[tuple[str, str]]:
        """Outputs of tasks and values of KEPT whose type could not be read, and params, of "", of which anything could not."""
        matches = (match for path in pacing.each(self.all) if (match := _TYPED.match(path)))
        kinds = ((match[1] or (KEPT if match[4] else ""), match[2] or match[3] or match[4]) for match in matches)
        return frozenset(kinds)

    def _tasks(self, fields: Set[str]) -> frozenset[str]:
        """Tasks of which one of these fields may not have been read."""
        return frozenset(
            task for task, missed in self._missed.items() if not fields.isdisjoint(missed) or not all(missed)
        )

    @cached_property
    def _missed(self) -> Mapping[str, Set[str]]:
        """By task, the fields that were not read as far as others depend on them; an empty one stands for any."""
        found: dict[str, set[str]] = {}
        guesses: dict[str, set[str]] = {}
        for path in pacing.each(self.paths):
            if match := _TASK.match(path):
                field, *deeper = re.split(r"[.\[]", match[2] or "")
                if not deeper or len(deeper) <= _DEPTH.get(field, 0):
                    if field not in guesses:
                        guesses[field] = _words(field)
                    found.setdefault(match[1], set()).update(guesses[field])
        return found


def _words(field: str) -> set[str]:
    """The fields that are, or may be, meant; an empty one if none is known."""
    meant = field if field in _FIELDS else foreign(Task, field) or nearest(field, _FIELDS)
    return {word for word in _NO_WORD.split(meant) if word in _FIELDS} if meant else {""}


def without_refused_names(read: Sequence[Problem], tasks: Mapping[str, Task]) -> list[Problem]:
    """The problems except those of references to tasks whose names are refused at their definition."""
    names = {name for name in tasks if not re.fullmatch(DNS_LABEL, name)}
    return [problem for problem in pacing.each(read) if not _names(problem, names)] if names else [*read]


def _names(problem: Problem, names: Collection[str]) -> bool:
    match = _TASK.fullmatch(problem.path)
    return bool(
        match and match[2] and _NAMED_IN.fullmatch(match[2]) and any(repr(name) in problem.what for name in names)
    )
