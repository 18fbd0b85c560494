"""Triggers that follow other DAGs: histories of restarts, faults, late events and deleted runs create exactly the
wanted runs."""

import asyncio
from typing import Any

from hypothesis import example, given, settings
from hypothesis import strategies as st
from tradewind.control.dagrun.run import read_run
from tradewind.kube.resources import DAGS, RUNS, TRIGGERS

from control.factworld import Body, Operator, Server, server

FAULTS = st.lists(st.sampled_from(["", "", "before", "after"]), max_size=4)
ENDS = st.tuples(st.just("end"), st.sampled_from(["a", "b"]), st.sampled_from(["Succeeded", "Succeeded", "Failed"]))
OTHERS = st.tuples(
    st.sampled_from(["look", "look", "save", "crash", "crash while looking", "hear", "clean", "other leader"]),
    st.just(""),
    st.just(""),
)
STEPS = st.lists(st.tuples(st.one_of(ENDS, OTHERS), FAULTS, st.integers(0, 5)), max_size=40)
Steps = list[tuple[tuple[str, str, str], list[str], int]]


def steps(text: str) -> Steps:
    """A history in short: `a` and `b` are runs that end, `0` to `9` which of the pending events arrives."""
    words = {"l": "look", "s": "save", "c": "crash", "o": "other leader"}
    return [
        (("end", letter, "Succeeded"), [], 1)
        if letter in "ab"
        else (("hear", "", ""), [], int(letter))
        if letter.isdigit()
        else ((words[letter], "", ""), [], 0)
        for letter in text
    ]


async def play(there: Server, history: Steps, in_order: bool) -> list[Body]:
    """Plays a history; returns the ended runs, in order. If events are not `in_order`, they are late and shuffled."""
    operator, ends, unheard = Operator(there), list[Body](), list[Body]()
    old = operator
    for (what, dag, phase), faults, seed in history:
        there.faults = list(faults)
        match what:
            case "end":
                there.now += 1 if in_order else seed % 2
                ends.append(there.ended(dag, f"{dag}-{len(ends)}", phase))
                unheard.append(ends[-1])
                if in_order:
                    operator.hear(unheard.pop())
            case "hear" if unheard:
                operator.hear(unheard.pop(seed % len(unheard)))
            case "look":
                await operator.look()
            case "save":
                await operator.save()
            case "clean":
                operator.clean()
            case "other leader":  # one that does not know yet that it no longer leads
                await old.look()
                await old.save()
            case "crash" | "crash while looking":
                if what == "crash while looking":
                    await operator.look()
                old, operator = operator, Operator(there)
                unheard.clear()
    there.faults = []
    for body in unheard:
        operator.hear(body)
    for _ in range(4):
        await operator.look()
        await operator.save()
    return ends


@settings(max_examples=200, deadline=None)
@given(STEPS)
def test_each_end_that_counts_makes_one_run_in_whatever_order_it_is_heard_of(history: Steps) -> None:
    there = server(completed={"dags": [{"name": "a"}, {"name": "b", "outcomes": ["Failed"]}], "atLeast": 1})
    ends = asyncio.run(play(there, history, in_order=False))
    counting = {"a": "Succeeded", "b": "Failed"}
    wanted = [run for run in ends if run["status"]["phase"] == counting[run["spec"]["dag"]]]
    causes = [f"DAGRun ns/{run['metadata']['name']} {run['status']['phase']}" for run in wanted]
    assert sorted(there.causes()) == sorted(causes)


def pairs(ends: list[Body], within: int | None) -> list[str]:
    """The expected result of `all`, computed differently: the latest of each, together."""
    found: list[str] = []
    last: dict[str, Body] = {}
    for run in ends:
        if run["status"]["phase"] != "Succeeded":
            continue
        last[run["spec"]["dag"]] = run
        times = [read_run(other).status["finishedAt"] for other in last.values()]
        if len(last) == 2:
            apart = seconds(max(times)) - seconds(min(times))
            if within is None or apart <= within:
                latest = sorted(last.values(), key=lambda other: other["status"]["finishedAt"], reverse=True)
                found.append(", ".join(f"DAGRun ns/{other['metadata']['name']} Succeeded" for other in latest))
                last = {}
    return found


