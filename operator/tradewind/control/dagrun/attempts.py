"""The ended attempts of a run: those in its status, and those that the status does not list yet."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import orjson

from tradewind.control.dagrun.attempt_log import Packed, decode
from tradewind.control.dagrun.run import Run
from tradewind.control.pods.observation import Ended
from tradewind.model.bounded import checked
from tradewind.plan.outcomes.attempt import Attempt, AttemptKey, Fixed, parse_key
from tradewind.plan.runs.decision import Start
from tradewind.plan.runs.outputs import OUTPUTS_LIMIT
from tradewind.plan.runs.planner import Planner


class Attempts:
    """Ended attempts of a run. Raises ValueError for a status that can't be read."""

    def __init__(self, run: Run) -> None:
        self.recorded: set[AttemptKey] = set()
        """Ended attempts that are in the run's status."""
        self.ended: dict[str, list[Attempt]] = {}
        """Ended attempts by task or item, in order, whether or not the status lists them."""
        self.cleared: dict[str, int] = {}
        """By task or item: the last attempt that no longer counts."""
        self.fixed: dict[str, Fixed] = {}
        """How tasks and items ended, whatever their attempts say."""
        self.retried: dict[str, int] = {}
        """By task or item: the last attempt before its latest retry by a person."""
        self.news: dict[AttemptKey, Ended] = {}
        """Ended attempts that are not in the status yet."""
        self.reported: set[str] = set()
        """Tasks and items that failed without an attempt and that the status already lists."""
        self._outputs_size = 0
        self._ready: dict[str, int] = {}
        """When (epoch seconds) the last dependency of a task ended, once all have. It is the same for all items of a fan-out."""
        self._saving: tuple[Packed, Sequence[AttemptKey]] | None = None
        """The attempts of a status that is being written, and which of them are news."""
        self.read(run)

    def read(self, run: Run) -> None:
        """Starts over from the status of `run`. Unrecorded ends are observed again if they still apply."""
        status, self._saving = run.status, None
        for name in ("outputs", "params"):
            if not isinstance(status.get(name) or {}, Mapping):
                raise ValueError(f"status.{name} has to be an object")
        attempts, self.cleared, self.fixed, self.retried = decode(run.packed, run.created)
        self.recorded = {(attempt.task, attempt.number) for attempt in attempts}
        self.ended = {}
        for attempt in attempts:
            self.ended.setdefault(attempt.task, []).append(attempt)
        for numbered in self.ended.values():
            numbered.sort(key=lambda attempt: attempt.number)
        self.news = {}
        self.reported = {item["task"] for item in status.get("failures") or [] if not item["attempt"]}
        outputs = checked(status.get("outputs") or {}, name="status.outputs")
        checked(status.get("params") or {}, name="status.params")
        self._outputs_size = sum(len(orjson.dumps(value)) for value in outputs.values())

    def known(self, key: AttemptKey) -> bool:
        """Whether an attempt is known to have ended."""
        return key in self.recorded or key in self.news

    def last(self, name: str) -> int:
        """The number of the last ended attempt of a task or item; 0 for none."""
        numbered = self.ended.get(name)
        return numbered[-1].number if numbered else 0

    def counting(self, name: str) -> list[Attempt]:
        """The attempts of a task or item that count."""
        after, attempts = self.cleared.get(name), self.ended.get(name, [])
        return attempts if after is None else [attempt for attempt in attempts if attempt.number > after]

    def superseded(self, attempt: Attempt) -> bool:
        """Whether a later attempt has succeeded: the pods of a loop can be seen in any order."""
        return any(item.succeeded and item.number > attempt.number for item in self.ended.get(attempt.task, ()))

    def unrecorded(self, starts: Iterable[Start]) -> bool:
        """Whether one of `starts` follows an attempt whose end is not in the status yet."""
        return bool(self.news) and any((start.key, start.number - 1) in self.news for start in starts)

    def ends(self) -> list[tuple[AttemptKey, Ended]]:
        """The news, in the order of the status: by end, which API timestamps give in seconds, then by start."""
        return sorted(self.news.items(), key=lambda item: (item[1].attempt.end, item[1].attempt.start))

    def ready_at(self, planner: Planner, attempt: Attempt) -> int | None:
        """When (epoch seconds) the last dependency of a first attempt ended; None where that is ambiguous."""
        name = parse_key(attempt.task)[0]
        task = planner.definition.tasks[name]
        dependencies = planner.definition.graph.upstream[name]
        if attempt.number != 1 or not dependencies or task.handles or (task.for_each and task.for_each.items_of):
            return None
        if name not in self._ready:
            ends = [self._ended_at(planner, other) for other in dependencies]
            if None in ends:
                return None
            self._ready[name] = max(end for end in ends if end is not None)
        return self._ready[name]

    def _ended_at(self, planner: Planner, task: str) -> int | None:
        """When the last attempt of a task or its items ended; None if a unit has no ended attempt."""
        ends = [self.ended[unit.key][-1].end for unit in planner.ledger.members(task) if unit.key in self.ended]
        return max(ends) if ends and len(ends) == len(planner.ledger.members(task)) else None

    def end(self, end: Ended, before: Mapping[str, Any] | None) -> Ended:
        """Records an end and returns it as it counts: as a failure if its outputs exceed what the run can hold. `before` are the outputs of
        the previous iteration, which these replace."""
        end = self._within_limit(end, before)
        attempt = end.attempt
        self.news[attempt.task, attempt.number] = end
        attempts = self.ended.setdefault(attempt.task, [])
        attempts.append(attempt)
        attempts.sort(key=lambda item: item.number)
        return end

    def _within_limit(self, end: Ended, before: Mapping[str, Any] | None) -> Ended:
        if not end.outputs:
            return end
        size = len(orjson.dumps(end.outputs)) - (len(orjson.dumps(before)) if before else 0)
        if self._outputs_size + size <= OUTPUTS_LIMIT:
            self._outputs_size += size
            return end
        attempt = end.attempt
        if not attempt.succeeded:
            return replace(end, outputs={})
        words = (
            f"with these outputs the run would hold more than {OUTPUTS_LIMIT // 1024} KiB of them: write big results to a volume or an "
            "object store and put only their path, size and checksum into $TRADEWIND_OUTPUTS"
        )
        failed = Attempt(attempt.task, attempt.number, attempt.start, attempt.end, "OutputTooLarge", None, attempt.node)
        return Ended(failed, words)

    @contextmanager
    def saving(self, packed: Packed, news: Sequence[AttemptKey]) -> Iterator[None]:
        """Marks a status with these attempts as being written; `news` are the attempts that it lists for the first time."""
        self._saving = packed, news
        try:
            yield
        finally:
            self._saving = None

    def confirm_saved(self, run: Run) -> Sequence[AttemptKey] | None:
        """If `run` has the attempts that were being written, marks the news among them as recorded and returns them. The rest of `run` may
        have been changed by others."""
        if self._saving is None or run.packed != self._saving[0]:
            return None
        news, self._saving = self._saving[1], None
        for key in news:
            self.recorded.add(key)
            self.news.pop(key, None)
        return news

    def mark_reported(self, refused: Iterable[Mapping[str, Any]]) -> None:
        """Notes that the status lists these failures without an attempt."""
        self.reported.update(item["task"] for item in refused)
