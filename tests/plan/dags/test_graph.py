from itertools import pairwise

import pytest
from tradewind.plan.dags.graph import Cycle, graph


def test_a_cycle_of_two_is_named_in_order() -> None:
    with pytest.raises(Cycle, match=r"a -> b -> a|b -> a -> b") as caught:
        graph({"a": ["b"], "b": ["a"]})
    assert len(caught.value.tasks) == 3


def test_a_cycle_of_two_hundred_is_named_shortly() -> None:
    size = 200
    with pytest.raises(Cycle) as caught:
        graph({f"t{index}": [f"t{(index + 1) % size}"] for index in range(size)} | {"outside": ["t0"]})
    assert len(caught.value.tasks) == size + 1 and len(str(caught.value)) < 200
    assert "(200 tasks)" in str(caught.value)
    steps = caught.value.tasks
    for here, there in pairwise(steps):
        assert int(here[1:]) == (int(there[1:]) - 1) % size or int(there[1:]) == (int(here[1:]) - 1) % size


def test_order_puts_dependencies_first_and_ancestors_are_transitive() -> None:
    made = graph({"d": ["b", "c"], "b": ["a"], "c": ["a"], "a": []})
    assert made.order.index("a") < made.order.index("b") < made.order.index("d")
    above = made.ancestry()["d"]
    assert {task for place, task in enumerate(made.order) if above >> place & 1} == {"a", "b", "c"}
    assert made.downstream["a"] == ("b", "c")
