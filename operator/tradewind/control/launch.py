"""Creating the pod of an attempt, and making sense of a refusal."""

import time
from dataclasses import dataclass

from tradewind import metrics
from tradewind.control.observe import Ended
from tradewind.control.podbuild import RunFacts, Unrenderable, build, pod_name
from tradewind.kube.client import Client
from tradewind.kube.errors import AlreadyExists, Forbidden, Invalid
from tradewind.kube.pod import Pod, parse_list, parse_pod
from tradewind.kube.resources import PODS
from tradewind.plan.attempt import Attempt
from tradewind.plan.definition import Definition
from tradewind.plan.planner import Hold, Start


@dataclass(frozen=True, slots=True)
class Launched:
    """The pod exists."""

    pod: Pod


@dataclass(frozen=True, slots=True)
class Refused:
    """The attempt ends without a pod: trying again with the same manifest can't help."""

    end: Ended


@dataclass(frozen=True, slots=True)
class Held:
    """Not now. No attempt is spent."""

    hold: Hold


class Launcher:
    """Creates pods. Idempotent: a name that is taken by the same run is the pod that was meant."""

    def __init__(self, client: Client, operator_image: str) -> None:
        self._client, self._operator_image = client, operator_image

    async def launch(
        self, start: Start, definition: Definition, run: RunFacts, woken_at: float | None
    ) -> Launched | Refused | Held:
        """Creates the attempt's pod. Raises Unavailable when the outcome is unknown: ask again, under the same name."""
        task = definition.tasks[start.task]
        try:
            body = build(start.task, task, start.number, run, definition.scope(start.task), self._operator_image)
        except Unrenderable as error:
            return _refused(start, "ExpressionError", str(error))
        try:
            answer = await self._client.create(PODS, run.namespace, body, fieldValidation="Strict")
        except AlreadyExists:
            return await self._adopt(start, run)
        except Invalid as error:
            return _refused(start, "PodRefused", f"the API server refused the pod: {error.message}")
        except Forbidden as error:
            return _forbidden(start, error)
        if woken_at is not None:
            metrics.READY_TO_CREATED.observe(time.perf_counter() - woken_at)
        return Launched(parse_pod(answer))

    async def _adopt(self, start: Start, run: RunFacts) -> Launched | Held:
        name = pod_name(run.name, start.task, start.number)
        found = await self._client.list_raw(PODS, run.namespace, fieldSelector=f"metadata.name={name}")
        for pod in parse_list(found).items:
            if any(owner.uid == run.uid for owner in pod.metadata.owner_references):
                return Launched(pod)
        return Held(
            Hold(
                start.task,
                "NameTaken",
                f"pod {name} exists and does not belong to this run: delete it, or wait until it is gone",
            )
        )


def _refused(start: Start, reason: str, message: str) -> Refused:
    now = int(time.time())
    return Refused(Ended(Attempt(start.task, start.number, now, now, reason), message))


def _forbidden(start: Start, error: Forbidden) -> Held | Refused:
    """Quota, missing rights and a missing service account can be mended while the run waits; other refusals stay."""
    words = error.message
    if "exceeded quota" in words or "failed quota" in words:
        what = words.partition("forbidden: ")[2] or words
        return Held(Hold(start.task, "QuotaExceeded", f"{what}; the task starts when the quota has room"))
    if "cannot create resource" in words:
        return Held(Hold(start.task, "NoPermission", f"the operator may not create pods here: {words}"))
    if "serviceaccount" in words and "not found" in words:
        return Held(Hold(start.task, "ServiceAccountNotFound", f"{words}; create it, or mend serviceAccountName"))
    if "being terminated" in words:
        return Held(Hold(start.task, "NamespaceTerminating", words))
    return _refused(start, "PodRefused", f"the API server refused the pod: {words}")
