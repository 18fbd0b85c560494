"""The protocol of objects that follow runs."""

from typing import Protocol

from tradewind.control.dagrun.run import Run


class RunListener(Protocol):
    """Follows the runs of this replica."""

    def run_seen(self, run: Run, deleted: bool = False) -> None:
        """Called when a run was created or deleted, changed its phase, updated an asset or missed a deadline. Calls may
        repeat."""
