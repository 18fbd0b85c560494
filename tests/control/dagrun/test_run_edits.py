"""Approvals and runs of sub-DAGs are found by name, and names can collide: those of a deleted run and its successor, or
of runs and tasks whose joined names are equal. A run accepts only its own."""

import asyncio
from dataclasses import replace
from typing import Any

import orjson
import pytest
from tradewind.control.dagrun.run import read_run
from tradewind.control.dagrun.state import RunState
from tradewind.control.podless.approvals import Approvals, Question
from tradewind.control.podless.sub_dags import Call, SubDAGs
from tradewind.control.pods.labels import labels
from tradewind.control.pods.labels import owner as owned_by
from tradewind.control.pods.names import both_names
from tradewind.kube.errors import AlreadyExists, Conflict
from tradewind.kube.labels import DEPTH
from tradewind.kube.resources import APPROVALS, REVISIONS, RUNS, Resource
from tradewind.model.value import Param
from tradewind.plan.runs.decision import RunFacts, Start

from control.triggerworld import Body, Server

DAY = "2026-01-31T06:00:00Z"
RUN = RunFacts(name="r", namespace="ns", uid="ours", dag="d", logical_date=DAY, interval_start=DAY, interval_end=DAY)
START = Start("ask", None, 1, "")
OTHER = both_names(RUN, START)[1]


class Api(Server):
    """A server that creates whatever is requested."""

    async def create(self, resource: Resource, namespace: str, body: Any, **query: str) -> bytes:
        if (resource.plural, body["metadata"]["name"]) in self.objects:
            raise AlreadyExists(409, "AlreadyExists", body["metadata"]["name"])
        return orjson.dumps(self.put(resource, body))

    def of(self, owner: str, resource: Resource, name: str, start: Start = START, **parts: Any) -> Body:
        """An object of a run exists."""
        by = replace(RUN, uid=owner)
        meta = {"name": name, "labels": {**labels(by, start), DEPTH: "1"}, "ownerReferences": [owned_by(by)]}
        if "status" in parts:
            parts["status"] = {**called_by(by, start), **parts["status"]}
        return self.put(resource, {"metadata": meta, **parts})

    def revision(self, name: str, spec: Body) -> None:
        """A revision exists."""
        self.put(REVISIONS, {"metadata": {"name": name}, "data": {"spec": spec}, "revision": 1})

    def names(self, resource: Resource) -> set[str]:
        return {name for plural, name in self.objects if plural == resource.plural}


def called_by(run: RunFacts, start: Start) -> Body:
    """What is recorded in the status of a run when it begins."""
    place = {"run": run.name, "uid": run.uid, "task": start.key, "attempt": start.number}
    return {"calledBy": {**place, "depth": 1, "root": run.uid}}


def change(body: Body, **spec: str) -> None:
    """Someone changes an object; an API server counts that."""
    body["spec"] |= spec
    body["metadata"]["generation"] += 1


QUESTION = Question(START, "Release 2?", {}, None)
ASKED = {"run": "r", "task": "ask", "message": "Release 2?"}


@pytest.mark.parametrize(
    ("made", "meta", "words"),
    [
        ({**ASKED, "decision": "Approved", "by": "alice"}, {}, "it had a decision before"),
        # A deletion that a finalizer delays counts as a change.
        ({**ASKED, "decision": "Approved", "by": "alice"}, {"generation": 2}, "it had a decision before"),
        (ASKED, {"generation": 2, "deletionTimestamp": DAY}, "it is being deleted"),
        ({**ASKED, "by": "bob"}, {}, "it had a decision before"),
        ({**ASKED, "comment": "bob: I agree"}, {}, "it had a decision before"),
        ({**ASKED, "message": "Tidy up?"}, {}, "its question differs"),
        ({**ASKED, "questions": {"n": {"type": "integer"}}}, {}, "its question differs"),
        ({**ASKED, "deadline": "2099-01-01T00:00:00Z"}, {}, "its question differs"),
    ],
)
async def test_an_approval_that_somebody_made_beforehand_decides_nothing(made: Body, meta: Body, words: str) -> None:
    """Users who may create approvals know the name that the operator will use. Their object is sealed, so that no later
    change turns it into a decision, and another object asks."""
    api = Api(0.0)
    forged = api.of("ours", APPROVALS, "r-ask-1", spec=dict(made))
    forged["metadata"] |= meta
    approvals = Approvals(api, lambda: 0.0)
    names: list[str] = []
    asked = asyncio.ensure_future(approvals.decide(RUN, QUESTION, names.append))
    async with asyncio.timeout(100):
        while not names:
            await asyncio.sleep(0)
    assert names == [OTHER] and forged["status"]["outcome"] == "Invalid" and words in forged["status"]["message"]
    change(forged, comment="who made this?", decision="Approved", by="alice")
    approvals.seen(forged)
    change(api.objects[APPROVALS.plural, OTHER], decision="Rejected", by="bob")
    approvals.seen(api.objects[APPROVALS.plural, OTHER])
    assert (await asked).outcome == "Rejected"


