"""The part of judging a DAG that runs beside the event loop: all work whose size the DAG decides, and the facts that its reviewers want."""

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
from tradewind.plan.dags.local_dags import uncalled
from tradewind.plan.documents.problem import Invalid, Problem
from tradewind.plan.expressions.literal import OPEN
from tradewind.plan.templates.render import Ref, render

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Judged(Generic[T]):
    """The problems of a DAG or, without any, the requested content. Neither while `asked` names templates that are missing."""

    problems: Sequence[Problem] = ()
    content: T | None = None
    asked: frozenset[Ref] = frozenset()


def judge(spec: Any, templates: Mapping[Ref, Any], of: Callable[[Definition], T]) -> Judged[T]:
    """Judges a DAG's spec with the given specs of templates, where None is a template that does not exist. `of` computes the content."""
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
    """A spec within the bounds of all readers. Raises Invalid for one that is nested too deeply or otherwise out of bounds."""
    try:
        return checked(spec, name="spec")
    except OutOfBounds as error:
        raise Invalid([Problem(error.path, error.problem)]) from None


def params(definition: Definition) -> Mapping[str, Param]:
    """The params that the DAG declares."""
    return dict(definition.spec.params)


def pods(name: str, namespace: str, definition: Definition) -> dict[bytes, str]:
    """Pods that can be built before a run exists -> the path of the first task that makes each."""
    found: dict[bytes, str] = {}
    for base, part in definition.parts:
        for task, bare in templated(part).items():
            try:
                found.setdefault(bare_pod(name, namespace, bare, _unknown), f"{base}.tasks.{task}")
            except Unrenderable:
                continue
    return found


@dataclass(frozen=True, slots=True)
class About:
    """What a DAG uses in the cluster."""

    pods: Mapping[bytes, str] = field(default_factory=dict)
    """Pods for a dry run -> the path of the first task that makes each."""
    claims: Mapping[str, str] = field(default_factory=dict)
    """ClusterPools -> the field that first claims each."""
    notes: Sequence[str] = ()
    """Possible mistakes of the author."""


def about(tried: str, namespace: str, definition: Definition) -> About:
    """What a DAG uses in the cluster; its pods have the name `tried` and are omitted if that is empty."""
    claims: dict[str, str] = {}
    for path, task in definition.all_tasks:
        for index, claim in enumerate(task.pools):
            if claim.kind == "ClusterPool" and OPEN not in claim.name:
                claims.setdefault(claim.name, f"{path}.pools[{index}].name")
    found = [str(problem) for problem in notes(definition)]
    return About(pods(tried, namespace, definition) if tried else {}, claims, found)


def notes(definition: Definition) -> Iterator[Problem]:
    """Possible mistakes that are valid."""
    for base, part in definition.parts:
        yield from (problem.moved(base) for problem in _notes(part))
    for name in uncalled(definition):
        yield Problem(f"spec.dags.{name}", "no task runs it", f"call it by dag: {{local: {name}}}, or remove it")


def _notes(definition: Definition) -> Iterator[Problem]:
    for name, task in definition.tasks.items():
        yield from uninterpolated.values(expression_sites.templated(name, task))
    yield from uninterpolated.literal(definition.spec)
    for name, param in definition.spec.params.items():
        if param.required and "default" in param.model_fields_set:
            what = "null is not a default: every run must give the param"
            yield Problem(f"spec.params.{name}.default", what, "write a value, or remove it")


def _unknown(expression: str) -> NoReturn:
    raise ExpressionError(expression, "known in a run only")
