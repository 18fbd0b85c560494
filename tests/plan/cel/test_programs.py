from typing import Any

import pytest
from tradewind.plan.cel import compiler
from tradewind.plan.cel.programs import PER_CHARACTER, PER_ENVIRONMENT, PER_PROGRAM, Programs

XS = (("params.xs", "list"),)


def programs(room: int) -> Programs:
    return Programs(room, compiler._environment)


def test_a_program_is_compiled_once() -> None:
    kept = programs(2**20)
    assert kept.get("1 + 1", ()) is kept.get("1 + 1", ())


def test_long_expressions_put_others_out() -> None:
    kept = programs(10 * (PER_PROGRAM + 1_000 * PER_CHARACTER))
    for number in range(100):
        kept.get(f"{number} + 1" + " " * 990, ())
    assert kept.size <= kept.room and 5 < len(kept) <= 10


def test_what_was_asked_for_last_stays() -> None:
    kept = programs(PER_ENVIRONMENT + 3 * (PER_PROGRAM + 10 * PER_CHARACTER))
    first = kept.get("1", ())
    for number in range(2, 20):
        kept.get(str(number), ())
        assert kept.get("1", ()) is first
    assert len(kept) <= 4


def test_what_programs_are_compiled_against_counts_once() -> None:
    kept = programs(2**30)
    for number in range(10):
        kept.get(f"params.xs.size() > {number}", XS)
    shared = kept.size
    for number in range(10):
        kept.get("1", ((f"params.p{number}", "any"),))
    assert shared < 3 * PER_ENVIRONMENT and kept.size > shared + 10 * PER_ENVIRONMENT


def test_one_that_is_larger_than_the_room_is_compiled_all_the_same() -> None:
    kept = programs(1)
    for text in ("1 + 1", "2 + 2"):
        found: Any = kept.get(text, ())
        assert found.expression == text and len(kept) == 1


def test_what_is_wrong_is_compiled_against_the_same_as_long_as_that_is_wanted() -> None:
    made = list[Any]()

    def make(variables: Any) -> Any:
        made.append(variables)
        return compiler._environment(variables)

    kept = Programs(2**20, make)
    for number in range(20):
        with pytest.raises(RuntimeError):
            kept.get(f"{number} + 'a'", XS)
    assert made == [XS]
