"""Requests of the admission webhook to the API server: for the DAG of a run, and for dry runs of pods from podTemplates."""

import asyncio
from collections import OrderedDict
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, TypeVar

from tradewind.control.admission.handler import AdmissionReview, Body, ClusterLookup, KnownDAG, Request
from tradewind.control.dags.judgement import Judged, judge, params
from tradewind.control.evaluation.worker_pool import TooMuch, Workers
from tradewind.control.pods.launcher import Held, forbidden
from tradewind.control.shared.access_review import may
from tradewind.control.triggers.dag_index import allowed_from
from tradewind.kube.client import Client
from tradewind.kube.errors import AlreadyExists, ApiError, Forbidden, Invalid, NotFound
from tradewind.kube.resources import CLUSTER_POOLS, DAGS, NAMESPACES, PODS, TEMPLATES
from tradewind.model.pool import PoolAllow
from tradewind.plan.capacity.pool_access import admits, refusal
from tradewind.plan.dags.definition import Definition
from tradewind.plan.documents.problem import Invalid as Unfit
from tradewind.plan.documents.problem import Problem
from tradewind.plan.documents.read import read
from tradewind.plan.runs.decision import Start
from tradewind.plan.templates.render import Ref, uses_templates

T = TypeVar("T")
SMALL_REQUEST_BYTES = 64 * 2**10
"""Bytes of a request up to which it is reviewed in this process."""
PODS_ASKED = 5
"""Pods tried in one review; tasks with the same template count once."""
POOLS_ASKED = 16
"""ClusterPools that are read in one review."""
CACHED_DAGS = 1_024
"""DAGs whose relevant facts are kept in memory."""
LOOKUP_SECONDS = 2.0
"""Seconds for all dry runs: well below the time that the API server gives the webhook."""


