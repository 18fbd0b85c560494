"""Approvals that someone deletes again and again."""

from typing import Any, cast

import orjson
import pytest
from tradewind.control.podless import approvals as module
from tradewind.control.podless.approvals import Approvals, Question
from tradewind.control.podless.work import Worker
from tradewind.control.pods.rendering import Renderer
from tradewind.kube.client import Client
from tradewind.kube.errors import NotFound, Unavailable
from tradewind.plan.dags.compile import define
from tradewind.plan.runs.decision import RunFacts, Start
from tradewind.plan.runs.planner import Planner

RUN = RunFacts("r", "ns", "uid", "d", {}, 0, "", "", "")
QUESTION = Question(Start("a", None, 1, ""), "really?", {}, None)


class Deleting(Client):
    """Deletes each object at once. Fails after `most`."""

    def __init__(self, most: int) -> None:
        self.made, self.most = 0, most

    async def get(self, resource: Any, namespace: str, name: str) -> Any:
        raise NotFound(404, "NotFound", name)

    async def create(self, resource: Any, namespace: str, body: Any, **query: str) -> bytes:
        self.made += 1
        if self.made > self.most:
            raise Unavailable(503, "Unavailable", "it is away")
        meta = {"uid": f"uid-{self.made}", "namespace": namespace, "resourceVersion": "1", "generation": 1}
        return orjson.dumps({**body, "metadata": {**body["metadata"], **meta}})

    async def patch(self, resource: Any, namespace: str | None, name: str, body: Any, *_: str, **query: str) -> Any:
        raise NotFound(404, "NotFound", name)


async def test_questions_that_somebody_deletes_at_once_are_not_remembered_for_ever(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(module, "MADE_LIMIT", 5)
    monkeypatch.setattr(module, "FIRST_PAUSE", 0.0)
    approvals = Approvals(Deleting(50))
    with pytest.raises(Unavailable):
        await approvals.decide(RUN, QUESTION, lambda name: None)
    assert list(approvals._made) == [f"uid-{number}" for number in range(46, 51)]


@pytest.fixture
def pauses(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The pauses, which take no time."""
    found = list[float]()

    async def sleep(seconds: float) -> None:
        found.append(seconds)

    monkeypatch.setattr(module.asyncio, "sleep", sleep)
    return found


async def test_questions_that_somebody_deletes_at_once_are_asked_after_ever_longer_pauses(pauses: list[float]) -> None:
    told = list[float]()
    with pytest.raises(Unavailable):
        await Approvals(Deleting(12)).decide(RUN, QUESTION, lambda name: None, told.append)
    assert pauses == told == [1, 2, 4, 8, 16, 32, 64, 128, 256, 300, 300]


async def test_one_that_was_there_for_long_is_asked_again_at_once(
    pauses: list[float], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "LONGEST_PAUSE", -1.0)
    with pytest.raises(Unavailable):
        await Approvals(Deleting(12)).decide(RUN, QUESTION, lambda name: None)
    assert pauses == []


async def test_a_task_says_that_its_question_is_deleted_again_and_again(pauses: list[float]) -> None:
    client, nothing, said = Deleting(3), cast(Any, None), list[tuple[str, str]]()
    planner = Planner(define({"tasks": {"a": {"approval": {"message": "really?"}}}}), RUN)
    work = Worker(client, nothing, Approvals(client), nothing).work(
        planner, QUESTION.start, planner.definition.tasks["a"], 0, Renderer("a", str)
    )
    with pytest.raises(Unavailable):
        await work.begin(lambda words, reason="": said.append((reason, words)))
    assert [words for reason, words in said if reason == "ApprovalDeleted"] == [
        f"someone keeps deleting approval r-a-1: it is created again after {after}" for after in ("1s", "2s")
    ]
