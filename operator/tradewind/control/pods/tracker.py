"""Which pods of a run matter: those of attempts that are not on record, and those that still run although their attempt has ended."""

from collections.abc import Iterable, Mapping

from tradewind.control.pods.observation import Alive, Ended, observe
from tradewind.kube.pod import Pod
from tradewind.model.value import Output
from tradewind.plan.outcomes.attempt import CANCELLED, AttemptKey
from tradewind.plan.runs.decision import GATED, Live, Stop


class PodTracker:
    """The pods of one run."""

    def __init__(self) -> None:
        self.changed: set[str] = set()
        """Names of pods that changed since they were looked at."""
        self.unsaved: dict[AttemptKey, Pod] = {}
        """Pods of attempts that are not in the status, live or ended."""
        self.lingering: dict[str, Pod] = {}
        """Pods by name whose attempt is recorded and that still run something: sidecars of a container that has ended."""
        self.outlived: set[AttemptKey] = set()
        """Attempts that still run although they, or later ones, are known to have ended, as after a status was set back. None starts
        beside."""
        self._settled: set[str] = set()
        """Names of pods that are gone and recorded."""
        self._stopped: dict[str, Stop] = {}
        """Pods (by uid) that we deleted, and why."""
        self._first_seen: dict[str, float] = {}
        """When (monotonic seconds) a pod (by uid) was first seen."""
        self._ungated: dict[str, float | None] = {}
        """When (the same) the last scheduling gate of a pod was seen to be gone; None before. Of pods that had one."""

    def note(self, *names: str) -> None:
        """These pods have changed, or are to be looked at anew."""
        self.changed.update(names)

    def begin_anew(self, names: Iterable[str]) -> None:
        """What is known of attempts is made anew: all pods are looked at again."""
        self.outlived = set()
        self.changed.update(names)

    def take_changed(self) -> str | None:
        """The name of a pod that has changed, which counts as looked at from here on."""
        return self.changed.pop() if self.changed else None

    def seen_before(self, pod: Pod) -> bool:
        """Whether a pod is one of the run's, as far as it has been looked at."""
        return pod.metadata.uid in self._first_seen

    def look(
        self,
        key: AttemptKey,
        pod: Pod,
        outputs: Mapping[str, Output],
        cancelled: bool,
        recorded: bool,
        last: int,
        now: float,
    ) -> Ended | Live | None:
        """What a pod says of its attempt, if that is anything new: its end, or how it lives. `outputs` are those that its task declares,
        `cancelled` says whether the run is, `recorded` whether the attempt's end is on record, `last` is the last attempt of its task or
        item that ended, `now` monotonic seconds."""
        if pod.over and recorded:
            self.outlived.discard(key)
            self._after(pod)
            return None
        uid = pod.metadata.uid
        if stop := self._stopped.get(uid):
            reason, why = stop.reason, stop.why
        else:
            reason, why = (CANCELLED if cancelled and (pod.gone or pod.metadata.deletion_timestamp) else ""), ""
        seen = observe(pod, reason, why, outputs)
        if isinstance(seen, Alive) and last >= key[1]:
            self.outlived.add(key)
        else:
            self.outlived.discard(key)
        if recorded:
            self._after(pod)
            return None
        self.unsaved[key] = pod
        if isinstance(seen, Ended):
            return seen
        if key in self.outlived:
            return None
        since = self._first_seen.setdefault(uid, now)
        if seen.reason == GATED:
            self._ungated[uid] = None
        elif uid in self._ungated and self._ungated[uid] is None:
            self._ungated[uid] = now
        return _live(seen, pod, since, self._ungated.get(uid) or since)

    def outlive(self, key: AttemptKey) -> None:
        """A later attempt than this one, whose pod is there, has ended."""
        if key in self.unsaved:
            self.outlived.add(key)

    def stop(self, key: AttemptKey, stop: Stop) -> Pod | None:
        """The pod of an attempt that is to end, if there is one: it is about to be deleted."""
        if pod := self.unsaved.get(key):
            self._stopped[pod.metadata.uid] = stop
        return pod

    def recorded(self, keys: Iterable[AttemptKey]) -> None:
        """The ends of these attempts are on record now."""
        for key in keys:
            if pod := self.unsaved.pop(key, None):
                self._after(pod)

    def settled(self) -> set[str]:
        """Names of pods that are gone and recorded, each told once: nothing need be kept of them."""
        found, self._settled = self._settled, set()
        return found

    def _after(self, pod: Pod) -> None:
        """A pod whose attempt is recorded: it is watched only until nothing of it runs."""
        name, uid = pod.metadata.name, pod.metadata.uid
        self._first_seen.pop(uid, None)
        self._ungated.pop(uid, None)
        self.lingering.pop(name, None)
        if pod.gone:
            self._settled.add(name)
            self._stopped.pop(uid, None)
        elif pod.lingers() and pod.metadata.deletion_timestamp is None:
            self.lingering[name] = pod


def _live(alive: Alive, pod: Pod, since: float, pending_since: float) -> Live:
    created = pod.metadata.creation_timestamp
    return Live(
        alive.number,
        None if alive.started else pending_since,
        alive.stopping,
        alive.reason,
        alive.message,
        since,
        int(created.timestamp()) if created else 0,
    )