async def test_a_decision_that_comes_before_the_status_of_a_new_question_counts() -> None:
    """The operator knows what it has just created."""
    api = Api(0.0)
    create = api.create

    async def decided(resource: Resource, namespace: str, body: Any, **query: str) -> bytes:
        made = await create(resource, namespace, body, **query)
        change(api.objects[APPROVALS.plural, "r-ask-1"], decision="Approved", by="alice")
        return made

    conflicts = [Conflict(409, "Conflict", "it has changed")]
    patch = api.patch

    async def late(*given: Any, **more: Any) -> Body:
        if conflicts:
            raise conflicts.pop()
        return await patch(*given, **more)

    api.create, api.patch = decided, late  # type: ignore[method-assign]
    assert (await Approvals(api, lambda: 0.0).decide(RUN, QUESTION, lambda name: None)).outcome == "Approved"


async def test_the_time_of_a_question_begins_when_the_operator_asks() -> None:
    """An Approval created before that takes no time away from those who decide."""
    now = [0.0]
    api, question = Api(0.0), replace(QUESTION, timeout=20.0)
    early = api.of("ours", APPROVALS, "r-ask-1", spec={**ASKED, "deadline": "1970-01-01T00:00:20Z"})
    now[0] = 25.0
    approvals, told = Approvals(api, lambda: now[0]), list[str]()
    asked = asyncio.ensure_future(approvals.decide(RUN, question, told.append))
    async with asyncio.timeout(100):
        while (early.get("status") or {}).get("outcome") != "Pending":
            await asyncio.sleep(0)
        now[0] = 44.0
        change(early, decision="Rejected", by="bob")
        approvals.seen(early)
        assert (await asked).outcome == "Rejected"


async def test_an_approval_that_expires_has_no_author() -> None:
    """Someone wrote another's name, a comment and an answer, but no decision; the task continues after the timeout."""
    now = [0.0]
    api = Api(0.0)
    asks = {"n": Param(type="integer", default=3)}
    question = replace(QUESTION, questions=asks, timeout=20.0)
    approvals = Approvals(api, lambda: now[0])
    asked = asyncio.ensure_future(approvals.decide(RUN, question, lambda name: None))
    async with asyncio.timeout(100):
        while not api.names(APPROVALS) or not api.objects[APPROVALS.plural, "r-ask-1"].get("status"):
            await asyncio.sleep(0)
        body = api.objects[APPROVALS.plural, "r-ask-1"]
        body["spec"] |= {"answers": {"n": 7}}
        change(body, by="bob", comment="I, bob")
        now[0] = 21.0
        approvals.seen(body)
        decision = await asked
    assert decision.outcome == "Expired"
    assert decision.outputs == {"approved": False, "by": "", "comment": "", "answers": {"n": 3}}


async def test_a_decision_about_another_run_is_none_about_this_one() -> None:
    api = Api(0.0)
    api.of("another", APPROVALS, "r-ask-1", spec={"decision": "Approved", "by": "somebody"})
    approvals, question = Approvals(api, lambda: 0.0), Question(START, "?", {}, None)
    names: list[str] = []
    asked = asyncio.ensure_future(approvals.decide(RUN, question, names.append))
    async with asyncio.timeout(100):
        while len(api.names(APPROVALS)) < 2:
            await asyncio.sleep(0)
    ours = api.objects[APPROVALS.plural, OTHER]
    change(ours, decision="Rejected")
    approvals.seen(ours)
    assert (await asked).outcome == "Rejected" and set(names) == {OTHER}
    # The other run's is gone: the question is still the one that was asked.
    del api.objects[APPROVALS.plural, "r-ask-1"]
    assert (await approvals.decide(RUN, question, names.append)).outcome == "Rejected"
    assert api.names(APPROVALS) == {OTHER}