def seconds(text: str) -> int:
    return int(text[-3:-1]) + 60 * int(text[-6:-4]) + 3600 * int(text[-9:-7])


@settings(max_examples=200, deadline=None)
@given(STEPS, st.sampled_from([None, 1, 3]))
def test_all_makes_a_run_whenever_each_dag_had_one_since_the_last(history: Steps, within: int | None) -> None:
    more = {"within": f"{within}s"} if within else {}
    there = server(completed={"dags": [{"name": "a"}, {"name": "b"}], **more})
    ends = asyncio.run(play(there, history, in_order=True))
    assert sorted(there.causes()) == sorted(pairs(ends, within))


@settings(max_examples=300, deadline=None)
@given(STEPS)
@example(steps("laba11llc"))  # fired for the second and the third, and crashed: the first is new then
@example(steps("laba11cllooo"))  # the same by a former leader, while its successor knows all three
def test_no_end_counts_for_two_runs_of_all_in_whatever_order_they_are_heard_of(history: Steps) -> None:
    there = server(completed={"dags": [{"name": "a"}, {"name": "b"}]})
    ends = asyncio.run(play(there, history, in_order=False))
    used = [word for cause in there.causes() for word in cause.split() if word.startswith("ns/")]
    assert len(used) == len(set(used)) == 2 * len(there.causes())
    pending = {fact["source"] for fact in there.status().get("completed", {}).get("pending", ())}
    had = {f"ns/{run['spec']['dag']}" for run in ends if run["status"]["phase"] == "Succeeded"}
    assert len(pending) < 2 and (there.causes() or len(had) < 2)


async def test_params_come_from_the_run_that_ended() -> None:
    params = {
        "region": "$[[ source.params.region ]]",
        "rows": "$[[ source.results.rows ]]",
        "file": "$[[ source.outputs['load'].file ]]",
        "of": "$[[ source.dag ]]/$[[ source.run ]] $[[ source.outcome ]]",
    }
    declared = {name: {"type": "integer" if name == "rows" else "string"} for name in params}
    there = server(completed={"dags": [{"name": "a", "when": "source.results.rows > 1"}]}, params=params)
    there.put(DAGS, {"metadata": {"name": "d"}, "spec": {"tasks": {}, "params": declared}})
    for name, rows in (("a-1", 1), ("a-2", 5)):
        there.ended("a", name, params={"region": "south"}, results={"rows": rows}, outputs={"load": {"file": "x"}})
    await Operator(there).settle()
    [run] = there.made().values()
    assert run["spec"]["params"] == {"region": "south", "rows": 5, "file": "x", "of": "a/a-2 Succeeded"}
    assert run["metadata"]["labels"]["tradewind.dev/trigger-type"] == "dag"


async def test_several_sources_are_known_by_name() -> None:
    value = "$[[ sources['a'].params.n + sources['b'].params.n ]]"
    there = server(completed={"dags": [{"name": "a"}, {"name": "b"}]}, params={"n": value})
    there.put(DAGS, {"metadata": {"name": "d"}, "spec": {"tasks": {}, "params": {"n": {"type": "integer"}}}})
    there.ended("a", "a-1", params={"n": 1})
    there.ended("b", "b-1", params={"n": 2})
    await Operator(there).settle()
    assert [run["spec"]["params"] for run in there.made().values()] == [{"n": 3}]


