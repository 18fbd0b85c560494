"""Whether the API server may take an object: from an AdmissionReview to its answer. Everything that has to be asked, `Asks` asks."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Protocol, TypeVar

from tradewind import GROUP
from tradewind.control.admission import signatures
from tradewind.control.dags import judgement
from tradewind.control.dags.judgement import Judged
from tradewind.control.dags.validation import Reviewed, User, against, review
from tradewind.kube.errors import ApiError, Forbidden, NotFound
from tradewind.model.run import DAGRunSpec
from tradewind.model.trigger import TriggerSpec
from tradewind.model.value import Param
from tradewind.plan.dags.definition import Definition
from tradewind.plan.documents.problem import Invalid, Problem, summary
from tradewind.plan.triggers import completed_run

T = TypeVar("T")
Body = Mapping[str, Any]
WARNING = 250
"""Characters of a warning. The API server cuts longer ones. Source: the Kubernetes documentation, "Dynamic Admission Control"."""
WARNINGS = 10
CAUSES = 10
"""Problems that an answer tells; it says how many more there are."""


class Malformed(ValueError):
    """What was sent is not an AdmissionReview."""


@dataclass(frozen=True, slots=True)
class Request:
    """What someone wants to do. `old` is None for an object that is new."""

    uid: str
    kind: str
    operation: str
    namespace: str
    name: str
    sender: Body
    """`userInfo`: username, groups, uid, extra."""
    new: Body
    old: Body | None = None
    subresource: str = ""
    size: int = 0
    """Bytes of the request."""

    @property
    def user(self) -> str:
        """The name of who sends it."""
        return str(self.sender.get("username") or "")

    @property
    def spec(self) -> Any:
        """The spec as it would be."""
        return self.new.get("spec") or {}

    @property
    def before(self) -> Body:
        """The spec as it is; empty for an object that is new, or whose spec is none."""
        return _fields((self.old or {}).get("spec"))


@dataclass(frozen=True, slots=True)
class AdmissionReview:
    """What is wrong, which refuses the request, and what someone should know beside that."""

    problems: Sequence[Problem] = ()
    warnings: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class KnownDAG:
    """What runs and triggers have to do with of a DAG: the params that it declares or, where it is invalid, what is wrong first; from
    which namespaces it may be followed."""

    params: Mapping[str, Param]
    wrong: str = ""
    allowed: Sequence[str] = ()


class ClusterLookup(Protocol):
    """What a reviewer may ask the cluster."""

    tries_pods: bool = True
    """Whether the API server is asked about pods."""

    async def dag(self, namespace: str, name: str) -> KnownDAG:
        """A DAG. Raises ApiError."""

    async def judged(self, namespace: str, spec: Any, of: Callable[[Definition], T]) -> Judged[T]:
        """A DAG judged with the templates that it uses, and `of` its definition. Raises ApiError."""

    async def work(self, request: Request, function: Callable[..., T], *arguments: Any) -> T:
        """What a function gives that takes longer the larger the request is. Raises Invalid for what is too much to check."""
        return await asyncio.to_thread(function, *arguments)

    async def not_allowed(self, namespace: str, claims: Mapping[str, str]) -> Sequence[Problem]:
        """Claims of ClusterPools, each with its field, that these don't allow the namespace, as far as that can be told."""
        return ()

    async def pods(self, namespace: str, pods: Mapping[bytes, str]) -> AdmissionReview:
        """What the API server says to pods, each of which is of a task."""

    async def may_use(self, sender: Body, namespace: str, account: str) -> bool:
        """Whether someone may act as a service account; `""` is any of the namespace, and of all when that is empty. Raises ApiError."""

    async def may_make_pods(self, sender: Body, namespace: str) -> bool:
        """Whether someone may make pods there, and by Kubernetes' own rules some that act as any account. Raises ApiError."""


Reviewer = Callable[[Request, ClusterLookup], Awaitable[AdmissionReview]]