async def test_a_sub_dag_that_has_its_other_name_is_not_run_again_once_the_usual_one_is_free() -> None:
    api = Api(0.0)
    sub_dags = SubDAGs(api, {}, lambda uid: None)
    call = Call(START, "child", {}, 0)
    api.of("another", RUNS, "r-ask-1", spec={"dag": "child"})
    assert (await sub_dags._make(RUN, call)).name == OTHER
    del api.objects[RUNS.plural, "r-ask-1"]
    assert (await sub_dags._make(RUN, call)).name == OTHER
    assert api.names(RUNS) == {OTHER}


TASK, ITEM = Start("a-1", None, 1, ""), Start("a", 1, 1, "")
"""Their objects have the same usual name."""


async def test_a_task_and_an_item_whose_names_come_to_the_same_have_a_run_each() -> None:
    api = Api(0.0)
    sub_dags = SubDAGs(api, {}, lambda uid: None)
    task, item = Call(TASK, "child", {"v": "one"}, 0), Call(ITEM, "child", {"v": "two"}, 0)
    made = [await sub_dags._make(RUN, call) for call in (task, item, task, item)]
    assert [run.params["v"] for run in made] == ["one", "two", "one", "two"]
    assert api.names(RUNS) == {"r-a-1-1", both_names(RUN, ITEM)[1]}


async def test_they_have_a_run_each_also_when_both_ask_for_the_same() -> None:
    api = Api(0.0)
    sub_dags = SubDAGs(api, {}, lambda uid: None)
    made = [await sub_dags._make(RUN, Call(start, "child", {}, 0)) for start in (TASK, ITEM)]
    assert len({run.uid for run in made}) == 2


async def test_a_decision_for_a_task_is_none_for_an_item_of_the_same_name() -> None:
    api = Api(0.0)
    approvals = Approvals(api, lambda: 0.0)
    api.of("ours", APPROVALS, "r-a-1-1", TASK, spec={"task": "a-1", "decision": "Approved", "by": "somebody"})
    asked = asyncio.ensure_future(approvals.decide(RUN, Question(ITEM, "?", {}, None), lambda name: None))
    async with asyncio.timeout(100):
        while len(api.names(APPROVALS)) < 2:
            await asyncio.sleep(0)
    about = api.objects[APPROVALS.plural, both_names(RUN, ITEM)[1]]
    change(about, decision="Rejected")
    approvals.seen(about)
    assert about["spec"]["task"] == "a[1]" and (await asked).outcome == "Rejected"


async def test_questions_whose_names_come_to_the_same_are_both_heard() -> None:
    api = Api(0.0)
    approvals = Approvals(api, lambda: 0.0)
    first, second = (
        asyncio.ensure_future(approvals.decide(RUN, Question(start, "?", {}, None), lambda name: None))
        for start in (TASK, ITEM)
    )
    async with asyncio.timeout(100):
        while len(api.names(APPROVALS)) < 2:
            await asyncio.sleep(0)
        for name in api.names(APPROVALS):
            change(api.objects[APPROVALS.plural, name], decision="Approved")
            approvals.seen(api.objects[APPROVALS.plural, name])
        assert {(await first).outcome, (await second).outcome} == {"Approved"}


DATES = {"logicalDate": DAY, "intervalStart": DAY, "intervalEnd": DAY}
CALLED = {"dag": "child", "params": {"v": 1}, **DATES}
BEFORE = both_names(RUN, replace(START, number=1))[0]


@pytest.mark.parametrize(
    ("forged", "why"),
    [
        ({**CALLED, "dag": "forger"}, "it is of DAG forger"),
        ({**CALLED, "params": {"v": 2}}, "its params are others"),
        ({**CALLED, "queue": "q"}, "its dates or its queue are others"),
        ({"dag": "child", "params": {"v": 1}}, "its dates or its queue are others"),
        ({**CALLED, "reuse": {"run": "mine"}}, "it reuses results that are not those of the previous attempt"),
        ({**CALLED, "reuse": {"run": BEFORE, "only": ["x"]}}, "it reuses results that are not those"),
        ({**CALLED, "edits": [{"action": "Succeed", "tasks": ["x"]}]}, "it was created with edits"),
    ],
)
async def test_a_forged_run_of_a_sub_dag_is_not_believed(forged: Body, why: str) -> None:
    """Users who may create runs can give one the labels and the owner of a sub-DAG's run in advance."""
    api, told = Api(0.0), list[tuple[str, str]]()
    start = replace(START, number=2)
    usual, other = both_names(RUN, start)
    api.of("ours", RUNS, usual, start, spec=forged, status={"phase": "Succeeded", "results": {"verdict": "forged"}})
    sub_dags = SubDAGs(api, {}, lambda uid: None, lambda caller, name, why: told.append((name, why)))
    assert (await sub_dags._make(RUN, Call(start, "child", {"v": 1}, 1))).name == other
    assert told and told[0][0] == usual and why in told[0][1]