async def test_what_ended_before_the_trigger_was_there_does_not_count() -> None:
    there = Server()
    for dag in ("a", "d"):
        there.put(DAGS, {"metadata": {"name": dag}, "spec": {"tasks": {}}})
    there.ended("a", "old")
    there.now += 5
    there.trigger(completed={"dags": [{"name": "a"}]})
    there.ended("a", "new")
    await Operator(there).settle()
    assert there.causes() == ["DAGRun ns/new Succeeded"]


async def test_what_ended_while_it_was_suspended_does_not_count_nor_what_waited_then() -> None:
    there = server(completed={"dags": [{"name": "a"}, {"name": "b"}]})
    there.ended("a", "a-1")
    await Operator(there).settle()
    body = there.objects[TRIGGERS.plural, "ns", "t"]
    body["spec"]["suspend"], body["metadata"]["generation"] = True, 2
    await Operator(there).settle()
    assert there.status()["phase"] == "Suspended"
    there.now += 10
    there.ended("b", "b-1")
    there.now += 10
    body["spec"]["suspend"], body["metadata"]["generation"] = False, 3
    await Operator(there).settle()
    there.now += 10
    there.ended("b", "b-2")
    await Operator(there).settle()
    assert there.causes() == []
    there.ended("a", "a-2")
    await Operator(there).settle()
    assert there.causes() == ["DAGRun ns/a-2 Succeeded, DAGRun ns/b-2 Succeeded"]


async def test_a_dag_of_another_namespace_is_followed_only_when_it_allows_that() -> None:
    there = server(completed={"dags": [{"name": "a", "namespace": "other"}]})
    there.ended("a", "before", namespace="other")
    missing = await Operator(there).settle()
    words = there.status()["message"]
    assert there.status()["phase"] == "Waiting" and "has no DAG 'a' that allows triggers from namespace ns" in words
    dag = there.put(DAGS, {"metadata": {"name": "a"}, "spec": {"tasks": {}}}, "other")
    await Operator(there).settle()
    assert there.status()["message"] == words  # whether it exists must not be revealed
    there.now += 5
    there.ended("a", "refused", namespace="other")
    there.now += 5
    dag["spec"]["allowTriggersFrom"] = ["ns"]
    await Operator(there).settle()
    there.now += 5
    there.ended("a", "after", namespace="other")
    await Operator(there).settle()
    assert there.status()["phase"] == "Active"
    assert there.causes() == ["DAGRun other/after Succeeded"]
    assert missing


async def test_a_run_of_another_shard_is_followed_and_its_history_waits_for_that() -> None:
    there = server(completed={"dags": [{"name": "a", "namespace": "other"}]})
    there.put(DAGS, {"metadata": {"name": "a"}, "spec": {"tasks": {}, "allowTriggersFrom": ["*"]}}, "other")
    follower = Operator(there, lambda namespace: namespace == "ns")
    owner = Operator(there, lambda namespace: namespace == "other")
    await follower.settle()
    owner.trigger_seen(there.objects[TRIGGERS.plural, "ns", "t"])
    there.now += 1
    run = there.ended("a", "a-1", namespace="other")
    owner.clean()
    assert (RUNS.plural, "other", "a-1") in there.objects
    follower.hear(run)
    await follower.settle()
    assert there.causes() == ["DAGRun other/a-1 Succeeded"]
    owner.trigger_seen(there.objects[TRIGGERS.plural, "ns", "t"])
    assert (RUNS.plural, "other", "a-1") not in there.objects


async def test_a_run_that_an_unfinished_condition_counts_on_is_kept() -> None:
    there = server(completed={"dags": [{"name": "a"}, {"name": "b"}]})
    operator = await Operator(there).settle()
    there.now += 1
    operator.hear(there.ended("a", "a-1"))
    await operator.settle()
    operator.clean()
    assert (RUNS.plural, "ns", "a-1") in there.objects
    operator.hear(there.ended("b", "b-1"))
    await operator.settle()
    assert (RUNS.plural, "ns", "a-1") not in there.objects and len(there.made()) == 1


