"""Creating the pod of an attempt, and making sense of a refusal."""

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
    """The pod exists. `found` when it was there, and no longer says of itself that it is the attempt's."""

    pod: Pod
    found: bool = False


@dataclass(frozen=True, slots=True)
class StartRefused:
    """The attempt ends without a pod: trying again with the same manifest can't help."""

    end: Ended


@dataclass(frozen=True, slots=True)
class Held:
    """Not now. No attempt is spent."""

    hold: Hold


@dataclass(frozen=True, slots=True)
class Prepared:
    """A pod that can be created: `name` is its usual one."""

    start: Start
    run: RunFacts
    name: str
    body: bytes


class PodLauncher:
    """Creates pods. Idempotent: a name that is taken by the same run is the pod that was meant."""

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
        """Creates the attempt's pod. Raises Unavailable when the outcome is unknown: ask again, under the same name."""
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
        """The pod of that name, made or found; None when it is another one's."""
        run, start = wanted.run, wanted.start
        try:
            return Launched(parse_pod(await self._client.create(PODS, run.namespace, body, fieldValidation="Strict")))
        except AlreadyExists:
            listed = await self._client.list_raw(PODS, run.namespace, fieldSelector=f"metadata.name={name}")
        pods = parse_list(listed).items
        if not pods:  # Gone since, or the list is an old one: which pod it was nobody knows yet.
            raise Unavailable(0, "PodUnknown", f"pod {name} is there, and is not listed")
        return next((found for pod in pods if (found := _own(pod, run, start))), None)


def _renamed(body: bytes, name: str) -> bytes:
    """The same pod with another name."""
    pod = orjson.loads(body)
    pod["metadata"]["name"] = name
    return orjson.dumps(pod)


def _own(pod: Pod, run: RunFacts, start: Start) -> Launched | None:
    """The pod, if it is that of the attempt whose name it has. Labels that don't fit the name were changed by somebody: then it is told
    what it was made with. Labels that fit it, of another attempt, are those of another pod."""
    meta, told = pod.metadata, labels(run, start)
    if not owned(meta, run.uid) and meta.labels.get(RUN_UID) != run.uid:
        return None
    ours = unit_of(pod) == (start.key, start.number)
    if not ours and consistent(meta, run.name, run.uid):
        return None
    if ours and owned(meta, run.uid) and told.items() <= meta.labels.items():
        return Launched(pod)
    own = {**meta.labels, **pool_labels(start.pools), **told}
    return Launched(
        replace(pod, metadata=replace(meta, labels=own, owner_references=[Owner(run.uid, True, run.name)])), True
    )


def _refused(start: Start, reason: str, message: str) -> StartRefused:
    now = int(time.time())
    return StartRefused(Ended(Attempt(start.key, start.number, now, now, reason), message))


def forbidden(start: Start, error: Forbidden) -> Held | StartRefused:
    """Quota, missing rights and a missing service account can be fixed while the run waits; other refusals stay."""
    words = error.message
    if "exceeded quota" in words or "failed quota" in words:
        what = words.partition("forbidden: ")[2] or words
        return Held(Hold(start.key, "QuotaExceeded", f"{what}; the task starts when the quota has room"))
    if "cannot create resource" in words:
        return Held(Hold(start.key, "NoPermission", f"the operator may not create pods here: {words}"))
    if "serviceaccount" in words and "not found" in words:
        return Held(Hold(start.key, "ServiceAccountNotFound", f"{words}; create it, or fix serviceAccountName"))
    if "being terminated" in words:
        return Held(Hold(start.key, "NamespaceTerminating", words))
    return _refused(start, "PodRefused", f"the API server refused the pod: {words}")
