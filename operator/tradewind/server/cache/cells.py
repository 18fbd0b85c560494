"""The states of the tasks of ended runs."""

from collections import OrderedDict
from collections.abc import Mapping

from tradewind.control.dagrun.run import Run
from tradewind.plan.outcomes.state import State

CELLS = 2_000
"""Ended runs whose states are remembered."""


class Cells:
    """The states of tasks of ended runs, which never change."""

    def __init__(self) -> None:
        self._known: OrderedDict[tuple[str, int], Mapping[str, tuple[State, int]]] = OrderedDict()

    def of(self, uid: str, version: int) -> Mapping[str, tuple[State, int]] | None:
        """The states and numbers of failed items by task, if they are known."""
        return self._known.get((uid, version))

    def keep(self, run: Run, found: Mapping[str, tuple[State, int]]) -> None:
        """Remembers them."""
        self._known[run.uid, run.version] = found
        while len(self._known) > CELLS:
            self._known.popitem(last=False)