async def test_a_run_of_another_date_than_the_call_gives_does_not_count() -> None:
    api, date = Api(0.0), "2026-03-01T00:00:00Z"
    usual, other = both_names(RUN, START)
    api.of("ours", RUNS, usual, START, spec=CALLED, status={"phase": "Succeeded"})
    sub_dags = SubDAGs(api, {}, lambda uid: None)
    assert (await sub_dags._make(RUN, Call(START, "child", {"v": 1}, 0))).name == usual
    made = await sub_dags._make(RUN, Call(START, "child", {"v": 1}, 0, date))
    assert made.name == other and made.dates == {"logicalDate": date}


PARAM: Body = {"v": {"type": "integer"}, "w": {"default": "usual"}}
ALONE: Body = {"params": PARAM, "tasks": {"x": {"compute": {"n": "1"}}}}
CALLS: Body = {"params": PARAM, "tasks": {"x": {"dag": {"name": "leaf"}}}}
BOUND = {"phase": "Running", "params": {"v": 1, "w": "usual"}}


@pytest.mark.parametrize(
    ("status", "why"),
    [
        ({"revision": "alone"}, ""),
        ({"revision": "alone", "params": {"v": 2, "w": "usual"}}, "it began with other params"),
        ({"revision": "alone", "params": {"v": True, "w": "usual"}}, "it began with other params"),
        ({"revision": "calls"}, "it is bound to revision calls, and its caller to alone"),
        ({"revision": "alone", "calls": {"child": "alone"}}, "the DAGs that it calls are bound to revisions other"),
    ],
)
async def test_a_run_counts_by_what_it_was_bound_to(status: Body, why: str) -> None:
    """Whatever its spec is, or has become."""
    found = await _refusal({"child": "alone"}, {**BOUND, **status})
    assert why in found and bool(why) == bool(found)


@pytest.mark.parametrize(
    ("calls", "why"),
    [
        ({"child": "calls", "leaf": "leaf-1"}, ""),
        ({"child": "calls", "leaf": "leaf-2"}, "the DAGs that it calls are bound to revisions other"),
        ({}, "the DAGs that it calls are bound to revisions other"),
    ],
)
async def test_a_run_counts_by_what_it_calls_too(calls: Body, why: str) -> None:
    found = await _refusal({"child": "calls", "leaf": "leaf-1"}, {**BOUND, "revision": "calls", "calls": calls})
    assert why in found and bool(why) == bool(found)


async def test_a_run_whose_revision_is_gone_does_not_count() -> None:
    assert "its revision gone is gone" in await _refusal({}, {**BOUND, "revision": "gone"})


async def test_a_run_that_began_without_its_labels_does_not_count() -> None:
    """They were added afterwards."""
    api = _with_revisions()
    api.of("ours", RUNS, "r-ask-1", spec=CALLED)["status"] = {**BOUND, "revision": "alone"}
    assert (await SubDAGs(api, {}, lambda uid: None)._make(RUN, Call(START, "child", {"v": 1}, 0))).name == OTHER


async def test_a_run_that_has_lost_its_labels_since_it_began_counts() -> None:
    api = _with_revisions()
    made = api.of("ours", RUNS, "r-ask-1", spec=CALLED, status={**BOUND, "revision": "alone"})
    made["metadata"] |= {"labels": {}, "ownerReferences": []}
    assert (await SubDAGs(api, {}, lambda uid: None)._make(RUN, Call(START, "child", {"v": 1}, 0))).name == "r-ask-1"


async def test_a_run_that_begins_otherwise_than_it_was_made_has_no_outcome() -> None:
    """While it was queued, its labels were removed, so that it was bound to a revision of the forger's choosing."""
    api = _with_revisions()
    sub_dags = SubDAGs(api, {}, lambda uid: None)
    asked = asyncio.ensure_future(sub_dags.execute(RUN, Call(START, "child", {"v": 1}, 0), lambda words: None))
    async with asyncio.timeout(100):
        while "r-ask-1" not in api.names(RUNS):
            await asyncio.sleep(0)
        made = api.objects[RUNS.plural, "r-ask-1"]
        sub_dags.run_seen(
            read_run(
                api.put(
                    RUNS,
                    {
                        **made,
                        "status": {
                            **called_by(RUN, START),
                            "phase": "Succeeded",
                            "revision": "alone",
                            "params": {"v": 7, "w": "usual"},
                        },
                    },
                )
            )
        )
        outcome = await asked
    assert (
        outcome.reason == "SubDAGFailed" and "is not what the task calls: it began with other params" in outcome.message
    )


