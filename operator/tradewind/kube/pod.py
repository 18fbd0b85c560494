"""The part of a pod that decisions need, parsed straight from watch events: 100 times faster than full models."""

from datetime import datetime

import msgspec

from tradewind.kube.labels import RUN_UID
from tradewind.kube.lists import ListMetadata
from tradewind.kube.struct import Struct

MAIN = "main"
FETCH, STORE = "tradewind-fetch", "tradewind-store"
"""Other containers of tasks with artifacts: one that ends before the task starts, and a sidecar."""


class Owner(Struct, frozen=True):
    """An owner reference."""

    uid: str = ""
    controller: bool = False
    name: str = ""


class Metadata(Struct, frozen=True):
    """Object metadata."""

    name: str = ""
    namespace: str = ""
    uid: str = ""
    resource_version: str = "0"
    labels: dict[str, str] = {}
    owner_references: list[Owner] = []
    creation_timestamp: datetime | None = None
    deletion_timestamp: datetime | None = None
    deletion_grace_period_seconds: int | None = None

    @property
    def run_uid(self) -> str:
        """Uid of the run that controls it or, without a controller, of the run in its label; empty if there is none."""
        for owner in self.owner_references:
            if owner.controller:
                return owner.uid
        return self.labels.get(RUN_UID, "")


class Terminated(Struct, frozen=True):
    """A container that has ended."""

    exit_code: int = 0
    reason: str = ""
    message: str = ""
    started_at: datetime | None = None
    finished_at: datetime | None = None


class Waiting(Struct, frozen=True):
    """A container that has not started."""

    reason: str = ""
    message: str = ""


class Running(Struct, frozen=True):
    """A running container."""

    started_at: datetime | None = None


class ContainerState(Struct, frozen=True):
    """The state of a container: one of three."""

    waiting: Waiting | None = None
    running: Running | None = None
    terminated: Terminated | None = None


class ContainerStatus(Struct, frozen=True):
    """The status of a container from the kubelet."""

    name: str = ""
    state: ContainerState = ContainerState()


class Condition(Struct, frozen=True):
    """A pod condition."""

    type: str = ""
    status: str = ""
    reason: str | None = None
    message: str | None = None
    last_transition_time: datetime | None = None


class Gate(Struct, frozen=True):
    """A scheduling gate, which keeps the scheduler from considering a pod."""

    name: str = ""


class PodSpec(Struct, frozen=True):
    """Where the pod runs, and whether it may be scheduled."""

    node_name: str = ""
    scheduling_gates: list[Gate] = []


class PodStatus(Struct, frozen=True):
    """The status of a pod from the kubelet and the control plane."""

    phase: str = "Pending"
    reason: str = ""
    message: str = ""
    conditions: list[Condition] = []
    container_statuses: list[ContainerStatus] = []
    init_container_statuses: list[ContainerStatus] = []


class Pod(Struct, frozen=True):
    """A pod. `gone` is set here: the pod was deleted and this is its last known state."""

    metadata: Metadata
    spec: PodSpec = PodSpec()
    status: PodStatus = PodStatus()
    gone: bool = False

    @property
    def version(self) -> int:
        """The resource version. Comparing versions as integers is allowed since Kubernetes 1.35 (KEP-5504)."""
        return int(self.metadata.resource_version)

    def alive_as(self, uid: str) -> bool:
        """Whether it is the pod with that uid and not known to be gone. Other pods of its name existed before."""
        return self.metadata.uid == uid and not self.gone

    @property
    def over(self) -> bool:
        """Whether it has ended."""
        return self.gone or self.status.phase in ("Succeeded", "Failed")

    def main(self) -> ContainerState | None:
        """State of the task's own container."""
        for container in self.status.container_statuses:
            if container.name == MAIN:
                return container.state
        return None

    def helper(self, name: str) -> ContainerState | None:
        """State of a container that starts before the task's own."""
        return next((item.state for item in self.status.init_container_statuses if item.name == name), None)

    def lingers(self) -> bool:
        """Whether the task's own container has ended and another one still runs."""
        main = self.main()
        others = (item for item in self.status.container_statuses if item.name != MAIN)
        return main is not None and main.terminated is not None and any(item.state.running for item in others)

    def condition(self, kind: str) -> Condition | None:
        """A condition by type."""
        return next((condition for condition in self.status.conditions if condition.type == kind), None)


class PodList(Struct, frozen=True):
    """A page of pods."""

    metadata: "ListMetadata"
    items: list[Pod] = []


parse_pod = msgspec.json.Decoder(Pod).decode
parse_list = msgspec.json.Decoder(PodList).decode
