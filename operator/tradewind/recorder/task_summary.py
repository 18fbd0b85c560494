"""One row a task, from the lines of ended attempts: a fan-out of ten thousand items is one row, and its items are in the detail."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from tradewind.control.dagrun.attempt_log import Packed, each_entry
from tradewind.plan.outcomes.attempt import LOST, SKIPS, STOPPED, Attempt, Cleared, Fixed, parse_key
from tradewind.plan.outcomes.state import BAD, State

UNPACKED = 32 * 2**20
"""Bytes to which the lines of a run may unpack. Ten thousand tasks with ten attempts each are a tenth of it."""
TASKS, ITEMS = 10_000, 100_000
"""Tasks and items of a run that are summed. Beyond that a status was not written by Tradewind, and the rest is left out."""
NAME = 75
"""Characters of a task's name."""
_ORDER = (State.FAILED, State.LOST, State.UPSTREAM_FAILED, State.CANCELLED, State.SUCCEEDED, State.SKIPPED)
"""The state of a fan-out is the first of these that an item has."""


class TaskRow(NamedTuple):
    """A task of a run that has ended, or its items summed. Times are epoch milliseconds, durations seconds."""

    task: str
    state: str
    """Of a fan-out: the worst state of its items."""
    items: int
    """1 for a task that is no fan-out."""
    failed_items: int
    attempts: int
    losses: int
    """Attempts that the infrastructure lost."""
    start: int | None
    """When the first attempt began; None if only its state is on record."""
    seconds: int
    """Of all attempts together."""
    longest: int
    """Of the longest attempt."""
    reason: str
    """Of the latest attempt that did not succeed; empty for a task that succeeded."""
    exit_code: int | None


@dataclass(slots=True)
class _Task:
    states: dict[int | None, tuple[int, State]] = field(default_factory=dict)
    """By item: the number of its latest attempt that counts, and the state after it."""
    fixed: dict[int | None, State] = field(default_factory=dict)
    attempts: int = 0
    losses: int = 0
    start: int | None = None
    seconds: int = 0
    longest: int = 0
    last: tuple[int, str, int | None] = (0, "", None)
    """Of the latest attempt that did not succeed: its end, reason and exit code."""


def summarized(text: str, archive: str, nodes: tuple[str, ...], epoch: int) -> Sequence[TaskRow]:
    """The rows, in the order in which the tasks first ended. `epoch` is the run's creation in epoch seconds. Raises ValueError for lines
    that Tradewind did not write."""
    found: dict[str, _Task] = {}
    items = 0
    for entry in each_entry(Packed(text, archive, nodes), epoch, UNPACKED):
        name, index = parse_key(entry.task if isinstance(entry, Attempt) else entry.key)
        task = found.get(name)
        if task is None:
            if len(found) == TASKS:
                continue
            task = found[name] = _Task()
        if index not in task.states and index not in task.fixed:
            items += 1
            if items > ITEMS:
                continue
        match entry:
            case Attempt():
                _take(task, index, entry)
            case Cleared():
                for key in [index] if index is not None else [*task.states, *task.fixed]:
                    task.fixed.pop(key, None)
                    if key in task.states and task.states[key][0] <= entry.number:
                        del task.states[key]
            case Fixed():
                task.fixed[index] = entry.state
    return [_row(name[:NAME], task) for name, task in found.items()]


def _take(task: _Task, index: int | None, attempt: Attempt) -> None:
    took = max(0, attempt.end - attempt.start)
    task.attempts += 1
    task.losses += attempt.reason in LOST
    task.start = attempt.start if task.start is None else min(task.start, attempt.start)
    task.seconds += took
    task.longest = max(task.longest, took)
    if task.states.get(index, (0, None))[0] <= attempt.number:
        task.states[index] = attempt.number, _state(attempt.reason)
    if attempt.reason and attempt.end >= task.last[0]:
        task.last = attempt.end, attempt.reason, attempt.exit_code


def _state(reason: str) -> State:
    if not reason:
        return State.SUCCEEDED
    if reason in SKIPS:
        return State.SKIPPED
    if reason in STOPPED:
        return State.CANCELLED
    return State.LOST if reason in LOST else State.FAILED


def _row(name: str, task: _Task) -> TaskRow:
    ends = {index: state for index, (_, state) in task.states.items()} | task.fixed
    if len(ends) > 1 and None in ends:
        ends.pop(None)  # The fan-out itself, set by hand: its items say more.
    counts = Counter(ends.values())
    state = next((state for state in _ORDER if counts[state]), State.CANCELLED)
    _, reason, code = task.last if state is not State.SUCCEEDED else (0, "", None)
    bad = sum(counts[state] for state in BAD)
    start = None if task.start is None else _bounded(task.start * 1_000)
    return TaskRow(
        name,
        state,
        max(1, len(ends)),
        bad,
        task.attempts,
        task.losses,
        start,
        _bounded(task.seconds),
        _bounded(task.longest),
        reason[:NAME],
        None if code is None else _bounded(code),
    )


def _bounded(number: int) -> int:
    """A number that fits into a column."""
    return max(-(2**53), min(number, 2**53))
