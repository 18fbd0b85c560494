"""What is too much to check is refused with a message, and delays nobody else's check."""

import asyncio
import operator
from collections.abc import AsyncIterator
from functools import partial
from typing import Any

import pytest_asyncio
from tradewind.control.admission import cluster_lookup
from tradewind.control.admission.cluster_lookup import ApiClusterLookup
from tradewind.control.admission.handler import AdmissionReview, Request, admit
from tradewind.control.dags import judgement
from tradewind.control.evaluation.worker_pool import Workers
from tradewind.kube.client import Client

ENDLESS = range(10**18)
DAG = {"tasks": {"a": {"image": "x"}}}
WORDS = "spec: too much to check: it takes more than 0.2 s of computing; use fewer and shorter expressions, and compute in tasks"


class Server(Client):
    """A server that has one DAG."""

    def __init__(self) -> None:
        """Needs no connection."""

    async def get(self, *_: Any) -> dict[str, Any]:
        return {"metadata": {"uid": "u", "generation": 1}, "spec": DAG}


class Loud(ApiClusterLookup):
    """Every review of namespace `loud` takes forever."""

    async def judge(self, namespace: str, spec: Any, of: Any) -> Any:
        return await super().judge(namespace, spec, partial(operator.countOf, ENDLESS) if namespace == "loud" else of)


@pytest_asyncio.fixture
async def cluster() -> AsyncIterator[Loud]:
    async with Workers(2, seconds=0.2, preload=judgement.__name__).running() as workers:
        yield Loud(Server(), False, workers)


def request(namespace: str, kind: str = "DAG", spec: Any = DAG, size: int = 0) -> Request:
    return Request("u", kind, "CREATE", namespace, "x", {}, {"metadata": {}, "spec": spec}, size=size)


async def test_a_namespace_is_reviewed_while_another_takes_for_ever() -> None:
    async with Workers(2, seconds=3_600, preload=judgement.__name__).running() as workers:
        cluster = Loud(Server(), False, workers)
        loud = [asyncio.create_task(admit(request("loud"), cluster)) for _ in range(3)]
        for _ in loud:
            await asyncio.sleep(0)
        async with asyncio.timeout(100):
            verdict = await admit(request("quiet"), cluster)
        assert not verdict.problems and not any(task.done() for task in loud)
        for task in loud:
            task.cancel()
        await asyncio.gather(*loud, return_exceptions=True)


async def test_a_dag_that_is_too_much_to_check_is_refused(cluster: Loud) -> None:
    for namespace, words in (("loud", [WORDS]), ("quiet", []), ("loud", [WORDS])):
        verdict = await admit(request(namespace), cluster)
        assert [str(problem) for problem in verdict.problems] == words


async def test_another_kind_that_takes_for_ever_is_refused_too(cluster: Loud) -> None:
    async def endless(made: Request, cluster: Any) -> AdmissionReview:
        return AdmissionReview(await cluster.work(made, sum, ENDLESS))

    verdict = await admit(
        request("quiet", "Pool", size=cluster_lookup.SMALL_REQUEST_BYTES + 1), cluster, {"Pool": endless}
    )
    assert [str(problem) for problem in verdict.problems] == [WORDS]


async def test_a_run_of_such_a_dag_is_taken_with_a_warning(cluster: Loud) -> None:
    verdict = await admit(request("loud", "DAGRun", {"dag": "d"}), cluster)
    assert not verdict.problems and verdict.warnings == [f"DAG d is invalid, so the run will fail: {WORDS}"]
