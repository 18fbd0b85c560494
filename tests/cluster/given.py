"""The cluster of `$KUBECONFIG`: it belongs to others, so it is used and never changed."""

from collections.abc import Sequence
from pathlib import Path

from cluster import binaries
from cluster.shell import ClusterError, run


class Given:
    name = "given"

    def __init__(self, kubeconfig: Path) -> None:
        self.kubeconfig = kubeconfig

    def prepare(self) -> None:
        """Nothing: it is up."""

    def up(self) -> Path:
        self._ready()
        return self.kubeconfig

    def down(self) -> None:
        """Nothing: who brought it up takes it down."""

    def is_up(self) -> bool:
        try:
            self._ready()
        except ClusterError:
            return False
        return True

    def status(self) -> str:
        return f"given by $KUBECONFIG: {self.kubeconfig}, {'ready' if self.is_up() else 'not answering'}"

    def load(self, archives: Sequence[Path]) -> None:
        listed = "\n".join(str(archive) for archive in archives)
        raise ClusterError(
            f"the nodes of a given cluster are not ours; load or push these archives yourself:\n{listed}"
        )

    def _ready(self) -> None:
        run(binaries.kubectl(), f"--kubeconfig={self.kubeconfig}", "get", "--raw", "/readyz", timeout=15)
