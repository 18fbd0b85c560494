"""How often the walk of one run event returns to the same file: a flow that returns all the time can't be read."""

from collections import Counter

from chaos.walk import walked


def test_an_event_visits_the_reconciler_and_the_state_a_few_times() -> None:
    visits = Counter(walked())
    assert visits["control/pods/launcher.py"] == 1
    assert visits["control/execution/reconciler.py"] < 8 and visits["control/dagrun/state.py"] < 8
