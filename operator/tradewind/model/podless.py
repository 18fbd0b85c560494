"""Tasks that the operator executes itself, without a pod: an HTTP request, a wait, an approval, a run of another
DAG."""

from typing import Annotated, Literal

from pydantic import ConfigDict, Field

from tradewind.model.base import Model, Name, Params, ShortText, Text, crd, rule
from tradewind.model.duration import Duration, Limit
from tradewind.model.value import Param

LONGEST = 300.0
"""Maximum seconds that the operator waits for a server: no tenant keeps one of its request slots for long."""


class HttpRequest(Model):
    """An HTTP request. The response becomes the outputs `status` and `body` (parsed if it is JSON). The operator sends
    the request without a pod, unless the task needs one."""

    url: Annotated[str, Field(min_length=1, max_length=8_192)]
    """URL with http:// or https://. `$[[ ]]` is rendered."""
    method: Literal["GET", "POST", "PUT", "PATCH", "DELETE", "HEAD"] = "GET"
    """Request method."""
    headers: Annotated[dict[str, ShortText], Field(max_length=64)] = {}
    """Request headers. `$(NAME)` is replaced by an environment variable of the task, so secrets can come from
    envFrom."""
    body: Text = ""
    """Request body. `$[[ ]]` is rendered."""
    expect_status: Annotated[list[Annotated[int, Field(ge=100, le=599)]], Field(max_length=20)] = []
    """Status codes that count as success. Empty means all 2xx."""
    timeout: Duration = "30s"
    """Time limit for the request; at most 5m if the operator sends it."""
    pod: bool = False
    """If true, the request is sent from a pod of its own, with the network and the identity of the task's settings."""


class Wait(Model):
    """A delay. It uses no resources and continues while the operator is down."""

    model_config = ConfigDict(
        json_schema_extra=crd(
            x_kubernetes_validations=[rule("has(self.duration) != has(self.until)", "write duration or until")]
        )
    )

    duration: Annotated[str, Field(max_length=4_096)] = ""
    """How long to wait after the dependencies have ended, e.g. 10m. `$[[ ]]` is rendered."""
    until: Annotated[str, Field(max_length=4_096)] = ""
    """Time to wait for, with time zone, e.g. 2026-01-31T06:00:00Z. `$[[ ]]` is rendered. If it is in the past, the task
    ends at once."""


class Approval(Model):
    """A decision by a person. The operator creates an Approval object in the run's namespace; anyone who may patch it
    may decide. The decision becomes the outputs `approved`, `by`, `comment` and `answers`."""

    message: Text = ""
    """The question to decide. `$[[ ]]` is rendered."""
    questions: Annotated[dict[str, Param], Field(max_length=20)] = {}
    """Further values to ask for, by name, typed like params."""
    timeout: Limit | None = None
    """Time limit for the decision. No limit when absent."""
    on_reject: Literal["Fail", "Continue"] = "Fail"
    """Effect of a rejection. Fail: the task fails. Continue: it succeeds with the output `approved: false`."""
    on_timeout: Literal["Fail", "Continue"] = "Fail"
    """Effect of a missed deadline, with the same values as onReject."""


class SubDAG(Model):
    """A run of another DAG. The task succeeds if that run does. Its outputs are the run's results: the other DAG's
    `outputs`."""

    model_config = ConfigDict(
        json_schema_extra=crd(
            x_kubernetes_validations=[rule("has(self.name) != has(self.local)", "write name or local")]
        )
    )

    name: Name = ""
    """Name of the other DAG, in the same namespace."""
    local: Name = ""
    """Name of a DAG in `spec.dags` of the same manifest."""
    params: Params = {}
    """Values for the DAG's params. `$[[ ]]` is rendered; an expression that is the whole value keeps its type."""

    logical_date: ShortText = ""
    """Logical date of the run, with time zone, e.g. 2026-01-31T06:00:00Z. `$[[ ]]` is rendered. By default the run has the
    dates of its caller."""

    @property
    def key(self) -> str:
        """What tells it from the other DAGs that tasks of the same manifest run: the name, or `.NAME` of a local one."""
        return self.name or f".{self.local}"

    def within(self, home: str) -> str:
        """The name of the DAG for its runs, if it is called in the manifest of `home`."""
        return self.name or f"{home}.{self.local}"

    def __str__(self) -> str:
        return f"DAG {self.name}" if self.name else f"local DAG {self.local}"
