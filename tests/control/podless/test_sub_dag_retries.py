"""A retry of a sub-DAG reuses the results of the previous attempt. If someone has deleted that one, it runs again: this
is not the user's failure. A rerun that a person requested is refused: it names a run that does not exist."""

from dataclasses import replace
from typing import Any

import orjson
from tradewind.control.dagrun.run import Caller, read_run
from tradewind.control.dagrun.state import RunState
from tradewind.control.dags.revisions import Revisions
from tradewind.control.dags.start_values import StartValues
from tradewind.control.dags.template_index import Templates
from tradewind.control.execution.run_start import RunStarter
from tradewind.control.shared.coalesced_reads import CoalescingReader
from tradewind.kube.resources import DAGS, RUNS, Resource

from control.triggerworld import Server

SPEC = {"tasks": {"t": {"image": "x", "command": ["x"]}}}


class Api(Server):
    """A server that keeps revisions too."""

    async def get_raw(self, resource: Resource, namespace: str, name: str) -> bytes:
        return orjson.dumps(await self.get(resource, namespace, name))

    async def create(self, resource: Resource, namespace: str, body: Any, **query: str) -> bytes:
        return orjson.dumps(self.put(resource, body))


async def begun(caller: Caller | None) -> dict[str, Any]:
    """The status of a run at its start that should reuse a deleted one."""
    api = Api(0.0)
    api.put(DAGS, {"metadata": {"name": "d"}, "spec": SPEC})
    body = api.put(RUNS, {"metadata": {"name": "r"}, "spec": {"dag": "d", "reuse": {"run": "gone"}}})
    run = replace(read_run(body), caller=caller)
    reader = CoalescingReader(api)
    values = StartValues(api, reader)
    begin = RunStarter(api, reader, Revisions(api), Templates(api, whole=True), lambda run: False, lambda: 0.0, values)
    found = await begin.begin(RunState(run), lambda: [])
    return dict(found.status)


async def test_a_retry_whose_earlier_run_is_gone_begins_with_nothing() -> None:
    status = await begun(Caller("u", "parent", "t", 2, 0))
    assert status["phase"] == "Running" and not status.get("attempts")


async def test_a_rerun_of_a_run_that_is_not_there_is_refused() -> None:
    status = await begun(None)
    assert status["phase"] == "Failed" and "there is no run 'gone'" in status["message"]
