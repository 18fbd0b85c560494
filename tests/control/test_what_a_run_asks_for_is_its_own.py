"""Approvals and runs of sub-DAGs are found by name, and names can be alike: of a run that was deleted and made anew, or of runs and tasks
whose names come to the same together. A run takes only what is its own."""

import asyncio
from typing import Any

import orjson
import pytest
from tradewind.control.approvals import Approvals, Question
from tradewind.control.podbuild import other_pod_name
from tradewind.control.subdag import Call, SubDAGs
from tradewind.kube.errors import AlreadyExists
from tradewind.kube.pod import RUN_UID, TASK
from tradewind.kube.resources import APPROVALS, RUNS, Resource
from tradewind.plan.decision import RunFacts, Start

from .triggerworld import Body, Server

DAY = "2026-01-31T06:00:00Z"
RUN = RunFacts(name="r", namespace="ns", uid="ours", dag="d", logical_date=DAY, interval_start=DAY, interval_end=DAY)
START = Start("ask", None, 1, "")
OTHER = other_pod_name(RUN, START)


class Api(Server):
    """One that creates whatever is asked for."""

    async def create(self, resource: Resource, namespace: str, body: Any, **query: str) -> bytes:
        if (resource.plural, body["metadata"]["name"]) in self.objects:
            raise AlreadyExists(409, "AlreadyExists", body["metadata"]["name"])
        return orjson.dumps(self.put(resource, body))

    def of(self, owner: str, resource: Resource, name: str, **parts: Any) -> Body:
        """There is an object of a run."""
        labels = {RUN_UID: owner, "tradewind.dev/run": "r", TASK: "ask", "tradewind.dev/attempt": "1"}
        meta = {"name": name, "labels": labels, "ownerReferences": [{"kind": "DAGRun", "name": "r", "uid": owner}]}
        return self.put(resource, {"metadata": meta, **parts})

    def names(self, resource: Resource) -> set[str]:
        return {name for plural, name in self.objects if plural == resource.plural}


def change(body: Body, **spec: str) -> None:
    """Somebody changes an object, which an API server counts."""
    body["spec"] |= spec
    body["metadata"]["generation"] += 1


QUESTION = Question(("r-ask-1", OTHER), "ask", "Release 2?", {}, None)
ASKED = {"run": "r", "task": "ask", "message": "Release 2?"}


@pytest.mark.parametrize(
    ("made", "words"),
    [
        ({**ASKED, "decision": "Approved", "by": "alice"}, "it was made with a decision"),
        ({**ASKED, "message": "Tidy up?"}, "it asks something else"),
        ({**ASKED, "task": "another"}, "it asks something else"),
    ],
)
async def test_an_approval_that_somebody_made_beforehand_decides_nothing(made: Body, words: str) -> None:
    """Whoever may create approvals knows the name that the operator will ask for. What he made is sealed, so that no later change turns it
    into a decision, and another object asks."""
    api = Api(0.0)
    forged = api.of("ours", APPROVALS, "r-ask-1", spec=made)
    approvals = Approvals(api, lambda: 0.0)
    names: list[str] = []
    asked = asyncio.ensure_future(approvals.decide(RUN, QUESTION, names.append))
    async with asyncio.timeout(5):
        while not names:
            await asyncio.sleep(0)
    assert names == [OTHER] and forged["status"]["outcome"] == "Invalid" and words in forged["status"]["message"]
    change(forged, comment="who made this?", decision="Approved", by="alice")
    approvals.seen(forged)
    change(api.objects[APPROVALS.plural, OTHER], decision="Rejected", by="bob")
    approvals.seen(api.objects[APPROVALS.plural, OTHER])
    assert (await asked).outcome == "Rejected"


async def test_a_decision_about_another_run_is_none_about_this_one() -> None:
    api = Api(0.0)
    api.of("another", APPROVALS, "r-ask-1", spec={"decision": "Approved", "by": "somebody"})
    approvals, question = Approvals(api, lambda: 0.0), Question(("r-ask-1", OTHER), "ask", "?", {}, None)
    names: list[str] = []
    asked = asyncio.ensure_future(approvals.decide(RUN, question, names.append))
    async with asyncio.timeout(5):
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
    assert (await sub_dags._made(RUN, call)).name == OTHER
    del api.objects[RUNS.plural, "r-ask-1"]
    assert (await sub_dags._made(RUN, call)).name == OTHER
    assert api.names(RUNS) == {OTHER}
