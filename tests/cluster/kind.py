"""A cluster by kind, where a Docker daemon runs."""

from collections.abc import Sequence
from pathlib import Path

from cluster import archives as built
from cluster.settings import BASE_IMAGES, KIND_CLUSTER, cache_home
from cluster.shell import ClusterError, run, step


class Kind:
    name = "kind"

    def __init__(self) -> None:
        self.kubeconfig = cache_home() / "kind.kubeconfig"

    def prepare(self) -> None:
        self._images()

    def up(self) -> Path:
        if not self.is_up():
            self.kubeconfig.parent.mkdir(parents=True, exist_ok=True)
            with step("kind create cluster"):
                run("kind", "create", "cluster", "--name", KIND_CLUSTER, "--kubeconfig", self.kubeconfig,
                    "--wait", "120s")  # fmt: skip
            self.load(self._images())
        return self.kubeconfig

    def down(self) -> None:
        run("kind", "delete", "cluster", "--name", KIND_CLUSTER, "--kubeconfig", self.kubeconfig)
        self.kubeconfig.unlink(missing_ok=True)

    def is_up(self) -> bool:
        try:
            return KIND_CLUSTER in run("kind", "get", "clusters").split() and self.kubeconfig.exists()
        except ClusterError:
            return False

    def status(self) -> str:
        return f"kind cluster {KIND_CLUSTER}: {'up' if self.is_up() else 'down'}"

    def load(self, archives: Sequence[Path]) -> None:
        for archive in archives:
            run("kind", "load", "image-archive", archive, "--name", KIND_CLUSTER)

    def _images(self) -> list[Path]:
        """Archives of the base images; where none can be built, the node pulls the public images of the same names."""
        return built.build([name for name in BASE_IMAGES if name != "pause"]) if built.can_build() else []
