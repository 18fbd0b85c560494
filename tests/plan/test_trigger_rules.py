"""What becomes of a task, for every rule and everything that can become of its dependencies."""

from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tradewind.plan.rule import RULES, Counts, Verdict, count, decide
from tradewind.plan.state import State

from .game import Game, defined

S, F, L, K, U = State.SUCCEEDED, State.FAILED, State.LOST, State.SKIPPED, State.UPSTREAM_FAILED
ENDS = (S, F, L, K, U)
R, X, P = Verdict.RUN, Verdict.SKIP, Verdict.UPSTREAM_FAILED

# For two dependencies: rule -> what becomes of the task, in the order SS SF SK SU FF FK FU KK KU UU.
TABLE = {
    "AllSucceeded":              (R, P, X, P, P, P, P, X, P, P),
    "AllDone":                   (R, R, R, R, R, R, R, R, R, R),
    "AllFailed":                 (X, X, X, X, R, X, R, X, X, R),
    "AllSkipped":                (X, X, X, X, X, X, X, R, X, X),
    "OneSucceeded":              (R, R, R, R, P, P, P, X, P, P),
    "OneFailed":                 (X, R, X, R, R, R, R, X, R, R),
    "OneDone":                   (R, R, R, R, R, R, R, X, X, X),
    "NoneFailed":                (R, P, R, P, P, P, P, R, P, P),
    "NoneFailedMinOneSucceeded": (R, P, R, P, P, P, P, X, P, P),
    "NoneSkipped":               (R, R, X, R, R, X, R, X, X, R),
    "Always":                    (R, R, R, R, R, R, R, R, R, R),
    "AllDoneMinOneSucceeded":    (R, R, X, R, P, X, P, X, X, P),
}  # fmt: skip
PAIRS = [(S, S), (S, F), (S, K), (S, U), (F, F), (F, K), (F, U), (K, K), (K, U), (U, U)]


def says(rule: str, *states: State, total: int | None = None) -> Verdict | None:
    tally: dict[State, int] = {}
    for state in states:
        tally[state] = tally.get(state, 0) + 1
    return decide(rule, count(tally, len(states) if total is None else total))


def test_the_table_knows_every_rule() -> None:
    assert TABLE.keys() == RULES.keys()


@pytest.mark.parametrize("rule", TABLE)
def test_two_dependencies_decide_as_the_table_says(rule: str) -> None:
    for pair, expected in zip(PAIRS, TABLE[rule], strict=True):
        assert says(rule, *pair) is expected, pair
        assert says(rule, *reversed(pair)) is expected, pair


@pytest.mark.parametrize("rule", TABLE)
def test_a_lost_dependency_counts_as_a_failed_one(rule: str) -> None:
    for other in ENDS:
        assert says(rule, L, other) is says(rule, F, other)


@pytest.mark.parametrize("rule", TABLE)
def test_one_dependency_decides_as_two_alike_do(rule: str) -> None:
    for state in ENDS:
        assert says(rule, state) is says(rule, state, state)


@pytest.mark.parametrize("rule", TABLE)
def test_a_task_without_dependencies_runs(rule: str) -> None:
    assert decide(rule, Counts(0)) is Verdict.RUN


@given(st.sampled_from(sorted(RULES)), st.lists(st.sampled_from(ENDS), min_size=1, max_size=6), st.integers(0, 6))
def test_what_is_decided_early_stays_decided(rule: str, states: list[State], ended: int) -> None:
    early = says(rule, *states[:ended], total=len(states))
    if early is not None:
        assert says(rule, *states) is early


@given(st.sampled_from(sorted(RULES)), st.lists(st.sampled_from(ENDS), min_size=1, max_size=4))
def test_nothing_waits_that_could_be_decided(rule: str, known: list[State]) -> None:
    """A rule waits only if what comes can make a difference, between running and not running or in how it does not run."""
    if says(rule, *known, total=len(known) + 1) is None:
        ways = {says(rule, *known, last) for last in ENDS}
        assert len(ways) > 1 or rule in ("AllDone", "NoneSkipped", "NoneFailed", "AllFailed")


