"""Makes the run of an occasion: exactly one, however often it is tried."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import orjson

from tradewind import API_VERSION
from tradewind.control.dagrun.run import Run, read_run
from tradewind.kube.client import Client, Object
from tradewind.kube.errors import AlreadyExists
from tradewind.kube.fair_queue import Lane
from tradewind.kube.labels import DAG, HOW, TRIGGER, TRIGGER_DEPTH
from tradewind.kube.resources import RUNS
from tradewind.kube.writes import flow
from tradewind.model.shown import shown
from tradewind.model.trigger import TriggerSpec
from tradewind.model.value import Param
from tradewind.plan.documents.problem import Invalid
from tradewind.plan.expressions.typed_values import resolve
from tradewind.plan.triggers.trigger import Firing, Given, given

CAUSE = "tradewind.dev/cause"
"""Annotation of a run: the reason why its trigger fired."""


@dataclass(frozen=True, slots=True)
class TriggerSnapshot:
    """A trigger as last seen. `created` is epoch seconds."""

    namespace: str
    name: str
    uid: str
    generation: int
    created: float
    spec: TriggerSpec
    status: Mapping[str, Any]
    deleting: bool = False

    @property
    def key(self) -> tuple[str, str]:
        """Namespace and name."""
        return self.namespace, self.name


@dataclass(frozen=True, slots=True)
class Fired:
    """The result of an occasion: `run` is the new run, `error` says why there is none."""

    name: str
    result: Literal["created", "duplicate", "filtered", "failed"]
    run: Run | None = None
    error: str = ""


async def fire(
    client: Client, trigger: TriggerSnapshot, firing: Firing, declared: Mapping[str, Param] | None = None
) -> Fired:
    """Makes the run of an occasion, unless it exists. `declared` are the DAG's params; if they are None, the run itself checks its params.
    Raises ExpressionError for params that can't be computed, Invalid for params that don't fit, and errors of the API."""
    found = given(trigger.name, trigger.namespace, trigger.spec, firing)
    if found is None:
        return Fired(run_name(trigger.name, firing.suffix), "filtered")
    if declared is not None and (problems := resolve(declared, found.params)[1]):
        raise Invalid(problems)
    return await make(client, trigger, firing, found)


async def make(client: Client, trigger: TriggerSnapshot, firing: Firing, found: Given) -> Fired:
    """As `fire`, with the values for the run."""
    name = run_name(trigger.name, firing.suffix)
    try:
        with flow(trigger.namespace, ("trigger", trigger.name), Lane.ON_TIME):
            answer = await client.create(RUNS, trigger.namespace, body(trigger, firing, found))
    except AlreadyExists:
        return Fired(name, "duplicate")
    return Fired(name, "created", read_run(orjson.loads(answer)))


def run_name(trigger: str, suffix: str) -> str:
    """The name of an occasion's run."""
    return f"{trigger}-{suffix}"


def body(trigger: TriggerSnapshot, firing: Firing, found: Given) -> Object:
    """The manifest of the run."""
    spec: dict[str, Any] = {
        "dag": trigger.spec.dag,
        "params": dict(found.params),
        "logicalDate": found.logical_date,
        "intervalStart": found.interval_start,
        "intervalEnd": found.interval_end,
        "priority": trigger.spec.priority,
        "queue": firing.queue,
    }
    depth = {TRIGGER_DEPTH: str(firing.depth)} if firing.depth else {}
    annotations = {CAUSE: shown(firing.cause[:1_024])} if firing.cause else {}
    return {
        "apiVersion": API_VERSION,
        "kind": "DAGRun",
        "metadata": {
            "name": run_name(trigger.name, firing.suffix),
            "labels": {DAG: trigger.spec.dag, HOW: firing.how, TRIGGER: trigger.name, **depth},
            "annotations": annotations,
        },
        "spec": {name: value for name, value in spec.items() if value not in (None, "", {})},
    }
