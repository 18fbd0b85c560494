"""How many runs came of one run: its sub-DAGs, theirs, and so on. What bounds them.

A call may be made by every item of a fan-out, at each of eight levels: ten thousand to the power of eight. And a DAG that runs itself in
a fan-out needs no more than one line to get there.
"""

import contextlib
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping

from tradewind.control.dagrun.run import Run
from tradewind.control.dagrun.state import RunState
from tradewind.plan.runs.decision import RunFacts

MOST_DEEP = 8
"""Runs within runs."""
DESCENDANTS_LIMIT = 20_000
"""Runs that may come of one run: more than a fan-out makes, less than its square."""
MOST_RECURSIVE = 500
"""The same, once a DAG runs itself, by itself or by another one."""
TOO_DEEP, TOO_MANY = "SubDAGTooDeep", "SubDAGTooMany"
_Root = tuple[str, str]
"""Namespace and uid of a run that is a part of none."""


class Descendants:
    """Counts what is stored. `states` are the runs that have not ended, by uid: a run has not while its descendants go on."""

    def __init__(self, states: Mapping[str, RunState]) -> None:
        self._states = states
        self._of: defaultdict[_Root, set[str]] = defaultdict(set)
        """Uids of the runs that came of one."""
        self._making: Counter[_Root] = Counter()
        """Runs that are being made: a fan-out asks for thousands before the first one is there."""

    def seen(self, run: Run, deleted: bool = False) -> None:
        """A run is there, or is gone."""
        if run.root:
            root = (run.namespace, run.root)
            if deleted:
                self._of[root].discard(run.uid)
            else:
                self._of[root].add(run.uid)
            if not self._of[root]:
                del self._of[root]

    def refusal(self, run: RunFacts, dag: str) -> tuple[str, str]:
        """Why a run may not run a DAG as a part of it: reason and message; empty where it may."""
        if run.depth >= MOST_DEEP:
            words = f"this would be the {MOST_DEEP + 1}th run within a run: at most {MOST_DEEP} are allowed. Does {dag} run itself?"
            return TOO_DEEP, words
        root = _root(run)
        count = len(self._of.get(root, ())) + self._making[root]
        if count >= MOST_RECURSIVE and dag in self._line(run):
            words = f"{dag} runs itself, and {count} runs have come of one: at most {MOST_RECURSIVE} may. Make it call itself in fewer places, or end sooner (when)."
            return TOO_MANY, words
        if count >= DESCENDANTS_LIMIT:
            return TOO_MANY, f"{count} runs have come of one run by sub-DAGs: at most {DESCENDANTS_LIMIT} may"
        return "", ""

    @contextlib.contextmanager
    def making(self, run: RunFacts) -> Iterator[None]:
        """While a run makes one that is a part of it."""
        root = _root(run)
        self._making[root] += 1
        try:
            yield
        finally:
            self._making[root] -= 1
            if not self._making[root]:
                del self._making[root]

    def _line(self, run: RunFacts) -> Iterator[str]:
        """The DAGs of a run and of those that it is a part of, from the innermost on."""
        yield run.dag
        state = self._states.get(run.uid)
        for _ in range(run.depth):
            caller = state.run.caller if state else None
            state = self._states.get(caller.uid) if caller else None
            if state is None:
                return
            yield state.run.dag


def _root(run: RunFacts) -> _Root:
    return run.namespace, run.root or run.uid
