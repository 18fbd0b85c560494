"""What a status that was written leads to."""

from tradewind.control.dagrun import deadlines
from tradewind.control.dagrun.run import Run
from tradewind.control.dagrun.status import condition

from control.runworld import Operated


class Followed(Operated):
    """Collects the words about missed deadlines that listeners find in runs."""

    def __init__(self) -> None:
        super().__init__()
        self.heard: list[str] = []

    def run_seen(self, run: Run, deleted: bool = False) -> None:
        self.heard.append(deadlines.told(run.status))


async def test_listeners_get_a_run_that_misses_a_deadline_and_not_every_status() -> None:
    world = Followed()
    world.runs.feed.take(run := world.becomes(phase="Running"))
    state, known = world.runs.table.states[run.uid], len(world.heard)
    await world.runs._writer.save(state, run, {**run.status, "message": "goes on"})
    assert len(world.heard) == known
    missed = condition(deadlines.MISSED, True, deadlines.MISSED, "the run (1h)", state.run, 0.0)
    await world.runs._writer.save(state, state.run, {**state.run.status, "conditions": [missed]})
    assert world.heard[known:] == ["the run (1h)"]
