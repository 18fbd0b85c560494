"""Only users who may act as a service account may write DAGs and templates whose pods use it."""

from collections.abc import Mapping
from typing import Any

import pytest
from tradewind.control.admission.handler import AdmissionReview, ClusterLookup, admit
from tradewind.control.admission.service_accounts import REVIEWERS
from tradewind.kube.errors import ApiError, Unavailable

from control.admission.test_handler import Cluster, request

Body = dict[str, Any]


class Rights(Cluster):
    """A cluster in which a user may act as some accounts; an error stands for an API server that does not answer."""

    def __init__(self, *accounts: str, error: ApiError | None = None) -> None:
        super().__init__()
        self._accounts, self._error, self.asked = accounts, error, list[tuple[str, str]]()

    async def may_use(self, sender: Mapping[str, Any], namespace: str, account: str) -> bool:
        assert sender["username"] == "ada"
        self.asked.append((namespace, account))
        if self._error:
            raise self._error
        return account in self._accounts

    async def may_make_pods(self, sender: Mapping[str, Any], namespace: str) -> bool:
        return False


async def said(asks: ClusterLookup, kind: str, spec: Body, old: Body | None = None) -> AdmissionReview:
    return await admit(request(kind, spec, old), asks, REVIEWERS)


def dag(**task: Any) -> Body:
    return {"tasks": {"a": {"image": "x", **task}}}


async def test_a_dag_that_acts_as_nobody_asks_for_nothing() -> None:
    rights = Rights()
    assert await said(rights, "DAG", dag()) == AdmissionReview([])
    assert rights.asked == []


async def test_a_dag_is_refused_to_whoever_may_not_act_as_its_account() -> None:
    verdict = await said(Rights("other"), "DAG", dag(serviceAccountName="admin"))
    [problem] = verdict.problems
    assert str(problem) == (
        "spec.tasks.a.serviceAccountName: user 'ada' may not act as service account 'admin', as pods of this would; take another account, or "
        "ask for one of the rights: `impersonate` service account 'admin', or `create` pods of namespace ns"
    )
    assert not (await said(Rights("admin"), "DAG", dag(serviceAccountName="admin"))).problems


async def test_each_change_of_a_dag_is_one_of_what_its_account_does() -> None:
    """A user who may not act as an account can't change the script that runs as it."""
    old, new = (dag(serviceAccountName="admin", args=[word]) for word in ("old", "new"))
    assert (await said(Rights(), "DAG", new, old)).problems
    assert not (await said(Rights(), "DAG", old, old)).problems, "its metadata may be changed"


async def test_where_an_expression_decides_the_right_to_all_accounts_is_needed() -> None:
    template = {"task": {"serviceAccountName": "$[[ inputs.who ]]"}}
    [problem] = (await said(Rights("admin"), "TaskTemplate", template)).problems
    assert "may not act as the service accounts of namespace ns" in problem.what
    assert not (await said(Rights(""), "TaskTemplate", template)).problems


async def test_an_invalid_dag_is_refused_as_nobody_looks_when_it_is_mended_from_elsewhere() -> None:
    body = {"tasks": {"a": {"template": {"name": "comes-later"}}}}
    assert (await said(Rights(), "DAG", body)).problems


async def test_nothing_is_taken_while_the_api_server_does_not_say() -> None:
    with pytest.raises(Unavailable):
        await said(Rights(error=Unavailable(503, "x", "away")), "DAG", dag(serviceAccountName="admin"))


async def test_a_template_of_the_cluster_needs_the_right_in_all_namespaces() -> None:
    rights = Rights()
    made = request("ClusterTaskTemplate", {"task": {"serviceAccountName": "admin"}})
    object.__setattr__(made, "namespace", "")
    [problem] = (await admit(made, rights, REVIEWERS)).problems
    assert rights.asked == [("", "admin")] and "`create` pods of all namespaces" in problem.instead
