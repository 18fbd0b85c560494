"""Facts about runs, as triggers get them: what one namespace reads delays no other, and nothing is kept that nobody
follows."""

import asyncio
from dataclasses import replace
from typing import Any

import orjson
from tradewind.control.dagrun.run import Run
from tradewind.control.triggers.run_facts import ConsumedFacts, Topic, facts_of
from tradewind.kube.client import Client

from control.factworld import Operator, server


class Slow(Client):
    """Has no runs, and answers for the namespace `slow` only when it is released."""

    def __init__(self) -> None:
        self.asked, self.answer = asyncio.Event(), asyncio.Event()

    async def list_raw(self, resource: Any, namespace: str | None = None, **query: Any) -> bytes:
        if namespace == "slow":
            self.asked.set()
            await self.answer.wait()
        return orjson.dumps({"metadata": {"resourceVersion": "1"}, "items": []})


class Audience:
    """Follows the runs in `topics`."""

    def __init__(self, *topics: Topic) -> None:
        self.topics = set(topics)

    def followed(self, topic: Topic) -> bool:
        return topic in self.topics

    def notify(self, topic: Topic) -> None:
        pass


async def test_a_namespace_that_is_read_for_long_holds_no_other_back() -> None:
    slow, other = ("assets", "slow", "x"), ("assets", "ns", "x")
    client = Slow()
    facts = ConsumedFacts(client, Audience(slow, other))
    reading = asyncio.create_task(facts.of([slow]))
    await client.asked.wait()
    assert await asyncio.wait_for(facts.of([other]), 100) == []
    client.answer.set()
    assert await reading == []


async def test_nothing_is_kept_of_what_nobody_follows_any_more() -> None:
    audience = Audience()
    facts = ConsumedFacts(Slow(), audience)
    for number in range(50):
        audience.topics = {("assets", "ns", f"asset-{number}"), ("assets", "other", "x")}
        await facts.of(sorted(audience.topics))
    assert set(facts._facts) == facts._read == audience.topics


async def test_nothing_is_kept_of_dags_that_a_trigger_made_runs_of_before() -> None:
    there = server(completed={"dags": [{"name": "a"}]})
    operator = Operator(there)
    body = next(body for (plural, _, _), body in there.objects.items() if plural == "triggers")
    for number in range(20):
        body["metadata"]["generation"], body["spec"]["dag"] = number + 2, f"d-{number}"
        body["metadata"]["resourceVersion"] = str(1_000 + number)
        operator.trigger_seen(body)
    assert list(operator.triggers._of_dag) == [("ns", "d-19")]


def test_a_run_of_some_tasks_only_has_not_completed_its_dag() -> None:
    status = {"phase": "Succeeded", "finishedAt": "2026-05-01T00:00:00Z"}
    whole = Run("r", "ns", "u", 1, 1, 0, False, "d", {}, "Running", status)
    assert [kind for kind, _ in facts_of(whole)] == ["completed"]
    assert [*facts_of(replace(whole, until=("a",)))] == [] and [*facts_of(replace(whole, only=("a",)))] == []
