"""All tasks of a run as columns: ten thousand of them are a hundred kilobytes, and one array for each thing to show."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from tradewind.control.dagrun.state import RunState
from tradewind.kube.pod import Pod
from tradewind.look.critical_path import path_of
from tradewind.look.run_rows import Row, rows
from tradewind.look.tasks.segments import CAUSES, Segments, Waits
from tradewind.look.tasks.shape import Shape, shape
from tradewind.look.waiting.reason import Cause, Wait
from tradewind.look.waiting.task_waits import waits
from tradewind.model.shown import counted
from tradewind.plan import pacing
from tradewind.plan.outcomes.attempt import LOST, parse_key
from tradewind.plan.outcomes.state import FINAL, State

STATES = [str(state) for state in State]
WORDS = 300
"""Characters of a reason."""
MANY = 500
"""Waiting rows from which the sentences of blocked ones are short."""
OPEN = -1
"""The end of an attempt that runs."""
NONE = -1


@dataclass(slots=True)
class Columns:
    """A row per task, followed by its items. Times are epoch seconds; `bars` and `waits` are flat lists of pairs by row."""

    shape: Shape
    epoch: int
    key: list[str] = field(default_factory=list)
    task: list[int] = field(default_factory=list)
    item: list[int] = field(default_factory=list)
    label: dict[str, str] = field(default_factory=dict)
    state: list[int] = field(default_factory=list)
    start: list[int | None] = field(default_factory=list)
    end: list[int | None] = field(default_factory=list)
    attempts: list[int] = field(default_factory=list)
    losses: list[int] = field(default_factory=list)
    bars: list[list[int]] = field(default_factory=list)
    whys: list[str] = field(default_factory=list)
    why: list[int] = field(default_factory=list)
    waits: list[list[int]] = field(default_factory=list)
    since: list[int | None] = field(default_factory=list)
    critical: list[int] = field(default_factory=list)


def columns(view: RunState, pods: Mapping[str, Pod], now: float) -> Columns:
    """The columns of a run that has begun. `now` is epoch seconds."""
    return _Maker(view, pods, now).made()


class _Maker:
    def __init__(self, view: RunState, pods: Mapping[str, Pod], now: float) -> None:
        planner = view.planner
        assert planner is not None  # noqa: S101 - the picture of a run that has begun
        self.view, self.planner, self.now = view, planner, now
        self.waiting: Mapping[str, Wait] = (
            {} if view.run.final else {wait.task: wait for wait in pacing.each(waits(view, now))}
        )
        self.times = Waits(view, pods)
        self.found = Columns(shape(planner.definition), view.run.created)
        self.places = {name: place for place, name in enumerate(self.found.shape.names)}
        self.states = {State(name): place for place, name in enumerate(STATES)}
        self.causes = {cause: place for place, cause in enumerate(CAUSES)}
        self.words: dict[str, int] = {}
        self.many = len(self.waiting) > MANY

    def made(self) -> Columns:
        for row in pacing.each(rows(self.view)):
            self._add(row)
        at = {key: place for place, key in enumerate(self.found.key)}
        path = pacing.each(path_of(self.view, self.now))
        self.found.critical = [at[step.task] for step in path if step.task in at]
        self._sum_up()
        return self.found

    def _add(self, row: Row) -> None:
        found = self.found
        name, index = parse_key(row.task)
        if row.item:
            found.label[str(len(found.key))] = row.item
        found.key.append(row.task)
        found.task.append(self.places[name])
        found.item.append(NONE if index is None else index)
        found.state.append(self.states[row.state])
        wait = self.waiting.get(row.task)
        unit = self.planner.ledger.units.get(row.task)
        group = name in self.planner.ledger.groups and index is None
        segments = Segments(()) if unit is None or group else self.times.of(unit, wait)
        bars = [second for attempt in row.attempts for second in (attempt.start, attempt.end)]
        decided = self.found.shape.kinds[self.places[name]] == "approval"
        running = wait is not None and wait.cause is Cause.RUNNING and wait.since is not None
        if wait is not None and running:
            bars += [int(wait.since or 0), OPEN]
        first = bars[0] if bars else None
        if decided:
            bars = [second for attempt in row.attempts for second in (attempt.end, attempt.end)]
        found.bars.append([second if second == OPEN else second - found.epoch for second in bars])
        found.start.append(first)
        found.end.append(row.attempts[-1].end if row.attempts and row.state in FINAL else None)
        found.attempts.append(len(row.attempts) + running)
        found.losses.append(sum(attempt.reason in LOST for attempt in row.attempts))
        words = self._words(name, wait) or row.message
        found.why.append(self._word(words))
        pairs = []
        for place, parts in enumerate(segments.before):
            pairs += [(self.causes[part.cause], part.seconds) for part in parts]
            if decided and place < len(row.attempts):  # all of it was waiting for a person
                attempt = row.attempts[place]
                pairs.append((self.causes[Cause.PERSON], attempt.end - attempt.start))
        if segments.last:
            pairs.append((self.causes[segments.last], 0))
        found.waits.append([number for pair in pairs for number in pair])
        found.since.append(None if segments.since is None else int(segments.since))

    def _words(self, name: str, wait: Wait | None) -> str:
        """What a row waits for. Of many rows, what blocked ones depend on is only counted: a sentence for each would be most of
        the answer, and the edges say it."""
        if wait is None:
            return ""
        if wait.reason != "Blocked" or not self.many:
            return wait.words(self.now)
        states = self.planner.ledger.states
        above = self.planner.definition.graph.upstream[name]
        count = sum(states[other] not in FINAL for other in above)
        return f"waits for {counted(count, 'dependency', 'dependencies')}" if count else wait.words(self.now)

    def _word(self, words: str) -> int:
        first = words.partition("\n")[0][:WORDS]
        if not first:
            return NONE
        if first not in self.words:
            self.words[first] = len(self.found.whys)
            self.found.whys.append(first)
        return self.words[first]

    def _sum_up(self) -> None:
        """Gives a fan-out the times of its items."""
        found, first = self.found, {}
        for place in pacing.each(range(len(found.key))):
            if found.item[place] == NONE:
                first[found.task[place]] = place
                continue
            whole = first.get(found.task[place])
            if whole is None:
                continue
            start, end = found.start[place], found.end[place]
            if start is not None:
                found.start[whole] = min(start, found.start[whole] or start)
            if end is not None and found.state[whole] in self._ended:
                found.end[whole] = max(end, found.end[whole] or end)

    @property
    def _ended(self) -> frozenset[int]:
        return frozenset(self.states[state] for state in FINAL)
