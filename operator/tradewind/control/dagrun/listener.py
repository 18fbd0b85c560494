"""Who hears of runs."""

from typing import Protocol

from tradewind.control.dagrun.run import Run


class RunListener(Protocol):
    """Hears of the runs that this replica brings on."""

    def run_seen(self, run: Run, deleted: bool = False) -> None:
        """A run was created, has changed its phase or has updated an asset; or it is gone. The same may be told again."""
