"""Access to ClusterPools."""

from collections.abc import Mapping

from tradewind.model.pool import PoolAllow
from tradewind.plan.selectors import matches


def admits(allow: PoolAllow, namespace: str, labels: Mapping[str, str] | None) -> bool:
    """Whether tasks of a namespace may claim the pool. `labels` are the namespace's; None if they are unknown: then no
    selector matches."""
    if namespace in allow.namespaces:
        return True
    selector = allow.namespace_selector
    return selector is not None and labels is not None and matches(selector, {"metadata": {"labels": labels}})


def refusal(pool: str, namespace: str) -> str:
    """Why a task waits forever, or a DAG is refused."""
    return f"ClusterPool {pool!r} takes no claims of namespace {namespace}: have it named in the pool's spec.allow, or drop the claim"
