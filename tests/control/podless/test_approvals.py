"""Approvals: what is kept of questions that somebody deletes again and again."""

from typing import Any

import orjson
import pytest
from tradewind.control.podless import approvals as module
from tradewind.control.podless.approvals import Approvals, Question
from tradewind.kube.client import Client
from tradewind.kube.errors import NotFound, Unavailable
from tradewind.plan.runs.decision import RunFacts, Start


class Deleting(Client):
    """Deletes each object at once. Breaks down after `most`."""

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
    approvals = Approvals(Deleting(50))
    run = RunFacts("r", "ns", "uid", "d", {}, 0, "", "", "")
    question = Question(Start("a", None, 1, ""), "really?", {}, None)
    with pytest.raises(Unavailable):
        await approvals.decide(run, question, lambda name: None)
    assert list(approvals._made) == [f"uid-{number}" for number in range(46, 51)]