def _with_revisions() -> Api:
    api = Api(0.0)
    for name, spec in (("alone", ALONE), ("calls", CALLS)):
        api.revision(name, spec)
    return api


async def _refusal(pins: Body, status: Body) -> str:
    """Why a run with this status is not the one that a caller with these pins made; empty if it is."""
    api, told = _with_revisions(), list[str]()
    meta = {"name": "r", "namespace": "ns", "uid": "ours", "resourceVersion": "1", "creationTimestamp": DAY}
    state = RunState(read_run({"metadata": meta, "spec": {"dag": "d"}, "status": {"phase": "Running", "calls": pins}}))
    api.of("ours", RUNS, "r-ask-1", spec=CALLED, status=status)
    sub_dags = SubDAGs(api, {"ours": state}, lambda uid: None, lambda caller, name, why: told.append(why))
    made = await sub_dags._make(RUN, Call(START, "child", {"v": 1}, 0))
    assert (made.name == "r-ask-1") == (not told)
    return told[0] if told else ""


async def test_a_run_that_was_created_with_edits_and_deleted_is_not_believed() -> None:
    """The start of its deletion counts as a change, and a finalizer delays it."""
    api = Api(0.0)
    forged = api.of("ours", RUNS, "r-ask-1", spec={**CALLED, "edits": [{"action": "Succeed", "tasks": ["x"]}]})
    forged["metadata"] |= {"generation": 2, "deletionTimestamp": DAY}
    assert (await SubDAGs(api, {}, lambda uid: None)._make(RUN, Call(START, "child", {"v": 1}, 0))).name == OTHER


async def test_a_run_that_people_have_worked_on_is_still_that_of_its_sub_dag() -> None:
    api = Api(0.0)
    edited = {**CALLED, "edits": [{"action": "Clear", "tasks": ["x"]}], "priority": 3, "desiredState": "Suspended"}
    api.of("ours", RUNS, "r-ask-1", spec=edited)["metadata"]["generation"] = 2
    assert (await SubDAGs(api, {}, lambda uid: None)._make(RUN, Call(START, "child", {"v": 1}, 0))).name == "r-ask-1"


async def test_what_is_heard_of_a_forged_run_is_no_outcome() -> None:
    """Its events come while the real run is being created, and later."""
    api = Api(0.0)
    sub_dags = SubDAGs(api, {}, lambda uid: None)
    succeeded = {"phase": "Succeeded", "results": {"verdict": "forged"}}
    forged = read_run(api.of("ours", RUNS, "somewhere", spec={"dag": "forger"}, status=succeeded))
    asked = asyncio.ensure_future(sub_dags.execute(RUN, Call(START, "child", {}, 0), lambda words: None))
    async with asyncio.timeout(100):
        while "r-ask-1" not in api.names(RUNS):
            sub_dags.run_seen(forged)
            await asyncio.sleep(0)
        sub_dags.run_seen(forged)
        real = api.objects[RUNS.plural, "r-ask-1"]
        sub_dags.run_seen(
            read_run(
                api.put(
                    RUNS,
                    {
                        **real,
                        "status": {
                            **called_by(RUN, START),
                            "phase": "Succeeded",
                            "results": {"verdict": "real"},
                        },
                    },
                )
            )
        )
        assert (await asked).outputs == {"verdict": "real"}


async def test_a_run_of_a_sub_dag_is_as_deep_as_its_caller() -> None:
    """Otherwise triggers that lead to each other through sub-DAGs would start at zero again and again."""
    api = Api(0.0)
    made = await SubDAGs(api, {}, lambda uid: None)._make(replace(RUN, trigger_depth=5), Call(START, "child", {}, 0))
    assert made.trigger_depth == 5 and made.facts.trigger_depth == 5


async def test_a_question_is_closed_although_it_changes_meanwhile() -> None:
    api = Api(0.0)
    asked, patch, patched = api.of("ours", APPROVALS, "r-ask-1", spec=dict(ASKED)), api.patch, list[str]()

    async def late(*given: Any, **more: Any) -> Body:
        patched.append("")
        if len(patched) < 3:
            raise Conflict(409, "Conflict", "it has changed")
        return await patch(*given, **more)

    api.patch = late  # type: ignore[method-assign]
    await Approvals(api, lambda: 0.0).withdraw(RUN, QUESTION)
    assert asked["status"]["outcome"] == "Expired"
