"""The state of a task, for every rule and all states of its dependencies."""

from itertools import combinations_with_replacement, permutations, product

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tradewind.plan.documents.problem import Invalid
from tradewind.plan.expressions import cel_rule
from tradewind.plan.outcomes.state import State
from tradewind.plan.outcomes.trigger_rule import EARLY, RULES, Counts, Verdict, count, decide

from plan.game import Game, defined

S, F, L, K, U = State.SUCCEEDED, State.FAILED, State.LOST, State.SKIPPED, State.UPSTREAM_FAILED
ENDS = (S, F, L, K, U)
SAYS = {"R": Verdict.RUN, "X": Verdict.SKIP, "P": Verdict.UPSTREAM_FAILED, ".": None}
LETTERS = {"S": S, "F": F, "K": K, "U": U}  # Succeeded, Failed, sKipped, Upstream failed

# Rule -> its decision (R run, X skip, P upstream failed, . wait) for one, two and three ended dependencies, and for two
# or more of which one has ended.
HEADER = (
    "S F K U",
    "SS SF SK SU FF FK FU KK KU UU",
    "SSS SSF SSK SSU SFF SFK SFU SKK SKU SUU FFF FFK FFU FKK FKU FUU KKK KKU KUU UUU",
    "S F K U",
)
TABLE = {
    "AllSucceeded":              ("RPXP", "RPXPPPPXPP", "RPXPPPPXPPPPPPPPXPPP", ".P.P"),
    "AllDone":                   ("RRRR", "RRRRRRRRRR", "RRRRRRRRRRRRRRRRRRRR", "...."),
    "AllFailed":                 ("XRXR", "XXXXRXRXXR", "XXXXXXXXXXRXRXXRXXXR", "X.X."),
    "AllSkipped":                ("XXRX", "XXXXXXXRXX", "XXXXXXXXXXXXXXXXRXXX", "XX.X"),
    "OneSucceeded":              ("RPXP", "RRRRPPPXPP", "RRRRRRRRRRPPPPPPXPPP", "R..."),
    "OneFailed":                 ("XRXR", "XRXRRRRXRR", "XRXRRRRXRRRRRRRRXRRR", ".R.R"),
    "OneDone":                   ("RRXX", "RRRRRRRXXX", "RRRRRRRRRRRRRRRRXXXX", "RR.."),
    "NoneFailed":                ("RPRP", "RPRPPPPRPP", "RPRPPPPRPPPPPPPPRPPP", ".P.P"),
    "NoneFailedMinOneSucceeded": ("RPXP", "RPRPPPPXPP", "RPRPPPPRPPPPPPPPXPPP", ".P.P"),
    "NoneSkipped":               ("RRXR", "RRXRRXRXXR", "RRXRRXRXXRRXRXXRXXXR", "..X."),
    "Always":                    ("RRRR", "RRRRRRRRRR", "RRRRRRRRRRRRRRRRRRRR", "RRRR"),
    "AllDoneMinOneSucceeded":    ("RPXP", "RRXRPXPXXP", "RRXRRXRXXRPXPXXPXXXP", "..X."),
}  # fmt: skip
PAIRS = [tuple(LETTERS[letter] for letter in pair) for pair in HEADER[1].split()]


def says(rule: str, *states: State, total: int | None = None) -> Verdict | None:
    tally: dict[State, int] = {}
    for state in states:
        tally[state] = tally.get(state, 0) + 1
    return decide(rule, count(tally, len(states) if total is None else total))


def test_the_table_knows_every_rule_and_every_combination() -> None:
    assert TABLE.keys() == RULES.keys()
    for size, header in enumerate(HEADER[:3], 1):
        assert header.split() == ["".join(ends) for ends in combinations_with_replacement("SFKU", size)]


@pytest.mark.parametrize("rule", TABLE)
def test_up_to_three_dependencies_decide_as_the_table_says_in_whatever_order_they_ended(rule: str) -> None:
    for header, row in zip(HEADER[:3], TABLE[rule][:3], strict=True):
        for ends, letter in zip(header.split(), row, strict=True):
            for order in permutations(ends):
                assert says(rule, *(LETTERS[end] for end in order)) is SAYS[letter], order


