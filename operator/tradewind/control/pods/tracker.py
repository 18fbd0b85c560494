"""The pods of a run that matter: those of attempts that the status does not record, and those that still run although their attempt has
ended."""

from collections.abc import Iterable, Mapping

from tradewind.control.pods.observation import Alive, Ended, observe
from tradewind.kube.pod import Pod
from tradewind.model.value import Output
from tradewind.plan.outcomes.attempt import CANCELLED, AttemptKey
from tradewind.plan.runs.decision import GATED, Live, Stop

STRANGERS_LIMIT = 5
"""Pods that are reported as not a run's own."""


class PodTracker:
    """The pods of one run."""

    def __init__(self) -> None:
        self.changed: set[str] = set()
        """Names of pods that changed since they were last observed."""
        self.unsaved: dict[AttemptKey, Pod] = {}
        """Pods of attempts that are not in the status, live or ended."""
        self.lingering: dict[str, Pod] = {}
        """By name: pods whose attempt is recorded but that still run something, such as sidecars of a container that has ended."""
        self.outlived: set[AttemptKey] = set()
        """Attempts that still run although they, or later ones, are known to have ended, as after a status was reset. No other attempt
        starts beside them."""
        self.early: set[str] = set()
        """Names of pods that look like attempts which have not been started: they don't count unless what comes before has ended."""
        self._strangers: dict[str, tuple[Pod, bool]] = {}
        """By uid: pods of tasks that have none, and whether they were reported."""
        self._settled: set[str] = set()
        """Names of pods that are gone and recorded."""
        self._stopped: dict[str, Stop] = {}
        """By uid: pods that the operator deleted, and why."""
        self._first_seen: dict[str, float] = {}
        """By uid: when (monotonic seconds) a pod was first seen."""
        self._ungated: dict[str, float | None] = {}
        """By uid, for pods with scheduling gates: when (monotonic seconds) the last gate was found removed; None before."""

    def note(self, *names: str) -> None:
        """Notes pods that changed or have to be observed again."""
        self.changed.update(names)

    def start_over(self, names: Iterable[str]) -> None:
        """Starts over: all pods have to be observed again."""
        self.outlived = set()
        self.changed.update(names)

    def note_stranger(self, pod: Pod) -> None:
        """Notes a pod that claims to be of a task without pods."""
        if len(self._strangers) < STRANGERS_LIMIT:
            self._strangers.setdefault(pod.metadata.uid, (pod, False))

    def take_strangers(self) -> list[Pod]:
        """Takes the strangers that were not reported yet."""
        found = {uid: pod for uid, (pod, reported) in self._strangers.items() if not reported}
        self._strangers |= {uid: (pod, True) for uid, pod in found.items()}
        return list(found.values())

    def take_changed(self) -> str | None:
        """Takes the name of a pod that has to be observed."""
        return self.changed.pop() if self.changed else None

    def seen_before(self, pod: Pod) -> bool:
        """Whether a pod was already observed as one of the run's."""
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
        """Observes a pod and returns what is new: the attempt's end, or its live state. `outputs` are those that its task declares,
        `cancelled` tells whether the run is cancelled, `recorded` whether the attempt's end is in the status, `last` is the number of the
        last ended attempt of its task or item, `now` is monotonic seconds."""
        if pod.over and recorded:
            self.outlived.discard(key)
            self._release(pod)
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
            self._release(pod)
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
        """Notes that a later attempt ended while this one still has a pod."""
        if key in self.unsaved:
            self.outlived.add(key)

    def stop(self, key: AttemptKey, stop: Stop) -> Pod | None:
        """Notes that an attempt is to be stopped. Returns its pod, which the caller deletes, or None."""
        if pod := self.unsaved.get(key):
            self._stopped[pod.metadata.uid] = stop
        return pod

    def drop_recorded(self, keys: Iterable[AttemptKey]) -> None:
        """Drops pods whose attempts' ends have been recorded."""
        for key in keys:
            if pod := self.unsaved.pop(key, None):
                self._release(pod)

    def take_settled(self) -> set[str]:
        """Takes the names of pods that are gone and recorded. The caller can drop them."""
        found, self._settled = self._settled, set()
        return found

    def _release(self, pod: Pod) -> None:
        """Stops tracking a pod whose attempt is recorded, once nothing of it runs."""
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