class ApiClusterLookup(ClusterLookup):
    """Asks an API server. Without `dry_run`, no pods are tried; without `workers`, all work is done in threads."""

    def __init__(self, client: Client, dry_run: bool, workers: Workers | None = None) -> None:
        self._client, self.tries_pods, self._workers = client, dry_run, workers
        self._dags: OrderedDict[tuple[str, int], KnownDAG] = OrderedDict()

    async def dag(self, namespace: str, name: str) -> KnownDAG:
        """The facts about a DAG. Raises ApiError. Runs come in bursts, so an unchanged DAG is reviewed once."""
        body = await self._client.get(DAGS, namespace, name)
        spec = body.get("spec") or {}
        version = (body["metadata"]["uid"], int(body["metadata"].get("generation") or 0))
        if version in self._dags:
            return self._dags[version]
        judged = await self.judge(namespace, spec, params)
        wrong = str(judged.problems[0]) if judged.problems else ""
        known = KnownDAG(judged.content or {}, wrong, allowed_from(spec))
        if not uses_templates(spec):
            self._dags[version] = known
            if len(self._dags) > CACHED_DAGS:
                self._dags.popitem(last=False)
        return known

    async def judge(self, namespace: str, spec: Any, of: Callable[[Definition], T]) -> Judged[T]:
        """Judges a DAG with its templates, which are only read if it uses some. Raises ApiError, Busy and WorkerDied."""
        templates: dict[Ref, Any] = {}
        while True:
            try:
                judged = await self._work(namespace, judge, spec, templates, of)
            except Unfit as error:
                return Judged(error.problems)
            if not judged.asked:
                return judged
            for ref in judged.asked:
                templates[ref] = await self._template(ref, namespace)

    async def work(self, request: Request, function: Callable[..., T], *arguments: Any) -> T:
        """Calls a function; for a large request in another process. Raises Invalid, Busy and WorkerDied."""
        if request.size > SMALL_REQUEST_BYTES:
            return await self._work(request.namespace, function, *arguments)
        return await asyncio.to_thread(function, *arguments)

    async def _work(self, namespace: str, function: Callable[..., T], *arguments: Any) -> T:
        if self._workers is None:
            return await asyncio.to_thread(function, *arguments)
        try:
            return await self._workers.call(namespace, function, *arguments)
        except TooMuch as error:
            what = f"too much to check: it takes {error}"
            raise Unfit([Problem("spec", what, "use fewer and shorter expressions, and compute in tasks")]) from None

    async def _template(self, ref: Ref, namespace: str) -> Any:
        try:
            found = await self._client.get(TEMPLATES[ref.kind], "" if ref.cluster else namespace, ref.name)
        except NotFound:
            return None
        return found.get("spec") or {}

    async def not_allowed(self, namespace: str, claims: Mapping[str, str]) -> Sequence[Problem]:
        """Claims that ClusterPools don't allow the namespace. Those that can't be checked now are left to the run."""
        names = list(claims)[:POOLS_ASKED]
        allowed = await asyncio.gather(*(self._allows(name, namespace) for name in names))
        refused = [name for name, allows in zip(names, allowed, strict=True) if not allows]
        refusals = ((name, refusal(name, namespace).partition(": ")) for name in refused)
        return [Problem(claims[name], what, instead) for name, (what, _, instead) in refusals]

    async def _allows(self, pool: str, namespace: str) -> bool:
        labels: Mapping[str, str] = {}
        try:
            raw = (await self._client.get(CLUSTER_POOLS, "", pool))["spec"].get("allow")
            if raw is None:
                return True
            allow = read(PoolAllow, raw, "spec.allow")
            if allow.namespace_selector and namespace not in allow.namespaces:
                labels = (await self._client.get(NAMESPACES, "", namespace))["metadata"].get("labels") or {}
        except (ApiError, Unfit):
            return True
        return admits(allow, namespace, labels)

    async def pods(self, namespace: str, pods: Mapping[bytes, str]) -> AdmissionReview:
        """Tries pods on the API server. Problems are permanent refusals; warnings are refusals that can be fixed, or pods that could not be
        tried."""
        chosen = list(pods.items())[:PODS_ASKED]
        warnings = []
        if len(pods) > PODS_ASKED:
            warnings.append(
                f"of {len(pods)} different podTemplates the first {PODS_ASKED} were tried on the API server"
            )
        try:
            async with asyncio.timeout(LOOKUP_SECONDS):
                verdicts = await asyncio.gather(*(self._pod(namespace, path, body) for body, path in chosen))
        except TimeoutError:
            return AdmissionReview((), ["podTemplates were not tried: the API server did not answer in time"])
        problems = [problem for verdict in verdicts for problem in verdict.problems]
        warnings += [warning for verdict in verdicts for warning in verdict.warnings]
        return AdmissionReview(problems, warnings)

    async def may_use(self, sender: Body, namespace: str, account: str) -> bool:
        """Whether someone may act as a service account of the namespace. Raises ApiError."""
        what = {"verb": "impersonate", "group": "", "resource": "serviceaccounts", "namespace": namespace}
        return await may(self._client, sender, **what, name=account)

    async def may_make_pods(self, sender: Body, namespace: str) -> bool:
        """Whether someone may create pods in the namespace. Raises ApiError."""
        return await may(self._client, sender, verb="create", group="", resource="pods", namespace=namespace)

    async def _pod(self, namespace: str, place: str, body: bytes) -> AdmissionReview:
        path, task = f"{place}.podTemplate", place.rpartition(".")[2]
        try:
            await self._client.create(PODS, namespace, body, dryRun="All", fieldValidation="Strict")
        except AlreadyExists:
            pass
        except Invalid as error:
            return AdmissionReview(list(_refusals(path, error)))
        except Forbidden as error:
            if isinstance(forbidden(Start(task, None, 1, ""), error), Held):
                return AdmissionReview((), [f"{path}: not tried: {error.message}"])
            return AdmissionReview([Problem(path, f"the API server refuses this pod: {error.message}")])
        except ApiError as error:
            return AdmissionReview((), [f"{path}: not tried: {error.message}"])
        return AdmissionReview()


def _refusals(path: str, error: Invalid) -> Iterator[Problem]:
    causes: list[dict[str, Any]] = error.details.get("causes") or []
    for cause in causes:
        yield Problem(f"{path}.{cause.get('field')}", f"the API server refuses this pod: {cause.get('message')}")
    if not causes:
        words = error.message.rpartition("strict decoding error: ")[2]
        yield Problem(path, f"the API server refuses this pod: {words}", "see `kubectl explain pod.spec`")
