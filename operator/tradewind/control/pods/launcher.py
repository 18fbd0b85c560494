"""Creates the pods of attempts and interprets refusals of the API server."""

import time
from dataclasses import dataclass

import orjson
from msgspec.structs import replace

from tradewind import metrics
from tradewind.control.pods.artifact_containers import NoArtifact
from tradewind.control.pods.builder import build
from tradewind.control.pods.labels import consistent, labels, owned, pool_labels
from tradewind.control.pods.names import both_names, pod_name
from tradewind.control.pods.observation import Ended, unit_of
from tradewind.control.pods.rendering import Unrenderable
from tradewind.kube.client import Client
from tradewind.kube.errors import AlreadyExists, Forbidden, Invalid, Unavailable
from tradewind.kube.labels import RUN_UID
from tradewind.kube.pod import Owner, Pod, parse_list, parse_pod
from tradewind.kube.resources import PODS
from tradewind.plan.outcomes.attempt import Attempt
from tradewind.plan.runs.decision import Hold, RunFacts, Start
from tradewind.plan.runs.planner import Planner


@dataclass(frozen=True, slots=True)
class Launched:
    """The pod exists. `found` if it existed already and its labels no longer name the attempt."""

    pod: Pod
    found: bool = False


@dataclass(frozen=True, slots=True)
class StartRefused:
    """The attempt ends without a pod: the same manifest would fail again."""

    end: Ended


@dataclass(frozen=True, slots=True)
class Held:
    """The pod can't be created for now. No attempt is used up."""

    hold: Hold


@dataclass(frozen=True, slots=True)
class Prepared:
    """A pod that can be created; `name` is its usual name."""

    start: Start
    run: RunFacts
    name: str
    body: bytes


class PodLauncher:
    """Creates pods. Idempotent: a pod of that name that belongs to the same run is the requested one."""

    def __init__(self, client: Client, operator_image: str) -> None:
        self._client, self._operator_image = client, operator_image

    def prepare(self, start: Start, planner: Planner) -> Prepared | StartRefused:
        """Renders the attempt's pod."""
        definition, run = planner.definition, planner.ledger.run
        name = pod_name(run.name, start.task, start.number, start.index)
        try:
            body = build(
                name,
                start,
                definition.tasks[start.task],
                run,
                planner.ledger.evaluator(start.key, start.number),
                self._operator_image,
                definition.secrets,
                definition.spec.artifacts,
            )
            return Prepared(start, run, name, body)
        except Unrenderable as error:
            return _refused(start, "ExpressionError", str(error))
        except NoArtifact as error:
            return _refused(start, "ArtifactMissing", str(error))

    async def launch(self, pod: Prepared, woken_at: float | None) -> Launched | StartRefused | Held:
        """Creates the attempt's pod. Raises Unavailable if the outcome is unknown; the caller retries under the same name."""
        start, name = pod.start, pod.name
        try:
            answer = await self._create(name, pod.body, pod)
            if answer is None:
                name = both_names(pod.run, start)[1]
                answer = await self._create(name, _renamed(pod.body, name), pod)
        except Invalid as error:
            return _refused(start, "PodRefused", f"the API server refused the pod: {error.message}")
        except Forbidden as error:
            return forbidden(start, error)
        if answer is None:
            words = f"pod {name} exists and does not belong to this run: delete it, or wait until it is gone"
            return Held(Hold(start.key, "NameTaken", words))
        if woken_at is not None:
            metrics.READY_TO_CREATED.observe(time.perf_counter() - woken_at)
        return answer

    async def _create(self, name: str, body: bytes, wanted: Prepared) -> Launched | None:
        """Creates the pod or finds it. None if the name belongs to something else."""
        run, start = wanted.run, wanted.start
        try:
            return Launched(parse_pod(await self._client.create(PODS, run.namespace, body, fieldValidation="Strict")))
        except AlreadyExists:
            listed = await self._client.list_raw(PODS, run.namespace, fieldSelector=f"metadata.name={name}")
        pods = parse_list(listed).items
        if not pods:  # It was deleted since, or the list is old; whose pod it was is unknown.
            raise Unavailable(0, "PodUnknown", f"pod {name} is there, and is not listed")
        return next((found for pod in pods if (found := _own(pod, run, start))), None)


def _renamed(body: bytes, name: str) -> bytes:
    """The manifest with another name."""
    pod = orjson.loads(body)
    pod["metadata"]["name"] = name
    return orjson.dumps(pod)


def _own(pod: Pod, run: RunFacts, start: Start) -> Launched | None:
    """The pod, if it belongs to the attempt that its name stands for. If its labels don't fit its name, someone changed them, and the
    result has the original ones. If they fit the name but name another attempt, it is that attempt's pod."""
    meta, expected = pod.metadata, labels(run, start)
    if not owned(meta, run.uid) and meta.labels.get(RUN_UID) != run.uid:
        return None
    ours = unit_of(pod) == (start.key, start.number)
    if not ours and consistent(meta, run.name, run.uid):
        return None
    if ours and owned(meta, run.uid) and expected.items() <= meta.labels.items():
        return Launched(pod)
    own = {**meta.labels, **pool_labels(start.pools), **expected}
    return Launched(
        replace(pod, metadata=replace(meta, labels=own, owner_references=[Owner(run.uid, True, run.name)])), True
    )


def _refused(start: Start, reason: str, message: str) -> StartRefused:
    now = int(time.time())
    return StartRefused(Ended(Attempt(start.key, start.number, now, now, reason), message))


def forbidden(start: Start, error: Forbidden) -> Held | StartRefused:
    """Holds the attempt for reasons that can be fixed while the run waits, such as quota, missing rights or a missing service account.
    Refuses it for others."""
    words = error.message
    if "exceeded quota" in words or "failed quota" in words:
        what = words.partition("forbidden: ")[2] or words
        return Held(Hold(start.key, "QuotaExceeded", f"{what}; the task starts when the quota has room"))
    if "cannot create resource" in words:
        return Held(Hold(start.key, "NoPermission", f"the operator may not create pods here: {words}"))
    if "serviceaccount" in words and "not found" in words:
        return Held(Hold(start.key, "ServiceAccountNotFound", f"{words}; create it, or fix serviceAccountName"))
    if error.terminating:
        return Held(Hold(start.key, "NamespaceTerminating", words))
    return _refused(start, "PodRefused", f"the API server refused the pod: {words}")