@pytest.mark.parametrize("rule", TABLE)
@pytest.mark.parametrize("total", [2, 9])
def test_one_dependency_of_several_decides_early_where_the_table_says_so(rule: str, total: int) -> None:
    for end, letter in zip(HEADER[3].split(), TABLE[rule][3], strict=True):
        assert says(rule, LETTERS[end], total=total) is SAYS[letter], end
    assert says(rule, total=total) is (Verdict.RUN if rule == "Always" else None)


@pytest.mark.parametrize("rule", TABLE)
def test_a_lost_dependency_counts_as_a_failed_one(rule: str) -> None:
    for others in product(ENDS, repeat=2):
        assert says(rule, L, *others) is says(rule, F, *others)
        assert says(rule, L, *others, total=4) is says(rule, F, *others, total=4)


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
    """A rule waits only if later ends can make a difference, between running and not running or in how it does not run."""
    if says(rule, *known, total=len(known) + 1) is None:
        ways = {says(rule, *known, last) for last in ENDS}
        assert len(ways) > 1 or rule in ("AllDone", "NoneSkipped", "NoneFailed", "AllFailed")


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


@pytest.mark.parametrize(
    ("function", "true_of"),
    [("Succeeded", {S}), ("Failed", {F, L}), ("Lost", {L}), ("Skipped", {K}), ("UpstreamFailed", {U}), ("Done", set(ENDS))],
)  # fmt: skip
def test_each_function_of_cel_is_true_of_its_states_and_waits_for_the_end(function: str, true_of: set[State]) -> None:
    for state in ENDS:
        found = cel_rule.decide(f"{function}(load_a)", ("load-a",), {"load-a": state})
        assert (found is Verdict.RUN) is (state in true_of)
    assert cel_rule.decide(f"{function}(a)", ("a",), {}) is None


CEL = ["Failed(a) || Failed(b)", "Failed(a) && !Lost(b)", "Done(a) && (Skipped(b) || Succeeded(c))", "a == b || Lost(c)",
       "Succeeded(a) ? Succeeded(b) : Failed(c)", "!UpstreamFailed(a)", "true", "[a, b, c].exists(s, s == 'Lost')"]  # fmt: skip


@given(st.sampled_from(CEL), st.tuples(*[st.sampled_from(ENDS)] * 3), st.sets(st.sampled_from("abc")))
def test_what_cel_decides_early_stays_decided(rule: str, states: tuple[State, ...], known: set[str]) -> None:
    ended = dict(zip("abc", states, strict=True))
    early = cel_rule.decide(rule, tuple("abc"), {name: ended[name] for name in known})
    final = cel_rule.decide(rule, tuple("abc"), ended)
    assert final is not None and early in (None, final)


@pytest.mark.parametrize(
    ("rule", "states", "verdict"),
    [
        ("Succeeded(a)", (F, S, S), "UpstreamFailed"),
        ("Succeeded(a)", (L, S, S), "UpstreamFailed"),
        ("Succeeded(a)", (U, S, S), "UpstreamFailed"),
        ("Succeeded(a)", (K, S, S), "Skip"),
        ("Succeeded(a) && Failed(b)", (F, F, S), "UpstreamFailed"),
        ("Succeeded(a) && Failed(b)", (S, S, S), "Skip"),
        ("Succeeded(a) && Failed(b)", (F, S, S), "Skip"),
        ("Succeeded(a) && Succeeded(b)", (F, K, S), "Skip"),
        ("Skipped(a)", (F, S, S), "Skip"),
        ("Lost(a)", (F, S, S), "Skip"),
        ("Succeeded(a) || Succeeded(b)", (K, F, S), "UpstreamFailed"),
        ("Succeeded(a) ? Succeeded(b) : Failed(c)", (F, S, S), "UpstreamFailed"),
        ("[a, b, c].all(s, s == 'Succeeded')", (F, F, F), "UpstreamFailed"),
        ("Succeeded(a)", (F, None, None), "UpstreamFailed"),
        ("Succeeded(a) && Succeeded(b)", (F, None, None), None),
        ("Succeeded(a) && Succeeded(b)", (K, None, None), "Skip"),
    ],
)
def test_a_rule_in_cel_that_is_false_for_a_failure_is_no_skip(
    rule: str, states: tuple[State | None, ...], verdict: str | None
) -> None:
    ended = {name: state for name, state in zip("abc", states, strict=True) if state}
    assert cel_rule.decide(rule, tuple("abc"), ended) == verdict


