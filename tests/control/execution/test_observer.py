"""What observing and planning leave behind."""

from contextlib import nullcontext
from types import SimpleNamespace
from typing import Any

from tradewind.control.dagrun.run import read_run
from tradewind.control.dagrun.state import RunState
from tradewind.control.execution.observer import Observed, Observer
from tradewind.control.execution.run_table import RunTable
from tradewind.plan.dags.compile import define
from tradewind.plan.runs.planner import Planner

BODY: dict[str, Any] = {
    "metadata": {
        "name": "r",
        "namespace": "ns",
        "uid": "u",
        "resourceVersion": "1",
        "creationTimestamp": "2026-01-01T00:00:00Z",
    },
    "spec": {"dag": "d"},
}


class Pausing(Planner):
    """A planner that lets others run before it answers."""

    meanwhile: Any = staticmethod(lambda: None)

    def decide(self, now: float) -> Any:
        plan = super().decide(now)
        self.meanwhile()
        return plan


def _planned(meanwhile: Any) -> RunTable:
    """The table after one plan for a run."""
    table = RunTable()
    run = read_run(BODY)
    state = RunState(run)
    table.add(state)
    planner = Pausing(define({"tasks": {"a": {"image": "x", "forEach": {"range": {"stop": 9}}}}}), run.facts)
    planner.meanwhile = lambda: meanwhile(table)
    feed, podless = SimpleNamespace(at_work=lambda _: nullcontext()), SimpleNamespace(size=lambda _: 0)
    none: Any = None
    observer = Observer(none, table, feed, podless, none, none, none)  # type: ignore[arg-type]
    observer.plan(state, Observed(run, planner, 0.0))
    return table


def test_a_run_that_is_planned_takes_memory_of_its_namespace() -> None:
    assert _planned(lambda table: None).footprints._of_run["u"][1] > 9_000


def test_a_run_that_goes_while_it_is_planned_takes_none() -> None:
    table = _planned(lambda table: table.drop("u"))
    assert not table.footprints._of_run and not table.footprints._sums
