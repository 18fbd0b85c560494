"""Local DAGs: DAGs within the manifest of another, which only that one runs."""

from typing import Annotated

from pydantic import Field

from tradewind.model.base import (
    IDENTIFIER,
    MAX_TASKS,
    OF_IDENTIFIERS,
    Expression,
    Model,
    ShortText,
    crd,
    keys,
)
from tradewind.model.duration import Limit
from tradewind.model.task import PodSettings, Task
from tradewind.model.value import Param

MOST_LOCAL_DAGS = 32
"""Of one DAG: the revisions of all are in the status of its runs."""
OF_LABELS = "lower-case letters, digits and '-', with a letter or digit at both ends"


class LocalDAG(Model):
    """A DAG that only tasks of the same manifest run, by `dag: {local: NAME}`. It sees its own params only."""

    description: ShortText = ""
    """Purpose of the local DAG."""
    params: Annotated[
        dict[str, Param], Field(max_length=100, json_schema_extra=keys(IDENTIFIER, "param", OF_IDENTIFIERS))
    ] = {}
    """Params of the local DAG, by name. The calling task gives them in `dag.params`."""
    outputs: Annotated[
        dict[str, Expression], Field(max_length=64, json_schema_extra=keys(IDENTIFIER, "output", OF_IDENTIFIERS))
    ] = {}
    """Results of its run, as in spec.outputs: the outputs of the calling task."""
    defaults: PodSettings = PodSettings()
    """Settings for its tasks, over those of spec.defaults."""
    timeout: Limit | None = None
    """Time limit for its run. No limit when absent."""
    parallelism: Annotated[int, Field(ge=1, le=10_000)] | None = None
    """Maximum number of pods and sub-DAG runs of its run that are active at once. No limit when absent."""
    fail_fast: bool = False
    """If true, a run of it that can't succeed any more stops its active tasks and starts no others."""
    tasks: Annotated[
        dict[str, Task],
        Field(
            min_length=1,
            max_length=MAX_TASKS,
            json_schema_extra={
                # A second schema of tasks, with its rules, would cost an API server too much.
                "additionalProperties": {"type": "object", **crd(x_kubernetes_preserve_unknown_fields=True)},
            },
        ),
    ]
    """The tasks, by name, each with the fields of a task in spec.tasks."""
