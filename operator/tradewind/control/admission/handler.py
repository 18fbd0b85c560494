"""Decides whether the API server may store an object: from an AdmissionReview to its response. `ClusterLookup` asks the cluster."""

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
from tradewind.model.dag_name import local
from tradewind.model.trigger import TriggerSpec
from tradewind.model.value import Param
from tradewind.plan.dags.definition import Definition
from tradewind.plan.documents.problem import Invalid, Problem, summary
from tradewind.plan.triggers import completed_run

T = TypeVar("T")
Body = Mapping[str, Any]
WARNING = 250
"""Characters of a warning; the API server truncates longer ones. Source: the Kubernetes documentation, "Dynamic Admission Control"."""
WARNINGS = 10
CAUSES = 10
"""Problems that a response lists, with the number of others."""


class Malformed(ValueError):
    """The request is not an AdmissionReview."""


@dataclass(frozen=True, slots=True)
class Request:
    """A requested write. `old` is None for a new object."""

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
        """The name of the user who sends the request."""
        return str(self.sender.get("username") or "")

    @property
    def spec(self) -> Any:
        """The spec after the write."""
        return self.new.get("spec") or {}

    @property
    def before(self) -> Body:
        """The spec before the write; empty for a new object or a malformed spec."""
        return _fields((self.old or {}).get("spec"))


@dataclass(frozen=True, slots=True)
class AdmissionReview:
    """The problems, for which the request is refused, and warnings."""

    problems: Sequence[Problem] = ()
    warnings: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class KnownDAG:
    """The facts about a DAG that matter for runs and triggers: its params, the first problem if it is invalid, and the namespaces whose
    triggers may follow it."""

    params: Mapping[str, Param]
    wrong: str = ""
    allowed: Sequence[str] = ()


class ClusterLookup(Protocol):
    """What a reviewer may ask the cluster."""

    tries_pods: bool = True
    """Whether pods are tried on the API server."""

    async def dag(self, namespace: str, name: str) -> KnownDAG:
        """The facts about a DAG. Raises ApiError."""

    async def judge(self, namespace: str, spec: Any, of: Callable[[Definition], T]) -> Judged[T]:
        """Judges a DAG with its templates; `of` computes the content from its definition. Raises ApiError."""

    async def work(self, request: Request, function: Callable[..., T], *arguments: Any) -> T:
        """Calls a function whose time depends on the size of the request. Raises Invalid if it takes too long."""
        return await asyncio.to_thread(function, *arguments)

    async def not_allowed(self, namespace: str, claims: Mapping[str, str]) -> Sequence[Problem]:
        """Claims (by ClusterPool, with the field of each) that the pools don't allow the namespace, as far as that can be checked."""
        return ()

    async def pods(self, namespace: str, pods: Mapping[bytes, str]) -> AdmissionReview:
        """Tries pods on the API server; each pod has the path of its task."""

    async def may_use(self, sender: Body, namespace: str, account: str) -> bool:
        """Whether someone may act as a service account. `""` means any account of the namespace, and of all namespaces if that is empty.
        Raises ApiError."""

    async def may_make_pods(self, sender: Body, namespace: str) -> bool:
        """Whether someone may create pods there, which by Kubernetes' rules can act as any account. Raises ApiError."""


Reviewer = Callable[[Request, ClusterLookup], Awaitable[AdmissionReview]]


async def _dag(request: Request, asks: ClusterLookup) -> AdmissionReview:
    name = f"tradewind-dry-run-{request.uid[:8].lower()}" if asks.tries_pods else ""
    of = partial(judgement.about, name, request.namespace)
    try:
        judged = await asks.judge(request.namespace, request.spec, of)
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
    result = await _review(request, asks)
    if wrong := signatures.of_run(request):
        return _forged(result, wrong)
    if request.old is not None and _fields(request.spec).get("params") == request.before.get("params"):
        # They were checked when the run began; it can be cancelled whatever has become of its DAG.
        return AdmissionReview(result.problems)
    return await _against(request, asks, result, "the run", "the run")