@pytest.mark.parametrize(
    ("rule", "first"), [("OneSucceeded", S), ("OneFailed", F), ("OneFailed", U), ("OneDone", S), ("OneDone", F)]
)
def test_rules_about_one_fire_at_the_first_and_never_mind_the_others(rule: str, first: State) -> None:
    assert says(rule, first, total=9) is Verdict.RUN


@pytest.mark.parametrize(
    ("rule", "a", "b", "state"),
    [
        ("Failed(a) && Succeeded(b)", "Error", "", "Succeeded"),
        ("Failed(a) && Succeeded(b)", "", "", "Skipped"),
        ("Failed(a) || Failed(b)", "", "Error", "Succeeded"),
        ("Lost(a)", "Evicted", "", "Succeeded"),
        ("Failed(a)", "Evicted", "", "Succeeded"),
        ("Lost(a)", "Error", "", "Skipped"),
        ("Done(a) && Done(b)", "Error", "", "Succeeded"),
        ("!Succeeded(a) && !Succeeded(b)", "Error", "Error", "Succeeded"),
        ("Skipped(a) || UpstreamFailed(a)", "", "", "Skipped"),
        ("a == 'Succeeded' ? Succeeded(b) : Failed(b)", "", "", "Succeeded"),
    ],
)
def test_a_rule_in_cel_asks_about_each_dependency(rule: str, a: str, b: str, state: str) -> None:
    defaults = {"retries": {"infrastructureLimit": 0}}
    game = Game(defined({"a": {}, "b": {}, "c": {"dependsOn": ["a", "b"], "triggerRule": rule}}, defaults=defaults))
    game.play(lambda key, _: {"a": a, "b": b, "c": ""}[key])
    assert game.states()["c"] == state


@pytest.mark.parametrize(
    ("rule", "early"), [("Failed(a) || Failed(b)", ["c"]), ("Failed(a) && Failed(b)", []), ("Failed(b)", [])]
)
def test_a_rule_in_cel_is_decided_as_soon_as_nothing_else_can_change_it(rule: str, early: list[str]) -> None:
    game = Game(defined({"a": {}, "b": {}, "c": {"dependsOn": ["a", "b"], "triggerRule": rule}}))
    for start in game.plan().starts:
        game.start(start)
    game.end("a", "Error")
    assert game.keys() == early


def test_a_rule_that_can_not_be_evaluated_fails_its_task_and_the_run_goes_on() -> None:
    game = Game(defined({"a": {}, "b": {"dependsOn": ["a"], "triggerRule": "1 / 0 == 1"}, "c": {"dependsOn": ["a"]}}))
    assert game.play().message.startswith("failed: b (triggerRule: `1 / 0 == 1`: divide by zero")
    assert game.states()["c"] == "Succeeded"


@pytest.mark.parametrize("rule", TABLE)
def test_whole_runs_follow_the_table(rule: str) -> None:
    """Each way for two dependencies to end, made by real tasks upstream."""
    makers = {S: {}, F: {}, K: {"when": "false"}, U: {"dependsOn": ["bad"]}}
    word = {R: "Succeeded", X: "Skipped", P: "UpstreamFailed"}
    for (first, second), expected in zip(PAIRS, TABLE[rule], strict=True):
        tasks = {
            "bad": {},
            "a": makers[first],
            "b": makers[second],
            "c": {"dependsOn": ["a", "b"], "triggerRule": rule},
        }
        game = Game(defined(tasks))
        fates = {"bad": "Error", "a": "Error" if first is F else "", "b": "Error" if second is F else "", "c": ""}
        game.play(lambda key, _, fates=fates: fates[key])
        assert game.states()["c"] == word[expected], (first, second)


def test_all_combinations_of_three_are_decided() -> None:
    for rule, states in product(RULES, product(ENDS, repeat=3)):
        assert says(rule, *states) is not None
