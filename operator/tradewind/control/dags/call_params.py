"""The params that a task passes to the run of another DAG."""

from typing import Any

from tradewind.control.pods.rendering import Renderer
from tradewind.model.podless import SubDAG
from tradewind.plan.expressions.interpolation import secret
from tradewind.plan.runs.planner import Planner


def call_params(planner: Planner, dag: SubDAG, renderer: Renderer) -> dict[str, Any]:
    """The rendered params of the run; references to Secrets are passed on. Raises Unrenderable."""
    return {
        name: planner.ledger.run.params[given]
        if isinstance(value, str) and (given := secret(value, planner.definition.secrets))
        else renderer.tree(f"dag.params.{name}", value)
        for name, value in dag.params.items()
    }
