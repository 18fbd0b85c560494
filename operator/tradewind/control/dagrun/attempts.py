"""The attempts of a run that have ended: what its status says of them, and what is news to it."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
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
    """Raises ValueError for a status that can't be read."""

    def __init__(self, run: Run) -> None:
        self.recorded: set[AttemptKey] = set()
        """Ended attempts that are in the run's status."""
        self.ended: dict[str, list[Attempt]] = {}
        """Attempts that have ended, by task or item, in order; in the status or not."""
        self.cleared: dict[str, int] = {}
        """By task or item, the last attempt that doesn't count any more."""
        self.fixed: dict[str, Fixed] = {}
        """How tasks and items have ended, whatever their attempts say."""
        self.news: dict[AttemptKey, Ended] = {}
        """Ended attempts that are not in the status yet."""
        self.told: set[str] = set()
        """Tasks and items that failed without an attempt, and of which the status has said so."""
        self._outputs_size = 0
        self._ready: dict[str, int] = {}
        """When (epoch seconds) the last dependency of a task ended, once all have. It is the same for all items of a fan-out."""
        self._saving: tuple[Packed, Sequence[AttemptKey]] | None = None
        """The attempts of a status that is on its way to the API server, and which of them are news."""
        self.read(run)

    def read(self, run: Run) -> None:
        """Begins anew with what the status says: what was news is told anew, if it is news still."""
        status, self._saving = run.status, None
        for name in ("outputs", "params"):
            if not isinstance(status.get(name) or {}, Mapping):
                raise ValueError(f"status.{name} has to be an object")
        attempts, self.cleared, self.fixed = decode(run.packed, run.created)
        self.recorded = {(attempt.task, attempt.number) for attempt in attempts}
        self.ended = {}
        for attempt in attempts:
            self.ended.setdefault(attempt.task, []).append(attempt)
        for numbered in self.ended.values():
            numbered.sort(key=lambda attempt: attempt.number)
        self.news = {}
        self.told = {item["task"] for item in status.get("failures") or [] if not item["attempt"]}
        outputs = checked(status.get("outputs") or {}, name="status.outputs")
        checked(status.get("params") or {}, name="status.params")
        self._outputs_size = sum(len(orjson.dumps(value)) for value in outputs.values())

    # What there is.

    def known(self, key: AttemptKey) -> bool:
        """Whether an attempt is known to have ended."""
        return key in self.recorded or key in self.news

    def last(self, name: str) -> int:
        """The number of the last attempt of a task or item that ended; 0 for none."""
        numbered = self.ended.get(name)
        return numbered[-1].number if numbered else 0

    def counting(self, name: str) -> list[Attempt]:
        """The attempts of a task or item that count."""
        after, attempts = self.cleared.get(name), self.ended.get(name, [])
        return attempts if after is None else [attempt for attempt in attempts if attempt.number > after]

    def superseded(self, attempt: Attempt) -> bool:
        """Whether a later one has succeeded: pods of a loop can be seen in any order."""
        return any(item.succeeded and item.number > attempt.number for item in self.ended.get(attempt.task, ()))

    def unrecorded(self, starts: Iterable[Start]) -> bool:
        """Whether one that would start comes after one whose end is news."""
        return bool(self.news) and any((start.key, start.number - 1) in self.news for start in starts)

    def ends(self) -> list[tuple[AttemptKey, Ended]]:
        """What is news, in the order of a status. Within a second, which is all that API timestamps tell, as their ends were seen."""
        return sorted(self.news.items(), key=lambda item: (item[1].attempt.end, item[1].attempt.start))

    def ready_at(self, planner: Planner, attempt: Attempt) -> int | None:
        """When (epoch seconds) the last dependency of a first attempt ended; None where that is not plain."""
        name = parse_key(attempt.task)[0]
        task = planner.definition.tasks[name]
        dependencies = planner.definition.graph.upstream[name]
        if attempt.number != 1 or not dependencies or (task.for_each and task.for_each.items_of):
            return None
        if name not in self._ready:
            ends = [self._ended_at(planner, other) for other in dependencies]
            if None in ends:
                return None
            self._ready[name] = max(end for end in ends if end is not None)
        return self._ready[name]

    def _ended_at(self, planner: Planner, task: str) -> int | None:
        """When the last attempt of a task, or of its items, ended; None when one has none."""
        ends = [self.ended[unit.key][-1].end for unit in planner.ledger.members(task) if unit.key in self.ended]
        return max(ends) if ends and len(ends) == len(planner.ledger.members(task)) else None

    # What comes of them.

    def end(self, end: Ended, before: Mapping[str, Any] | None) -> Ended:
        """Takes note of an end, and gives it as it counts: it is a failure when its outputs are more than the run can hold. `before` are
        the outputs of the iteration before, which go."""
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
        words = (
            f"with these outputs the run would hold more than {OUTPUTS_LIMIT // 1024} KiB of them: write big results to a volume or an "
            "object store and put only their path, size and checksum into $TRADEWIND_OUTPUTS"
        )
        failed = Attempt(attempt.task, attempt.number, attempt.start, attempt.end, "OutputTooLarge", None, attempt.node)
        return Ended(failed, words)

    # What becomes of the status.

    @contextmanager
    def saving(self, packed: Packed, news: Sequence[AttemptKey]) -> Iterator[None]:
        """A status with these attempts is on its way to the API server; these were news."""
        self._saving = packed, news
        try:
            yield
        finally:
            self._saving = None

    def saved(self, run: Run) -> Sequence[AttemptKey] | None:
        """What was news and is in the status of a run now, if that is the one that was on its way."""
        if self._saving is None or run.packed != self._saving[0]:
            return None
        news, self._saving = self._saving[1], None
        for key in news:
            self.recorded.add(key)
            self.news.pop(key, None)
        return news

    def tell(self, refused: Iterable[Mapping[str, Any]]) -> None:
        """The status says of these that they failed without an attempt."""
        self.told.update(item["task"] for item in refused)
