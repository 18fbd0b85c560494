"""Messages of a status quote foreign values of any length; the API server refuses a message that is too long, and then
nothing is reported."""

from dataclasses import dataclass
from typing import Any

import pytest
from tradewind.control.dagrun.run import read_run
from tradewind.control.execution.start_status import queued
from tradewind.control.shared.valid_condition import Validity
from tradewind.control.triggers.run_maker import TriggerSnapshot
from tradewind.control.triggers.source import NotReady, SourceResult
from tradewind.kube.resources import RUNS, TRIGGERS
from tradewind.model.shown import MESSAGE

from control.triggerworld import Operator, Server, server

LONG = "x" * (MESSAGE + 1)


@dataclass
class Source:
    """A source of which only the end is known."""

    waits: bool
    kind: str = "schedule"

    async def look(self, trigger: TriggerSnapshot) -> SourceResult:
        if self.waits:
            raise NotReady(LONG)
        return SourceResult({"phase": "Waiting", "message": LONG})

    def forget(self, key: Any) -> None:
        pass


class LongOperator(Operator):
    def __init__(self, api: Server, waits: bool) -> None:
        self.source: Any = Source(waits)
        super().__init__(api)

    def sources(self, own: Any) -> dict[str, Any]:
        return {"schedule": self.source}


@pytest.mark.parametrize("waits", [True, False])
async def test_of_a_trigger(waits: bool) -> None:
    api = server(0.0, "t", cron="0 0 * * *")
    operator = LongOperator(api, waits)
    operator.triggers.dags.spec_seen("ns", "d", {"tasks": {}})
    await operator.look("t")
    await operator.save("t")
    found = api.objects[TRIGGERS.plural, "t"]["status"]
    assert found["phase"] == "Waiting" and found["message"] == "x" * (MESSAGE - 1) + "…"


def test_of_conditions_and_runs() -> None:
    run = read_run(Server(0.0).put(RUNS, {"metadata": {"name": "r"}, "spec": {"dag": "d"}}))
    status = queued(run, "Waits", LONG, 0.0)
    said = [status["message"], status["conditions"][0]["message"]]
    said.append(Validity(False, "Invalid", LONG).condition("Valid", {}, 1, 0.0)["message"])
    assert {len(text) for text in said} == {MESSAGE}
