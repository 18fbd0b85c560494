"""What is done about a DAG beside the event loop: everything that its size decides, with what its reviewers want to know of it."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Generic, NoReturn, TypeVar

from tradewind.control.dags.validation import bare_pod, review_dag, templated
from tradewind.control.pods.rendering import Unrenderable
from tradewind.model.bounded import OutOfBounds, checked
from tradewind.model.value import Param
from tradewind.plan.cel.compiler import ExpressionError
from tradewind.plan.dags import expression_sites, uninterpolated
from tradewind.plan.dags.definition import Definition
from tradewind.plan.documents.problem import Invalid, Problem
from tradewind.plan.templates.render import Ref, render

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Judged(Generic[T]):
    """What is wrong with a DAG or, where nothing is, what was wanted of it. While `asked` names templates, neither."""

    problems: Sequence[Problem] = ()
    content: T | None = None
    asked: frozenset[Ref] = frozenset()


def judge(spec: Any, templates: Mapping[Ref, Any], of: Callable[[Definition], T]) -> Judged[T]:
    """Judges a DAG's spec, given the specs of templates; None is one that is not there."""
    asked = set[Ref]()

    def find(ref: Ref) -> Any:
        if ref not in templates:
            asked.add(ref)
        return templates.get(ref)

    try:
        rendering = render(bounded(spec), find)
    except Invalid as error:
        return Judged(asked=frozenset(asked)) if asked else Judged(error.problems)
    if asked:
        return Judged(asked=frozenset(asked))
    result = review_dag(rendering)
    return Judged(result.problems) if result.problems else Judged(content=of(result.content))


def bounded(spec: Any) -> Any:
    """A spec that every part of the product can read. Raises Invalid for one that is nested too deep, and the like."""
    try:
        return checked(spec, name="spec")
    except OutOfBounds as error:
        raise Invalid([Problem(error.path, error.problem)]) from None


def params(definition: Definition) -> Mapping[str, Param]:
    """The params that runs are given."""
    return dict(definition.spec.params)


def pods(name: str, namespace: str, definition: Definition) -> dict[bytes, str]:
    """Pods that can be built before there is a run -> the first task that makes each."""
    found: dict[bytes, str] = {}
    for task, bare in templated(definition).items():
        try:
            found.setdefault(bare_pod(name, namespace, bare, _unknown), task)
        except Unrenderable:
            continue
    return found


@dataclass(frozen=True, slots=True)
class About:
    """What a DAG asks of the cluster."""

    pods: Mapping[bytes, str] = field(default_factory=dict)
    """Pods that can be tried -> the first task that makes each."""
    claims: Mapping[str, str] = field(default_factory=dict)
    """ClusterPools -> the field that first claims each."""
    notes: Sequence[str] = ()
    """What its author may not have meant."""


def about(tried: str, namespace: str, definition: Definition) -> About:
    """What it asks; pods of the name `tried`, none where that is empty."""
    claims: dict[str, str] = {}
    for name, task in definition.tasks.items():
        for index, claim in enumerate(task.pools):
            if claim.kind == "ClusterPool":
                claims.setdefault(claim.name, f"spec.tasks.{name}.pools[{index}].name")
    found = [str(problem) for problem in notes(definition)]
    return About(pods(tried, namespace, definition) if tried else {}, claims, found)


def notes(definition: Definition) -> Iterator[Problem]:
    """What is no mistake of a DAG, but may not be meant."""
    for name, task in definition.tasks.items():
        yield from uninterpolated.values(expression_sites.templated(name, task))
    yield from uninterpolated.literal(definition.spec)
    for name, param in definition.spec.params.items():
        if param.default is None and "default" in param.model_fields_set:
            what = "null is not a default: every run must give the param"
            yield Problem(f"spec.params.{name}.default", what, "write a value, or remove it")


def _unknown(expression: str) -> NoReturn:
    raise ExpressionError(expression, "known in a run only")
