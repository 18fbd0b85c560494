"""What the admission webhook asks the API server: for the DAG of a run, and what it says to the pods that podTemplates make."""

import asyncio
from collections import OrderedDict
from collections.abc import Iterator
from typing import Any, NoReturn

from tradewind.control.access import may
from tradewind.control.admission import Body, KnownDAG, Verdict
from tradewind.control.dagfacts import allowed_from
from tradewind.control.launch import Held, forbidden
from tradewind.control.podbuild import Unrenderable
from tradewind.control.review import bare_pod, review_dag, templated
from tradewind.control.templates import Templates
from tradewind.kube.client import Client
from tradewind.kube.errors import AlreadyExists, ApiError, Forbidden, Invalid
from tradewind.kube.resources import DAGS, PODS
from tradewind.plan.cel import ExpressionError
from tradewind.plan.decision import Start
from tradewind.plan.definition import Definition
from tradewind.plan.problem import Problem
from tradewind.plan.render import Rendering, nowhere, render, uses_templates

PODS_ASKED = 5
"""Pods tried in one review: tasks with the same template count once."""
CACHED = 1_024
"""Of so many DAGs it is kept in memory what runs have to do with."""
PATIENCE = 2.0
"""Seconds for all of them: well below the time that the API server gives the webhook."""


class ClusterAsks:
    """Asks an API server. Without `dry_run` it is not asked about pods."""

    def __init__(self, client: Client, dry_run: bool) -> None:
        self._client, self._dry_run = client, dry_run
        self._dags: OrderedDict[tuple[str, int], KnownDAG] = OrderedDict()

    async def dag(self, namespace: str, name: str) -> KnownDAG:
        """A DAG. Raises ApiError. Runs come in bursts: a DAG that has not changed is reviewed once."""
        body = await self._client.get(DAGS, namespace, name)
        if uses_templates(body.get("spec") or {}):
            return await asyncio.to_thread(_known, await self.rendering(namespace, name, body["spec"]), body["spec"])
        version = (body["metadata"]["uid"], int(body["metadata"].get("generation") or 0))
        if version not in self._dags:
            self._dags[version] = await asyncio.to_thread(
                _known, render(body.get("spec") or {}, nowhere), body.get("spec") or {}
            )
            if len(self._dags) > CACHED:
                self._dags.popitem(last=False)
        return self._dags[version]

    async def rendering(self, namespace: str, name: str, spec: Any) -> Rendering:
        """A DAG with the templates that it uses, read only if it uses some. Raises ApiError."""
        found = await Templates(self._client).resolved(("DAG", namespace, name), lambda find: render(spec, find))
        return found.result

    async def pods(self, namespace: str, uid: str, definition: Definition) -> Verdict:
        """Problems for what would be refused for ever; warnings for what may be mended, or is not known."""
        if not self._dry_run:
            return Verdict()
        pods = await asyncio.to_thread(_distinct, f"tradewind-dry-run-{uid[:8].lower()}", namespace, definition)
        chosen = list(pods.items())[:PODS_ASKED]
        warnings = []
        if len(pods) > PODS_ASKED:
            warnings.append(
                f"of {len(pods)} different podTemplates the first {PODS_ASKED} were tried on the API server"
            )
        try:
            async with asyncio.timeout(PATIENCE):
                verdicts = await asyncio.gather(*(self._pod(namespace, task, body) for body, task in chosen))
        except TimeoutError:
            return Verdict((), ["podTemplates were not tried: the API server did not answer in time"])
        problems = [problem for verdict in verdicts for problem in verdict.problems]
        warnings += [warning for verdict in verdicts for warning in verdict.warnings]
        return Verdict(problems, warnings)

    async def may_use(self, sender: Body, namespace: str, account: str) -> bool:
        """Whether someone may act as an account of the namespace. Raises ApiError."""
        what = {"verb": "impersonate", "group": "", "resource": "serviceaccounts", "namespace": namespace}
        return await may(self._client, sender, **what, name=account)

    async def may_make_pods(self, sender: Body, namespace: str) -> bool:
        """Whether someone may create pods there. Raises ApiError."""
        return await may(self._client, sender, verb="create", group="", resource="pods", namespace=namespace)

    async def _pod(self, namespace: str, task: str, body: bytes) -> Verdict:
        path = f"spec.tasks.{task}.podTemplate"
        try:
            await self._client.create(PODS, namespace, body, dryRun="All", fieldValidation="Strict")
        except AlreadyExists:
            pass
        except Invalid as error:
            return Verdict(list(_refusals(path, error)))
        except Forbidden as error:
            if isinstance(forbidden(Start(task, None, 1, ""), error), Held):
                return Verdict((), [f"{path}: not tried: {error.message}"])
            return Verdict([Problem(path, f"the API server refuses this pod: {error.message}")])
        except ApiError as error:
            return Verdict((), [f"{path}: not tried: {error.message}"])
        return Verdict()


def _known(rendering: Rendering, spec: Any) -> KnownDAG:
    result, allowed = review_dag(rendering), allowed_from(spec)
    if result.problems:
        return KnownDAG({}, str(result.problems[0]), allowed)
    return KnownDAG(result.content.spec.params, "", allowed)


def _distinct(name: str, namespace: str, definition: Definition) -> dict[bytes, str]:
    """Pods that can be built before there is a run -> the first task that makes each."""
    found: dict[bytes, str] = {}
    for task, bare in templated(definition).items():
        try:
            found.setdefault(bare_pod(name, namespace, bare, _unknown), task)
        except Unrenderable:
            continue
    return found


def _unknown(expression: str) -> NoReturn:
    raise ExpressionError(expression, "known in a run only")


def _refusals(path: str, error: Invalid) -> Iterator[Problem]:
    causes: list[dict[str, Any]] = error.details.get("causes") or []
    for cause in causes:
        yield Problem(f"{path}.{cause.get('field')}", f"the API server refuses this pod: {cause.get('message')}")
    if not causes:
        words = error.message.rpartition("strict decoding error: ")[2]
        yield Problem(path, f"the API server refuses this pod: {words}", "see `kubectl explain pod.spec`")
