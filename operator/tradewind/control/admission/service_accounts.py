"""Checks that the author of a DAG may act as the service accounts of its pods: writing a DAG grants nobody more rights than they have."""

import asyncio
from collections.abc import Mapping

from tradewind.control.admission.handler import AdmissionReview, ClusterLookup, Request, Reviewer
from tradewind.plan.dags.service_accounts import ANY, of_dag, of_template
from tradewind.plan.documents.problem import Problem


async def _dag(request: Request, asks: ClusterLookup) -> AdmissionReview:
    """The accounts of a valid DAG. An invalid one is refused: if a change elsewhere made it valid later, nobody would check its
    accounts."""
    judged = await asks.judge(request.namespace, request.spec, of_dag)
    return AdmissionReview(judged.problems) if judged.problems else await _check(request, asks, judged.content or {})


async def _template(request: Request, asks: ClusterLookup) -> AdmissionReview:
    return await _check(request, asks, await asks.work(request, of_template, request.spec))


async def _check(request: Request, asks: ClusterLookup, used: Mapping[str, str]) -> AdmissionReview:
    """Raises ApiError if the rights can't be checked; the response is then an error, which refuses the request too."""
    allowed = await asyncio.gather(*(asks.may_use(request.sender, request.namespace, account) for account in used))
    if all(allowed) or await asks.may_make_pods(request.sender, request.namespace):
        return AdmissionReview([])
    return AdmissionReview(
        [
            _refusal(request, path, account)
            for (account, path), may in zip(used.items(), allowed, strict=True)
            if not may
        ]
    )


def _refusal(request: Request, path: str, account: str) -> Problem:
    where = f"of namespace {request.namespace}" if request.namespace else "of all namespaces"
    which = f"service account {account!r}" if account != ANY else f"the service accounts {where}"
    what = f"user {request.user!r} may not act as {which}, as pods of this would"
    again = f"one of the rights: `impersonate` {which}, or `create` pods {where}"
    return Problem(path, what, f"take another account, or ask for {again}")


REVIEWERS: Mapping[str, Reviewer] = {
    "DAG": _dag,
    "TaskTemplate": _template,
    "DAGTemplate": _template,
    "ClusterTaskTemplate": _template,
    "ClusterDAGTemplate": _template,
}
"""Kind -> its reviewer. The chart's ValidatingWebhookConfiguration has a rule for each."""