async def _dag(request: Request, asks: ClusterLookup) -> AdmissionReview:
    name = f"tradewind-dry-run-{request.uid[:8].lower()}" if asks.tries_pods else ""
    of = partial(judgement.about, name, request.namespace)
    try:
        judged = await asks.judged(request.namespace, request.spec, of)
    except ApiError as error:
        return AdmissionReview((), [f"spec is not checked, for its templates can't be read: {error.message}"])
    if judged.problems:
        return AdmissionReview(judged.problems)
    about = judged.content or judgement.About()
    if refused := await asks.not_allowed(request.namespace, about.claims):
        return AdmissionReview(refused, about.notes)
    tried = await asks.pods(request.namespace, about.pods)
    return AdmissionReview(tried.problems, [*about.notes, *tried.warnings])


async def _run(request: Request, asks: ClusterLookup) -> AdmissionReview:
    result = await _reviewed(request, asks)
    spec = result.content
    if not isinstance(spec, DAGRunSpec):
        return AdmissionReview(result.problems)
    if wrong := signatures.of_run(request):
        return AdmissionReview(wrong)
    if request.old is not None and request.spec.get("params") == request.before.get("params"):
        return (
            AdmissionReview()
        )  # They were read when the run began; it can be cancelled whatever became of its DAG since.
    return await _against(request, asks, spec, "the run", "the run")


async def _approval(request: Request, asks: ClusterLookup) -> AdmissionReview:
    return AdmissionReview(wrong) if (wrong := signatures.of_approval(request)) else await _alone(request, asks)


async def _names_of_run(request: Request, _: ClusterLookup) -> AdmissionReview:
    return AdmissionReview(signatures.of_run(request))


async def _names_of_approval(request: Request, _: ClusterLookup) -> AdmissionReview:
    return AdmissionReview(signatures.of_approval(request))


async def _maker(request: Request, asks: ClusterLookup) -> AdmissionReview:
    result = await _reviewed(request, asks)
    if result.problems:
        return AdmissionReview(result.problems)
    verdict = await _against(request, asks, result.content, f"the {request.kind.lower()}", "runs")
    return AdmissionReview(verdict.problems, [*verdict.warnings, *await _refused(request, asks, result.content)])


async def _refused(request: Request, asks: ClusterLookup, spec: User) -> list[str]:
    """The DAGs of other namespaces that a trigger can't follow, as things are."""
    warnings = []
    for index, dag in enumerate(spec.completed.dags if isinstance(spec, TriggerSpec) and spec.completed else ()):
        if dag.namespace in ("", request.namespace):
            continue
        try:
            allowed = (await asks.dag(dag.namespace, dag.name)).allowed
        except (NotFound, Forbidden):
            allowed = ()
        except ApiError:
            continue  # The trigger's status will say.
        if not completed_run.may_follow(allowed, dag.namespace, request.namespace):
            warnings.append(completed_run.refusal(index, dag, request.namespace))
    return warnings


async def _against(request: Request, asks: ClusterLookup, user: User, waits: str, fails: str) -> AdmissionReview:
    """What is wrong with a user of a DAG, given the params that this declares."""
    try:
        dag = await asks.dag(request.namespace, user.dag)
    except NotFound:
        return AdmissionReview(
            (), [f"there is no DAG {user.dag!r} in namespace {request.namespace}: {waits} waits for it"]
        )
    except ApiError as error:
        return AdmissionReview((), [f"spec.params are not checked, for DAG {user.dag} can't be read: {error.message}"])
    if dag.wrong:
        return AdmissionReview((), [f"DAG {user.dag} is invalid, so {fails} will fail: {dag.wrong}"])
    return AdmissionReview(against(dag.params, user))


async def _alone(request: Request, asks: ClusterLookup) -> AdmissionReview:
    """Of a kind about which there is nothing to ask."""
    return AdmissionReview((await _reviewed(request, asks)).problems)


