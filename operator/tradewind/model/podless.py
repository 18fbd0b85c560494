"""Tasks that the operator does itself, without a pod: an HTTP request, a wait, an approval, a run of another DAG."""

from typing import Annotated, Literal

from pydantic import ConfigDict, Field

from tradewind.model.base import Model, Name, Params, ShortText, Text, crd, rule
from tradewind.model.duration import Duration, Limit
from tradewind.model.value import Param

LONGEST = 300.0
"""Seconds that the operator waits for a server at most: a place among its requests is not one tenant's for long."""


class HttpRequest(Model):
    """An HTTP request. The response becomes the outputs `status` and `body` (parsed when it is JSON). The operator sends it, without a
    pod, unless the task needs one."""

    url: Annotated[str, Field(min_length=1, max_length=8_192)]
    """http:// or https:// address. `$[[ ]]` expressions are rendered."""
    method: Literal["GET", "POST", "PUT", "PATCH", "DELETE", "HEAD"] = "GET"
    """Request method."""
    headers: Annotated[dict[str, ShortText], Field(max_length=64)] = {}
    """Request headers. `$(NAME)` is replaced by an environment variable of the task, so that secrets come by envFrom."""
    body: Text = ""
    """Request body. `$[[ ]]` expressions are rendered."""
    expect_status: Annotated[list[Annotated[int, Field(ge=100, le=599)]], Field(max_length=20)] = []
    """Status codes that count as success; every 2xx when empty."""
    timeout: Duration = "30s"
    """Limit for the whole request, up to 5m where the operator sends it."""
    pod: bool = False
    """When true the request is sent from a pod of its own, with the network and the identity that the task's settings give it."""


class Wait(Model):
    """Time to pass. It costs nothing, and goes on while the operator is away."""

    model_config = ConfigDict(
        json_schema_extra=crd(
            x_kubernetes_validations=[rule("has(self.duration) != has(self.until)", "write duration or until")]
        )
    )

    duration: Annotated[str, Field(max_length=4_096)] = ""
    """How long, from the moment that the dependencies have ended, e.g. 10m; `$[[ ]]` is rendered."""
    until: Annotated[str, Field(max_length=4_096)] = ""
    """A point in time with its zone, e.g. 2026-01-31T06:00:00Z; `$[[ ]]` is rendered. One that is over lets the task end at once."""


class Approval(Model):
    """A person's decision. The operator makes an object of kind Approval in the run's namespace: who may patch those, may decide.
    The decision becomes the outputs `approved`, `by`, `comment` and `answers`."""

    message: Text = ""
    """What is to be decided; `$[[ ]]` is rendered."""
    questions: Annotated[dict[str, Param], Field(max_length=20)] = {}
    """What the one who decides may or must answer besides, typed like params."""
    timeout: Limit | None = None
    """How long the decision may take; no limit when absent."""
    on_reject: Literal["Fail", "Continue"] = "Fail"
    """Fail: the task fails when the decision is no. Continue: it succeeds, with the output `approved: false`."""
    on_timeout: Literal["Fail", "Continue"] = "Fail"
    """The same for a decision that did not come in time."""


class SubDAG(Model):
    """A run of another DAG. The task succeeds when that run does, and its outputs are the run's results: the other DAG's `spec.outputs`."""

    name: Name
    """Name of the other DAG, in the same namespace."""
    params: Params = {}
    """Values for its params. `$[[ ]]` is rendered; where it is the whole value, its type is kept."""
