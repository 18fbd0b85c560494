"""Whether the API server may take an object: from an AdmissionReview to its answer. Everything that has to be asked, `Asks` asks."""

import asyncio
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from tradewind import GROUP
from tradewind.control.review import Reviewed, User, against, review, review_dag
from tradewind.kube.errors import ApiError, Forbidden, NotFound
from tradewind.model.run import DAGRunSpec
from tradewind.model.trigger import TriggerSpec
from tradewind.model.value import Param
from tradewind.plan import completed
from tradewind.plan.definition import Definition
from tradewind.plan.problem import Problem, summary
from tradewind.plan.render import Rendering

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
class Verdict:
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


class Asks(Protocol):
    """What a reviewer may ask the cluster."""

    async def dag(self, namespace: str, name: str) -> KnownDAG:
        """A DAG. Raises ApiError."""

    async def rendering(self, namespace: str, name: str, spec: Any) -> Rendering:
        """A DAG with the templates that it uses. Raises ApiError."""

    async def pods(self, namespace: str, uid: str, definition: Definition) -> Verdict:
        """What the API server says to the pods that the podTemplates make."""

    async def may_use(self, sender: Body, namespace: str, account: str) -> bool:
        """Whether someone may act as a service account; `""` is any of the namespace, and of all when that is empty. Raises ApiError."""

    async def may_make_pods(self, sender: Body, namespace: str) -> bool:
        """Whether someone may make pods there, and by Kubernetes' own rules some that act as any account. Raises ApiError."""


Reviewer = Callable[[Request, Asks], Awaitable[Verdict]]


async def _dag(request: Request, asks: Asks) -> Verdict:
    try:
        rendering = await asks.rendering(request.namespace, request.name, request.spec)
    except ApiError as error:
        return Verdict((), [f"spec is not checked, for its templates can't be read: {error.message}"])
    # A DAG of ten thousand tasks takes a second or two: probes and other requests go on meanwhile.
    result = await asyncio.to_thread(review_dag, rendering)
    if result.problems:
        return Verdict(result.problems)
    return await asks.pods(request.namespace, request.uid, result.content)


async def _run(request: Request, asks: Asks) -> Verdict:
    result = await _reviewed(request)
    spec = result.content
    if not isinstance(spec, DAGRunSpec):
        return Verdict(result.problems)
    edits, known = request.spec.get("edits") or [], request.before.get("edits")
    if wrong := [*forged("spec.edits", edits, known if isinstance(known, list) else [], request.user)]:
        return Verdict(wrong)
    if request.old is not None and request.spec.get("params") == request.before.get("params"):
        return Verdict()  # They were read when the run began; it can be cancelled whatever became of its DAG since.
    return await _against(request, asks, spec, "the run", "the run")


async def _approval(request: Request, asks: Asks) -> Verdict:
    """Who decides says so himself, and whoever changes a decision takes it over. One that comes with its object is nobody's."""
    spec = _fields(request.spec)
    by, decided = spec.get("by"), bool(spec.get("decision"))
    if decided and request.old is None:
        words, instead = "an approval is not made with a decision", "create it without, and change it"
        return Verdict([Problem("spec.decision", words, instead)])
    if decided and by != request.user:
        words = f"{str(by)[:80]!r} is not who sends this"
        return Verdict([Problem("spec.by", words, f"write {request.user!r}")])
    return await _alone(request, asks)


async def _maker(request: Request, asks: Asks) -> Verdict:
    result = await _reviewed(request)
    if result.problems:
        return Verdict(result.problems)
    verdict = await _against(request, asks, result.content, f"the {request.kind.lower()}", "runs")
    return Verdict(verdict.problems, [*verdict.warnings, *await _refused(request, asks, result.content)])


async def _refused(request: Request, asks: Asks, spec: User) -> list[str]:
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
        if not completed.may_follow(allowed, dag.namespace, request.namespace):
            warnings.append(completed.refusal(index, dag, request.namespace))
    return warnings


async def _against(request: Request, asks: Asks, user: User, waits: str, fails: str) -> Verdict:
    """What is wrong with a user of a DAG, given the params that this declares."""
    try:
        dag = await asks.dag(request.namespace, user.dag)
    except NotFound:
        return Verdict((), [f"there is no DAG {user.dag!r} in namespace {request.namespace}: {waits} waits for it"])
    except ApiError as error:
        return Verdict((), [f"spec.params are not checked, for DAG {user.dag} can't be read: {error.message}"])
    if dag.wrong:
        return Verdict((), [f"DAG {user.dag} is invalid, so {fails} will fail: {dag.wrong}"])
    return Verdict(against(dag.params, user))


async def _alone(request: Request, asks: Asks) -> Verdict:
    """Of a kind about which there is nothing to ask."""
    return Verdict((await _reviewed(request)).problems)


async def _reviewed(request: Request) -> Reviewed:
    return await asyncio.to_thread(review, request.kind, request.spec)


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


def forged(path: str, new: Sequence[Body], old: Sequence[Body], user: str) -> Iterator[Problem]:
    """Entries of a list that only grows which say, in `by`, that they are someone else's than the one who sends it; and those that were
    there and are changed."""
    for index, entry in enumerate(new):
        if index < len(old):
            if entry != old[index]:
                yield Problem(f"{path}[{index}]", "was there before and can't be changed", "add another at the end")
        elif entry.get("by") != user:
            words = f"{str(entry.get('by'))[:80]!r} is not who sends this"
            yield Problem(f"{path}[{index}].by", words, f"write {user!r}")


def parse(data: Any) -> Request:
    """The request of an AdmissionReview. Raises Malformed."""
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
        )
    except (KeyError, TypeError, ValueError, AttributeError):
        raise Malformed("`request` is not what an AdmissionReview has") from None


async def admit(request: Request, asks: Asks, reviewers: Mapping[str, Reviewer] = REVIEWERS) -> Verdict:
    """What to answer. Only a spec that is new can be wrong: whatever an old one says, its metadata can be edited and its end come."""
    reviewer = reviewers.get(request.kind)
    ending = isinstance(meta := request.new.get("metadata"), dict) and meta.get("deletionTimestamp")
    if reviewer is None or request.operation not in ("CREATE", "UPDATE") or request.subresource or ending:
        return Verdict()
    if request.old is not None and request.spec == (request.old.get("spec") or {}):
        return Verdict()
    return await reviewer(request, asks)


def answer(request: Request, verdict: Verdict) -> dict[str, Any]:
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
