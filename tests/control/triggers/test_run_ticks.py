"""What made a run, and where the run stands among the ticks of that."""

from typing import Any

import pytest
from tradewind.control.dagrun.run import read_run
from tradewind.control.dags.start_values import NotThere
from tradewind.control.shared.coalesced_reads import CoalescingReader
from tradewind.control.triggers.run_ticks import RunTicks
from tradewind.kube.client import Client
from tradewind.kube.errors import NotFound
from tradewind.model.duration import instant
from tradewind.plan.triggers.newest_tick import Place

NOW = instant("2026-05-10T12:00:00Z")
DAILY = {"dag": "d", "schedule": {"cron": "@daily"}}


class Objects(Client):
    """Has these objects, by plural and name."""

    def __init__(self, **objects: dict[str, Any]) -> None:
        self.objects = objects

    async def get(self, resource: Any, namespace: str, name: str) -> Any:
        try:
            return self.objects[f"{resource.plural}_{name}"]
        except KeyError:
            raise NotFound(404, "NotFound", name) from None

    async def list(self, resource: Any, namespace: str | None = None, **query: str) -> Any:
        name = query["fieldSelector"].removeprefix("metadata.name=")
        return {"items": [body] if (body := self.objects.get(f"{resource.plural}_{name}")) else []}


def run(day: str, how: str, maker: str = "", uid: str = "u", **more: Any) -> dict[str, Any]:
    labels = {"tradewind.dev/trigger-type": how, "tradewind.dev/trigger": maker, **more.pop("labels", {})}
    meta = {"name": "r", "namespace": "ns", "uid": uid, "resourceVersion": "1", "labels": labels, **more}
    meta["creationTimestamp"] = "2026-05-10T11:00:00Z"
    return {"metadata": meta, "spec": {"dag": "d", "logicalDate": f"2026-05-{day}T00:00:00Z"}}


def backfilled(day: str, maker: str) -> dict[str, Any]:
    return run(day, "backfill", maker, labels={"backfill.tradewind.dev/may": "true"})


def called(of: dict[str, Any], uid: str = "u") -> dict[str, Any]:
    labels = {"tradewind.dev/run": "caller", "tradewind.dev/task": "t", "tradewind.dev/attempt": "1"}
    owners = [{"uid": uid, "controller": True}]
    return run("01", "parent", uid="own", labels={**labels, "tradewind.dev/depth": "1"}, ownerReferences=owners)


async def found(body: dict[str, Any], **objects: dict[str, Any]) -> Place:
    client = Objects(**objects)
    return await RunTicks(client, CoalescingReader(client), lambda: NOW).of(read_run(body))


@pytest.mark.parametrize(
    ("body", "objects", "place"),
    [
        (run("10", "schedule", "t"), {"triggers_t": {"spec": DAILY}}, Place(True, "2026-05-11T00:00:00Z")),
        (run("09", "schedule", "t"), {"triggers_t": {"spec": DAILY}}, Place(False, "2026-05-10T00:00:00Z")),
        (run("09", "manual"), {}, Place()),
        (run("09", "event", "t"), {"triggers_t": {"spec": {"dag": "d", "event": {}}}}, Place()),
        (run("09", "schedule", "gone"), {}, Place()),
        (run("09", "schedule", "t"), {"triggers_t": {"spec": {"dag": "d", "schedule": {"cron": "x"}}}}, Place()),
        (
            backfilled("09", "t"),
            {
                "triggers_t": {"spec": DAILY},
                "backfills_may": {"spec": {"dag": "d", "trigger": "t", "start": "2026-05-01"}},
            },
            Place(False, "2026-05-10T00:00:00Z"),
        ),
        (
            backfilled("03", "may"),
            {"backfills_may": {"spec": {"dag": "d", "cron": "@daily", "start": "2026-05-01", "end": "2026-05-03"}}},
            Place(False, "2026-05-04T00:00:00Z"),
        ),
        (
            backfilled("03", "may"),
            {"backfills_may": {"spec": {"dag": "d", "ticks": ["2026-05-01", "2026-05-03"]}}},
            Place(True, ""),
        ),
        (backfilled("03", "may"), {}, Place(latest=False)),
        (
            called(run("09", "schedule", "t")),
            {"triggers_t": {"spec": DAILY}, "dagruns_caller": run("09", "schedule", "t")},
            Place(False, "2026-05-10T00:00:00Z"),
        ),
        (called(run("09", "schedule", "t"), "forged"), {"dagruns_caller": run("09", "schedule", "t")}, Place()),
    ],
)
async def test_the_ticks_of_a_run_are_those_of_what_made_it(
    body: dict[str, Any], objects: dict[str, dict[str, Any]], place: Place
) -> None:
    assert await found(body, **objects) == place


async def test_a_run_that_claims_to_be_its_own_caller_is_read_a_few_times_only() -> None:
    body = called(run("09", "manual"))
    body["metadata"] |= {"uid": "u", "name": "caller"}
    assert await found(body, dagruns_caller=body) == Place()


async def test_a_run_waits_for_the_calendar_of_its_schedule() -> None:
    spec = {"dag": "d", "schedule": {"cron": "@daily", "exclude": [{"configMap": {"name": "holidays"}}]}}
    with pytest.raises(NotThere, match=r"schedule t: spec\.schedule\.exclude.*there is no ConfigMap 'holidays'"):
        await found(run("09", "schedule", "t"), triggers_t={"spec": spec})