async def test_a_dag_does_not_follow_itself() -> None:
    there = server(completed={"dags": [{"name": "d"}]})
    await Operator(there).settle()
    assert there.status()["phase"] == "Invalid" and "would never stop" in there.status()["message"]
    there = server(completed={"dags": [{"name": "d", "namespace": "ns"}]})
    there.ended("d", "d-1")
    await Operator(there).settle()
    assert there.status()["phase"] == "Waiting" and there.causes() == []


async def test_a_filter_that_fails_is_told_and_the_run_does_not_count() -> None:
    there = server(completed={"dags": [{"name": "a", "when": "source.results.rows > 1"}]})
    there.ended("a", "a-1")
    await Operator(there).settle()
    assert there.causes() == []
    assert (
        "run ns/a-1: `source.results.rows > 1`: spec.completed.dags[0].when" in there.status()["completed"]["skipped"]
    )


async def test_more_ends_at_once_than_are_remembered_one_by_one_each_make_their_run() -> None:
    there = server(completed={"dags": [{"name": "a"}]}, maxPerMinute=1_000)
    operator = await Operator(there).settle()
    for at in range(450):
        operator.hear(there.ended("a", f"a-{at}"))
    for _ in range(3):
        await operator.settle()
    assert len(there.made()) == 450
    said: dict[str, Any] = there.status()["completed"]
    assert len(said["sources"][0]["taken"].split()) == 200 and said["due"] == []
    await Operator(there).settle()
    assert len(there.made()) == 450


async def test_a_status_that_someone_has_garbled_begins_anew() -> None:
    there = server(completed={"dags": [{"name": "a"}]})
    there.ended("a", "a-1")
    await Operator(there).settle()
    there.status()["completed"]["sources"][0]["taken"] = "nonsense"
    there.now += 10
    there.ended("a", "a-2", finishedAt="soon")
    there.ended("a", "a-3")
    await Operator(there).settle()
    assert sorted(there.causes()) == [f"DAGRun ns/a-{at} Succeeded" for at in (1, 2, 3)]


async def test_an_operator_of_some_namespaces_follows_none_beyond_them() -> None:
    there = server(completed={"dags": [{"name": "a", "namespace": "other"}]})
    there.put(DAGS, {"metadata": {"name": "a"}, "spec": {"tasks": {}, "allowTriggersFrom": ["*"]}}, "other")
    there.ended("a", "a-1", namespace="other")
    await Operator(there, watches=lambda namespace: namespace == "ns").settle()
    assert there.status()["phase"] == "Waiting" and there.causes() == []


async def test_a_dag_of_the_own_namespace_may_come_later_and_what_ran_before_is_kept_for_it() -> None:
    there = server(completed={"dags": [{"name": "a"}, {"name": "later"}]})
    ours = await Operator(there).settle()
    said = there.status()
    assert said["phase"] == "Active"
    assert said["message"] == "spec.completed.dags[1]: there is no DAG 'later' in namespace ns"
    there.now += 1
    ours.hear(there.ended("a", "a-1"))
    await ours.settle()
    ours.clean()
    ours.triggers.dags.seen(there.put(DAGS, {"metadata": {"name": "later"}, "spec": {"tasks": {}}}), False)
    ours.hear(there.ended("later", "later-1"))
    await ours.settle()
    assert len(there.causes()) == 1 and there.status()["message"] == ""
    ours.clean()
    assert (RUNS.plural, "ns", "a-1") not in there.objects


async def test_a_dag_that_is_there_twice_by_its_namespace_is_told() -> None:
    there = server(completed={"dags": [{"name": "a"}, {"name": "a", "namespace": "ns"}]})
    assert await Operator(there).look()
    ours = Operator(there)
    assert await ours.look() and await ours.save()
    assert there.status()["phase"] == "Waiting" and "a DAG is listed twice" in there.status()["message"]