async def _approval(request: Request, asks: ClusterLookup) -> AdmissionReview:
    result = await _review(request, asks)
    wrong = signatures.of_approval(request)
    return _forged(result, wrong) if wrong else AdmissionReview(result.problems)


def _forged(result: Reviewed, wrong: Sequence[Problem]) -> AdmissionReview:
    """A refusal for user names, as far as they can be read, and for what else is wrong."""
    names = result.unread.without_followers(wrong) if result.content is not None else []
    places = {problem.path for problem in names}
    return AdmissionReview([*(problem for problem in result.problems if problem.path not in places), *names])


async def _names_of_run(request: Request, _: ClusterLookup) -> AdmissionReview:
    return AdmissionReview(signatures.of_run(request))


async def _names_of_approval(request: Request, _: ClusterLookup) -> AdmissionReview:
    return AdmissionReview(signatures.of_approval(request))


async def _maker(request: Request, asks: ClusterLookup) -> AdmissionReview:
    result = await _review(request, asks)
    verdict = await _against(request, asks, result, f"the {request.kind.lower()}", "runs")
    if verdict.problems:
        return verdict
    return AdmissionReview((), [*verdict.warnings, *await _not_followed(request, asks, result.content)])


async def _not_followed(request: Request, asks: ClusterLookup, spec: User) -> list[str]:
    """Warnings for DAGs of other namespaces that a trigger can't follow at present."""
    warnings = []
    for index, dag in enumerate(spec.completed.dags if isinstance(spec, TriggerSpec) and spec.completed else ()):
        if dag.namespace in ("", request.namespace):
            continue
        try:
            allowed = (await asks.dag(dag.namespace, dag.name)).allowed
        except (NotFound, Forbidden):
            allowed = ()
        except ApiError:
            continue  # The trigger's status will report it.
        if not completed_run.may_follow(allowed, dag.namespace, request.namespace):
            warnings.append(completed_run.refusal(index, dag, request.namespace))
    return warnings


async def _against(request: Request, asks: ClusterLookup, result: Reviewed, waits: str, fails: str) -> AdmissionReview:
    """The problems of a user of a DAG, with those by the params that the DAG declares."""
    user, known = result.content, result.problems
    if not isinstance(user, User) or result.unread.holds("spec.dag") or local(user.dag):
        return AdmissionReview(known)  # Whether a run of a local DAG is what its caller makes, the operator decides.
    try:
        dag = await asks.dag(request.namespace, user.dag)
    except NotFound:
        return AdmissionReview(
            known, [f"there is no DAG {user.dag!r} in namespace {request.namespace}: {waits} waits for it"]
        )
    except ApiError as error:
        return AdmissionReview(
            known, [f"spec.params are not checked, for DAG {user.dag} can't be read: {error.message}"]
        )
    if dag.wrong:
        return AdmissionReview(known, [f"DAG {user.dag} is invalid, so {fails} will fail: {dag.wrong}"])
    return AdmissionReview([*known, *result.unread.without_followers(against(dag.params, user))])


async def _alone(request: Request, asks: ClusterLookup) -> AdmissionReview:
    """Reviews a kind without asking the cluster."""
    return AdmissionReview((await _review(request, asks)).problems)


async def _review(request: Request, asks: ClusterLookup) -> Reviewed:
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
"""Kind -> its reviewer. The chart's ValidatingWebhookConfiguration has a rule for each."""


NAMES: Mapping[str, Reviewer] = {"DAGRun": _names_of_run, "Approval": _names_of_approval}
"""The same for user names in decisions and edits, which are reviewed separately if the API server has no policy for them."""


def parse(data: Any, size: int = 0) -> Request:
    """The request of an AdmissionReview of `size` bytes. Raises Malformed."""
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
    """Reviews a request. Only a changed spec is reviewed: metadata of an object with an invalid spec can be edited, and it can be
    deleted."""
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
    """The AdmissionReview to return. kubectl shows a refusal like one by a CRD: a line for each field."""
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
    """A spec; empty if it is not an object."""
    return spec if isinstance(spec, Mapping) else {}


def _words(problem: Problem) -> str:
    return problem.what + (f"; {problem.instead}" if problem.instead else "")
