"""What a task gives the run of another DAG."""

from typing import Any

from tradewind.control.podbuild import Renderer
from tradewind.model.light import SubDAG
from tradewind.plan.board import Board
from tradewind.plan.template import secret


def call_params(board: Board, dag: SubDAG, renderer: Renderer) -> dict[str, Any]:
    """The params of the run, rendered; references to Secrets are handed on. Raises Unrenderable."""
    return {
        name: board.run.params[given]
        if isinstance(value, str) and (given := secret(value, board.definition.secrets))
        else renderer.tree(f"dag.params.{name}", value)
        for name, value in dag.params.items()
    }