async def _reviewed(request: Request, asks: ClusterLookup) -> Reviewed:
    return await asks.work(request, review, request.kind, request.spec)


REVIEWERS: Mapping[str, Reviewer] = {
    "DAG": _dag,
    "DAGRun": _run,
    "Trigger": _maker,
    "Backfill": _maker,
    "Pool": _alone,
    "ClusterPool": _alone,
    "Approval": _approval,
}
"""Kind -> who reviews it. The chart's ValidatingWebhookConfiguration has a rule for each."""


NAMES: Mapping[str, Reviewer] = {"DAGRun": _names_of_run, "Approval": _names_of_approval}
"""The same for whose name stands under what. It is asked about alone where the API server has no policy for it."""


def parse(data: Any, size: int = 0) -> Request:
    """The request of an AdmissionReview of so many bytes. Raises Malformed."""
    if not isinstance(data, dict) or data.get("kind") != "AdmissionReview":
        raise Malformed("not an AdmissionReview")
    if data.get("apiVersion") != "admission.k8s.io/v1":
        raise Malformed(f"apiVersion {str(data.get('apiVersion'))[:80]!r}: only admission.k8s.io/v1 is understood")
    request: Any = data.get("request")
    try:
        old, new = request.get("oldObject"), request.get("object")
        if not all(body is None or isinstance(body, dict) for body in (old, new)):
            raise TypeError
        return Request(
            uid=str(request["uid"]),
            kind=str(request["kind"]["kind"]),
            operation=str(request["operation"]),
            namespace=str(request.get("namespace") or ""),
            name=str(request.get("name") or ""),
            sender=dict(request.get("userInfo") or {}),
            new=new or {},
            old=old,
            subresource=str(request.get("subResource") or ""),
            size=size,
        )
    except (KeyError, TypeError, ValueError, AttributeError):
        raise Malformed("`request` is not what an AdmissionReview has") from None


async def admit(
    request: Request, asks: ClusterLookup, reviewers: Mapping[str, Reviewer] = REVIEWERS
) -> AdmissionReview:
    """What to answer. Only a spec that is new can be wrong: whatever an old one says, its metadata can be edited and its end come."""
    reviewer = reviewers.get(request.kind)
    ending = isinstance(meta := request.new.get("metadata"), dict) and meta.get("deletionTimestamp")
    if reviewer is None or request.operation not in ("CREATE", "UPDATE") or request.subresource or ending:
        return AdmissionReview()
    if request.old is not None and request.spec == (request.old.get("spec") or {}):
        return AdmissionReview()
    try:
        return await reviewer(request, asks)
    except Invalid as error:
        return AdmissionReview(error.problems)


def answer(request: Request, verdict: AdmissionReview) -> dict[str, Any]:
    """The AdmissionReview that goes back. kubectl shows a refusal as it shows those of a CRD: a line for each field."""
    response: dict[str, Any] = {"uid": request.uid, "allowed": not verdict.problems}
    if verdict.warnings:
        response["warnings"] = [text[:WARNING] for text in verdict.warnings[:WARNINGS]]
    if verdict.problems:
        causes = [
            {"reason": "FieldValueInvalid", "field": problem.path[:400], "message": _words(problem)[:800]}
            for problem in verdict.problems[:CAUSES]
        ]
        if (more := len(verdict.problems) - CAUSES) > 0:
            causes.append({"reason": "FieldValueInvalid", "field": "spec", "message": f"and {more} more"})
        response["status"] = {
            "status": "Failure",
            "code": 422,
            "reason": "Invalid",
            "message": summary(verdict.problems, CAUSES),
            "details": {"group": GROUP, "kind": request.kind, "name": request.name, "causes": causes},
        }
    return {"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview", "response": response}


def _fields(spec: Any) -> Body:
    """A spec, or what stands in its place, which has none of its fields."""
    return spec if isinstance(spec, Mapping) else {}


def _words(problem: Problem) -> str:
    return problem.what + (f"; {problem.instead}" if problem.instead else "")
