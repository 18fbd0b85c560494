"""The sub-DAGs that ask for approvals: themselves, in their runs, or perhaps, if nobody can tell."""

from typing import Any

import pytest
from tradewind.control.dags import approval_askers as module
from tradewind.control.dags.approval_askers import asking
from tradewind.kube.resources import DAGS, TEMPLATES
from tradewind.plan.dags.compile import define

from control.triggerworld import Body, Server

ASKS: Body = {"tasks": {"ok": {"approval": {}}}}
PLAIN: Body = {"tasks": {"a": {"compute": {"n": "1"}}}}


def runs(*dags: str) -> Body:
    return {"tasks": {f"t{at}": {"dag": {"name": dag}} for at, dag in enumerate(dags)}}


async def found(first: str, **dags: Body) -> set[str]:
    api = Server(0.0)
    for name, spec in dags.items():
        api.put(DAGS, {"metadata": {"name": name}, "spec": spec})
    template: Body = {"metadata": {"name": "gate"}, "spec": {"task": {"approval": {}}}}
    api.put(TEMPLATES["TaskTemplate"], template)
    return set(await asking(api, "ns", define(runs(first)), "dag"))


@pytest.mark.parametrize(
    ("dags", "asks"),
    [
        ({"d": PLAIN}, set()),
        ({"d": ASKS}, {"d"}),
        ({"d": runs("e"), "e": runs("f"), "f": ASKS}, {"d", "e", "f"}),
        ({"d": runs("e", "f"), "e": PLAIN, "f": ASKS}, {"d", "f"}),
        ({"d": runs("d")}, set()),
        ({"d": runs("e"), "e": runs("d", "f"), "f": ASKS}, {"d", "e", "f"}),
        ({}, {"d"}),
        ({"d": runs("gone")}, {"d", "gone"}),
        ({"d": {"tasks": {"ok": {"template": {"name": "gate"}}}}}, {"d"}),
        ({"d": {"tasks": {"ok": {"template": {"name": "gone"}}}}}, {"d"}),
    ],
)
async def test_a_dag_asks_if_it_or_one_that_it_runs_does(dags: dict[str, Body], asks: set[str]) -> None:
    assert await found("d", **dags) == asks


async def test_of_more_dags_than_are_read_the_rest_may_ask(monkeypatch: Any) -> None:
    monkeypatch.setattr(module, "ASKERS_LIMIT", 3)
    chain = {f"d{at}": runs(f"d{at + 1}") for at in range(9)}
    assert "d0" in await found("d0", **chain, d9=PLAIN)
