"""Limits the number of runs that descend from one run: its sub-DAGs, theirs, and so on.

Every item of a fan-out can make a call, at each of eight levels: ten thousand to the power of eight. A DAG that runs itself in a fan-out
needs only one line for that.
"""

import contextlib
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping

from tradewind.control.dagrun.run import Run
from tradewind.control.dagrun.state import RunState
from tradewind.plan.dags.local_dags import MOST_DEEP
from tradewind.plan.runs.decision import RunFacts

DESCENDANTS_LIMIT = 20_000
"""Runs that may descend from one run: more than a fan-out makes, less than its square."""
MOST_RECURSIVE = 500
"""The same for a DAG that runs itself, directly or through another."""
TOO_DEEP, TOO_MANY = "SubDAGTooDeep", "SubDAGTooMany"
_Root = tuple[str, str]
"""Namespace and uid of an outermost run."""


class Descendants:
    """Counts existing runs. `states` are the runs that have not ended, by uid; a run does not end before its descendants."""

    def __init__(self, states: Mapping[str, RunState]) -> None:
        self._states = states
        self._of: defaultdict[_Root, set[str]] = defaultdict(set)
        """By root: uids of the runs that descend from it."""
        self._making: Counter[_Root] = Counter()
        """Runs that are being created: a fan-out asks for thousands before the first exists."""

    def seen(self, run: Run, deleted: bool = False) -> None:
        """A run exists or was deleted."""
        if run.root:
            root = (run.namespace, run.root)
            if deleted:
                self._of[root].discard(run.uid)
            else:
                self._of[root].add(run.uid)
            if not self._of[root]:
                del self._of[root]

    def refusal(self, run: RunFacts, dag: str) -> tuple[str, str]:
        """Why a run may not run a DAG: reason and message; empty if it may."""
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
    def reserve(self, run: RunFacts) -> Iterator[None]:
        """Counts a run as being created while the context is open."""
        root = _root(run)
        self._making[root] += 1
        try:
            yield
        finally:
            self._making[root] -= 1
            if not self._making[root]:
                del self._making[root]

    def _line(self, run: RunFacts) -> Iterator[str]:
        """The DAGs of a run and of those that enclose it, the innermost first."""
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