def test_any_of_many_failures_is_found_to_be_the_reason() -> None:
    names = tuple(f"t{at}" for at in range(40))
    rule = "Succeeded(t0) && " + " && ".join(f"Failed({name})" for name in names[1:])
    assert cel_rule.decide(rule, names, dict.fromkeys(names, F)) is Verdict.UPSTREAM_FAILED
    assert (
        cel_rule.decide(" && ".join(f"Skipped({name})" for name in names), names, dict.fromkeys(names, F))
        is Verdict.SKIP
    )


def test_a_rule_is_evaluated_a_few_times_however_many_have_failed(monkeypatch: pytest.MonkeyPatch) -> None:
    names = tuple(f"t{number}" for number in range(128))
    evaluations, pauses, run = [], [], cel_rule.compiler.run
    monkeypatch.setattr(cel_rule.compiler, "run", lambda *given: evaluations.append(given) or run(*given))
    monkeypatch.setattr(cel_rule.pacing, "pause", lambda: pauses.append(1))
    for bad in (3, 4, 5, 128):
        states = {name: F if index < bad else State.SUCCEEDED for index, name in enumerate(names)}
        assert cel_rule.decide("Skipped(t0) && Skipped(t127)", names, states) is Verdict.SKIP
        assert len(evaluations) <= 18 and len(pauses) >= len(evaluations) - 1
        evaluations.clear()
        pauses.clear()


def test_a_run_in_which_nothing_ran_for_a_failure_is_failed() -> None:
    tasks = {"a": {}, "b": {}, "c": {"dependsOn": ["a", "b"], "triggerRule": "Succeeded(a) && Failed(b)"}}
    game = Game(defined(tasks))
    plan = game.play(lambda key, _: "Error")
    assert (plan.phase, game.states()["c"], len(game.ended.get("c", ()))) == ("Failed", "UpstreamFailed", 0)


def test_a_failure_that_is_allowed_makes_no_rule_in_cel_fail() -> None:
    game = Game(defined({"a": {"allowFailure": True}, "b": {"dependsOn": ["a"], "triggerRule": "Succeeded(a)"}}))
    assert (game.play(lambda key, _: "Error").phase, game.states()["b"]) == ("Succeeded", "Skipped")


def test_a_name_in_quotes_is_no_dependency() -> None:
    with pytest.raises(Invalid, match=r"triggerRule: .*without quotes: write Succeeded\(NAME\); dependencies are: a"):
        defined({"a": {}, "b": {"dependsOn": ["a"], "triggerRule": "Succeeded('a')"}})


def test_a_rule_that_can_not_be_evaluated_fails_its_task_and_the_run_goes_on() -> None:
    game = Game(defined({"a": {}, "b": {"dependsOn": ["a"], "triggerRule": "1 / 0 == 1"}, "c": {"dependsOn": ["a"]}}))
    assert game.play().message.startswith("failed: b (triggerRule: `1 / 0 == 1`: divide by zero")
    assert game.states()["c"] == "Succeeded"


@pytest.mark.parametrize("rule", TABLE)
def test_whole_runs_follow_the_table(rule: str) -> None:
    """Each way for two dependencies to end, made by real tasks upstream."""
    makers = {S: {}, F: {}, K: {"when": "false"}, U: {"dependsOn": ["bad"]}}
    word = {"R": "Succeeded", "X": "Skipped", "P": "UpstreamFailed"}
    for (first, second), expected in zip(PAIRS, TABLE[rule][1], strict=True):
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


def test_early_rules_are_those_that_may_let_a_task_run_before_all_have_ended() -> None:
    some = [Counts(3, **{which: 1}) for which in ("succeeded", "failed", "skipped", "upstream_failed")]
    assert {name for name, rule in RULES.items() if any(rule(counts) is Verdict.RUN for counts in some)} == EARLY
