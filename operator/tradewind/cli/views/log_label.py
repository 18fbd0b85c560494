"""Labels of log lines and names of log files."""

from tradewind.control.dagrun.run import read_run
from tradewind.kube.client import Client
from tradewind.kube.errors import NotFound
from tradewind.kube.resources import RUNS


def label(task: str, number: int, always: bool = False) -> str:
    """`task
    `; with the attempt from the second one on, or `always`: `task#2
    `."""
    return f"{task}#{number} | " if always or number > 1 else f"{task} | "


class Paths:
    """Paths of tasks in runs below a run: `sub/` for those of the run that is an attempt of task `sub`."""

    def __init__(self, client: Client, namespace: str, top_uid: str) -> None:
        self._client, self._namespace = client, namespace
        self._known = {top_uid: ""}

    async def above(self, run: str, uid: str) -> str | None:
        """The prefix for tasks of the run with that name and uid; None if it is not below the run, or gone."""
        if uid in self._known:
            return self._known[uid]
        try:
            found = read_run(await self._client.get(RUNS, self._namespace, run))
        except NotFound:
            return None
        if found.uid != uid or found.caller is None:
            return None
        above = await self.above(found.caller.run, found.caller.uid)
        if above is not None:
            again = f"#{found.caller.number}" if found.caller.number > 1 else ""
            self._known[uid] = f"{above}{found.caller.task}{again}/"
        return self._known.get(uid)
