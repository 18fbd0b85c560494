"""Passes that pause where the planner lets them, and that are put aside, at moments that follow from a seed."""

import asyncio
from random import Random
from typing import Any

from tradewind.control.evaluation.host import Host
from tradewind.control.evaluation.workers import Evaluator
from tradewind.plan.cel.compiler import recompiled
from tradewind.plan.cel.evaluation import in_place
from tradewind.plan.pacing import Evaluation

OFTEN, SELDOM = 0.01, 0.0005
"""How often a check of the clock finds that a slice is over, and that a pass has used up its time."""


class Inline(Evaluator):
    """Evaluates in this process, after a moment."""

    async def evaluate(self, namespace: str, evaluation: Evaluation) -> tuple[Any, float]:
        await asyncio.sleep(0.01)
        return in_place(recompiled(evaluation), evaluation.values), 0.01


class Jumps:
    """A clock of computing time that is scripted and not measured."""

    def __init__(self, seed: str) -> None:
        self._random, self._now = Random(seed), 0.0

    def __call__(self) -> float:
        drawn = self._random.random()
        self._now += 2.0 if drawn < SELDOM else 0.02 if drawn < OFTEN else 0.0
        return self._now


def paced(seed: str) -> Host:
    """A host whose slices follow from a seed."""
    return Host(Inline(), clock=Jumps(seed))
