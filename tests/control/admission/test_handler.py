"""Admission: what is refused, with which message, and what passes in any case."""

from collections.abc import Callable, Mapping
from typing import Any, TypeVar

import pytest
from tradewind.control.admission.cluster_lookup import ApiClusterLookup
from tradewind.control.admission.handler import (
    NAMES,
    REVIEWERS,
    AdmissionReview,
    ClusterLookup,
    KnownDAG,
    Malformed,
    Request,
    admit,
    answer,
    parse,
)
from tradewind.control.admission.signatures import forged
from tradewind.control.dags.judgement import Judged, judge
from tradewind.control.dags.validation import review
from tradewind.kube.client import Client
from tradewind.kube.errors import ApiError, Forbidden, NotFound
from tradewind.kube.resources import Resource
from tradewind.plan.dags.definition import Definition
from tradewind.plan.documents.problem import Problem

T = TypeVar("T")
Body = dict[str, Any]
GOOD = {"params": {"n": {"type": "integer"}}, "tasks": {"a": {"image": "x"}}}


class Cluster(ClusterLookup):
    """A cluster with some DAGs, by name; an error stands for a DAG that can't be read."""

    def __init__(self, pods: AdmissionReview | None = None, **dags: Body | ApiError) -> None:
        self._dags, self._pods = dags, pods or AdmissionReview()

    async def dag(self, namespace: str, name: str) -> KnownDAG:
        found = self._dags.get(name, NotFound(404, "NotFound", "not found"))
        if isinstance(found, ApiError):
            raise found
        result = review("DAG", found)
        allowed = found.get("allowTriggersFrom", ())
        return (
            KnownDAG({}, str(result.problems[0]))
            if result.problems
            else KnownDAG(result.content.spec.params, "", allowed)
        )

    async def judge(self, namespace: str, spec: Any, of: Callable[[Definition], T]) -> Judged[T]:
        judged = judge(spec, {}, of)
        return judge(spec, dict.fromkeys(judged.asked), of)

    async def pods(self, namespace: str, pods: Mapping[bytes, str]) -> AdmissionReview:
        return self._pods


def request(kind: str, spec: Body, old: Body | None = None, **more: Any) -> Request:
    operation = more.pop("operation", "CREATE" if old is None else "UPDATE")
    new = {"metadata": more.pop("metadata", {}), "spec": spec}
    return Request(
        "u", kind, operation, "ns", "x", {"username": "ada"}, new, None if old is None else {"spec": old}, **more
    )


def task(**terms: Any) -> Body:
    return {"tasks": {"a": {"image": "x", **terms}, "b": {"image": "x"}}}


BAD: dict[str, tuple[str, Body, str]] = {
    "cycle": (
        "DAG",
        {"tasks": {"a": {"image": "x", "dependsOn": ["b"]}, "b": {"image": "x", "dependsOn": ["a"]}}},
        "spec.tasks.a.dependsOn: tasks depend on each other in a cycle: a -> b -> a; remove one of these dependencies",
    ),
    "not-upstream": ("DAG", task(when="tasks.b.state == 'Failed'"), "spec.tasks.a.when: "),
    "no-cel": ("DAG", task(when="1 +"), "spec.tasks.a.when: `1 +`"),
    "no-param": ("DAG", task(env={"X": "$[[ params.n ]]"}), "spec.tasks.a.env.X: `params.n`"),
    "dangling": ("DAG", task(dependsOn=["c"]), "spec.tasks.a.dependsOn[0]: there is no task 'c'; there are: a, b"),
    "no-image": ("DAG", {"tasks": {"a": {}}}, "spec.tasks.a.image: required; name an image"),
    "no-pod": ("DAG", task(podTemplate={"spec": {"colour": "red"}}), "spec.tasks.a.podTemplate.spec.colour: a pod has no"),
    "spec-is-no-object": ("DAG", task(podTemplate={"spec": "x"}), "spec.tasks.a.podTemplate.spec: not an object"),
    "labels-are-no-object": ("DAG", task(podTemplate={"metadata": {"labels": []}}), "spec.tasks.a.podTemplate.metadata.labels: not"),
    "wrong-param": ("DAGRun", {"dag": "d", "params": {"n": "many"}}, "spec.params.n: 'many' is not an integer"),
    "missing-param": ("DAGRun", {"dag": "d"}, "spec.params.n: required; give an integer"),
    "more-params": ("DAGRun", {"dag": "d", "params": {"n": 1, "m": 2}}, "spec.params.m: no such param"),
    "no-dag": ("DAGRun", {}, "spec.dag: required"),
    "pool": ("Pool", {"slots": -1}, "spec.slots: -1 is too small; write at least 0"),
    "cluster-pool": ("ClusterPool", {"slot": 1}, "spec.slot: unknown field"),
}  # fmt: skip


@pytest.mark.parametrize("name", BAD)
async def test_what_is_refused_is_told_with_its_field(name: str) -> None:
    kind, spec, words = BAD[name]
    made = request(kind, spec)
    response = answer(made, await admit(made, Cluster(d=GOOD)))["response"]
    assert response["uid"] == "u" and response["allowed"] is False
    status = response["status"]
    assert any(line.startswith(words) for line in status["message"].splitlines()), status["message"]
    assert (status["code"], status["reason"], status["details"]["kind"]) == (422, "Invalid", kind)
    cause = status["details"]["causes"][0]
    assert f"{cause['field']}: {cause['message']}" == status["message"].splitlines()[0]


@pytest.mark.parametrize(
    ("kind", "spec"),
    [
        ("DAG", GOOD),
        ("DAGRun", {"dag": "d", "params": {"n": 1}}),
        ("Pool", {"slots": 1}),
        ("ClusterPool", {"slots": 0}),
    ],
)
async def test_what_is_right_is_allowed_without_a_word(kind: str, spec: Body) -> None:
    made = request(kind, spec)
    assert answer(made, await admit(made, Cluster(d=GOOD)))["response"] == {"uid": "u", "allowed": True}


@pytest.mark.parametrize("name", BAD)
async def test_an_old_mistake_is_no_reason_to_refuse_a_change_beside_it(name: str) -> None:
    kind, spec, _ = BAD[name]
    passes = [
        request(kind, spec, old=spec),
        request(kind, spec, old=GOOD, metadata={"deletionTimestamp": "2026-01-01T00:00:00Z"}),
        request(kind, spec, old=GOOD, subresource="status"),
        request(kind, {}, old=spec, operation="DELETE"),
        request(kind, spec, operation="CONNECT"),
    ]
    for made in passes:
        assert await admit(made, Cluster(d=GOOD)) == AdmissionReview()


async def test_a_changed_spec_must_be_right() -> None:
    assert (await admit(request("DAG", {"tasks": {"a": {}}}, old=GOOD), Cluster())).problems
    assert (
        await admit(request("DAGRun", {"dag": "d", "params": {"n": "x"}}, old={"dag": "d"}), Cluster(d=GOOD))
    ).problems


async def test_a_run_can_be_cancelled_whatever_became_of_its_dag() -> None:
    old = {"dag": "d", "params": {"gone": 1}}
    assert (
        await admit(request("DAGRun", {**old, "desiredState": "Cancelled"}, old=old), Cluster(d=GOOD))
        == AdmissionReview()
    )


@pytest.mark.parametrize(
    ("dags", "words"),
    [
        ({}, "there is no DAG 'd' in namespace ns: the run waits for it"),
        ({"d": Forbidden(403, "Forbidden", "no")}, "spec.params are not checked, for DAG d can't be read: no"),
        ({"d": {"tasks": {"a": {}}}}, "DAG d is invalid, so the run will fail: spec.tasks.a.image: required"),
    ],
)
async def test_a_run_whose_dag_can_still_come_or_change_is_allowed_with_a_warning(dags: Body, words: str) -> None:
    made = request("DAGRun", {"dag": "d", "params": {"n": "x"}})
    response = answer(made, await admit(made, Cluster(**dags)))["response"]
    assert response["allowed"] and len(response["warnings"]) == 1 and response["warnings"][0].startswith(words)


async def test_whether_a_run_of_a_local_dag_may_begin_is_left_to_the_operator() -> None:
    made = request("DAGRun", {"dag": "d.part", "params": {"n": "x"}})
    assert await admit(made, Cluster(d=GOOD)) == AdmissionReview()
    assert (await admit(request("DAGRun", {"dag": "d.part.more"}), Cluster(d=GOOD))).problems
    assert (await admit(request("Trigger", {"dag": "d.part", "schedule": {"every": "1h"}}), Cluster(d=GOOD))).problems


async def test_what_the_api_server_says_to_the_pods_counts_too() -> None:
    said = AdmissionReview([Problem("spec.tasks.a.podTemplate", "refused")], ["quota"])
    made = request("DAG", GOOD)
    response = answer(made, await admit(made, Cluster(said)))["response"]
    assert not response["allowed"] and response["warnings"] == ["quota"]
    assert response["status"]["message"] == "spec.tasks.a.podTemplate: refused"


async def test_kinds_that_are_not_known_pass() -> None:
    assert await admit(request("Novelty", {"whatever": 1}), Cluster()) == AdmissionReview()


async def test_an_answer_is_bounded_and_says_that_there_is_more() -> None:
    tasks = {f"t{at}": {"image": "x", "when": "nothing" * 500} for at in range(1_000)}
    made = request("DAG", {"tasks": tasks})
    status = answer(made, await admit(made, Cluster()))["response"]["status"]
    assert len(status["message"]) <= 4_096 and len(status["details"]["causes"]) == 11
    assert status["details"]["causes"][-1]["message"] == "and 91 more", "of a kind 100 are looked for, and one says so"
    warned = answer(made, AdmissionReview((), ["w" * 9_999] * 99))["response"]["warnings"]
    assert len(warned) == 10 and all(len(text) <= 256 for text in warned)


@pytest.mark.parametrize("by", ["eve", None, ["ada"]])
async def test_a_reviewer_can_see_who_claims_to_be_someone_else(by: Any) -> None:
    async def reviewer(made: Request, asks: ClusterLookup) -> AdmissionReview:
        return AdmissionReview(list(forged("spec.edits", made.spec["edits"], made.before.get("edits", []), made.user)))

    def edited(*edits: Body) -> Request:
        return request("Edited", {"edits": list(edits)}, old={"edits": [theirs]})

    theirs, own = {"by": "eve", "task": "a"}, {"by": "ada", "task": "b"}
    assert not (await admit(edited(theirs, own), Cluster(), {"Edited": reviewer})).problems
    [problem] = (await admit(edited(theirs, {"by": by, "task": "c"}), Cluster(), {"Edited": reviewer})).problems
    assert problem.path == "spec.edits[1].by" and problem.instead == "write 'ada'"


@pytest.mark.parametrize("by", ["eve", None])
async def test_who_edits_a_run_or_decides_an_approval_can_not_be_someone_else(by: Any) -> None:
    edit = {"action": "Skip", "tasks": ["a"], **({"by": by} if by else {})}
    run = {"dag": "d"}
    [problem] = (await admit(request("DAGRun", {**run, "edits": [edit]}, old=run), Cluster(d=GOOD))).problems
    assert (problem.path, problem.instead) == ("spec.edits[0].by", "write 'ada'")
    asked = {"run": "r", "task": "a"}
    decided = {**asked, "decision": "Approved", "by": by or ""}
    [problem] = (await admit(request("Approval", decided, old=asked), Cluster())).problems
    assert (problem.path, problem.instead) == ("spec.by", "write 'ada'")
    mine = {**decided, "by": "ada"}
    assert await admit(request("Approval", mine, old=asked), Cluster()) == AdmissionReview()
    assert await admit(request("Approval", {**mine, "comment": "x"}, old=mine), Cluster()) == AdmissionReview()


EDIT = {"action": "Skip", "tasks": ["a"], "by": "ada"}
EVES = {**EDIT, "by": "eve"}
OTHERS = {"run": "r", "task": "a", "decision": "Approved", "by": "eve", "answers": {"n": "none"}}
ASKED = {"run": "r", "task": "a"}
FORGED: dict[str, tuple[str, Body, Body | None, str]] = {
    "an edit in the place of another": ("DAGRun", {"edits": [EDIT]}, {"edits": [EVES]}, "spec.edits[0]"),
    "an edit of another, repeated": ("DAGRun", {"edits": [EVES, EVES]}, {"edits": [EVES]}, "spec.edits[1].by"),
    "another's edit before one's own": ("DAGRun", {"edits": [EVES, EDIT]}, {"edits": [EDIT]}, "spec.edits[0]"),
    "a run that comes with an edit": ("DAGRun", {"edits": [EVES]}, None, "spec.edits[0].by"),
    "answers that fit another's decision": ("Approval", {**OTHERS, "answers": {"n": 1}}, OTHERS, "spec.by"),
    "a decision handed to another": ("Approval", OTHERS, {**OTHERS, "by": "ada"}, "spec.by"),
    "an approval that comes with a decision": ("Approval", {**OTHERS, "by": "ada"}, None, "spec.decision"),
    "an approval that comes with a name": ("Approval", {**ASKED, "by": "ada"}, None, "spec.by"),
    "another's name before a decision": ("Approval", {**ASKED, "by": "eve"}, ASKED, "spec.by"),
    "a comment in another's name": ("Approval", {**ASKED, "by": "eve", "comment": "I"}, {**ASKED, "by": "eve"}, "spec.by"),
    "a comment in nobody's name": ("Approval", {**ASKED, "comment": "eve: I agree"}, ASKED, "spec.by"),
    "answers in nobody's name": ("Approval", {**ASKED, "answers": {"n": 1}}, ASKED, "spec.by"),
}  # fmt: skip


@pytest.mark.parametrize("name", FORGED)
async def test_nobody_writes_in_anothers_name_by_a_detour(name: str) -> None:
    kind, spec, old, path = FORGED[name]
    dag = {"dag": "d"} if kind == "DAGRun" else {}
    made = request(kind, {**dag, **spec}, old=None if old is None else {**dag, **old})
    for reviewers in (REVIEWERS, NAMES):
        assert [problem.path for problem in (await admit(made, Cluster(d=GOOD), reviewers)).problems] == [path]


async def test_whose_name_it_is_needs_nothing_of_the_cluster() -> None:
    """Nothing else is checked: a webhook that must answer has no other reason to refuse."""
    nowhere: Any = None
    for kind, spec in (("DAGRun", {"dag": 7, "edits": [EDIT]}), ("DAGRun", {}), ("Approval", {"run": 7})):
        assert await admit(request(kind, spec), nowhere, NAMES) == AdmissionReview([])
    assert await admit(request("DAG", BAD["cycle"][1]), nowhere, NAMES) == AdmissionReview()


REVIEW = {
    "apiVersion": "admission.k8s.io/v1",
    "kind": "AdmissionReview",
    "request": {
        "uid": "u", "kind": {"group": "tradewind.dev", "version": "v1alpha1", "kind": "DAG"}, "operation": "UPDATE",
        "namespace": "ns", "name": "x", "userInfo": {"username": "ada"}, "object": {"spec": {}}, "oldObject": None,
    },
}  # fmt: skip


def test_a_review_is_read() -> None:
    assert parse(REVIEW) == Request("u", "DAG", "UPDATE", "ns", "x", {"username": "ada"}, {"spec": {}})


@pytest.mark.parametrize(
    "data",
    [
        None,
        [],
        {},
        {**REVIEW, "apiVersion": "admission.k8s.io/v1beta1"},
        {**REVIEW, "request": None},
        {**REVIEW, "request": []},
        {**REVIEW, "request": {"uid": "u"}},
        {**REVIEW, "request": {**REVIEW["request"], "kind": "DAG"}},  # type: ignore[dict-item]
        {**REVIEW, "request": {**REVIEW["request"], "object": "text"}},  # type: ignore[dict-item]
        {**REVIEW, "request": {**REVIEW["request"], "userInfo": "ada"}},  # type: ignore[dict-item]
    ],
)
def test_what_is_no_review_is_told_apart(data: Any) -> None:
    with pytest.raises(Malformed):
        parse(data)


@pytest.mark.parametrize("dags", [{}, {"load": GOOD}, {"load": Forbidden(403, "Forbidden", "no")}])
async def test_it_is_not_told_whether_a_dag_that_one_may_not_follow_is_there(dags: dict[str, Any]) -> None:
    spec = {"dag": "d", "params": {"n": 1}, "completed": {"dags": [{"name": "load", "namespace": "other"}]}}
    verdict = await admit(request("Trigger", spec), Cluster(d=GOOD, **dags))
    words = "spec.completed.dags[0]: namespace other has no DAG 'load' that allows triggers from namespace ns"
    assert not verdict.problems and [warning.startswith(words) for warning in verdict.warnings] == [True]


@pytest.mark.parametrize("allowed", ["ns", "*"])
async def test_a_dag_that_allows_it_is_followed_without_a_word(allowed: str) -> None:
    spec = {"dag": "d", "params": {"n": 1}, "completed": {"dags": [{"name": "load", "namespace": "other"}]}}
    verdict = await admit(request("Trigger", spec), Cluster(d=GOOD, load={**GOOD, "allowTriggersFrom": [allowed]}))
    assert [*verdict.problems, *verdict.warnings] == []


class Pools(Client):
    """A server with a ClusterPool, and a namespace with a label."""

    def __init__(self, allow: Body | None) -> None:
        self._spec = {"slots": 1} if allow is None else {"slots": 1, "allow": allow}

    async def get(self, resource: Resource, namespace: str, name: str) -> Body:
        match resource.plural, name:
            case "clusterpools", "lic":
                return {"spec": self._spec}
            case "namespaces", "ns":
                return {"metadata": {"labels": {"licensed": "yes"}}}
        raise NotFound(404, "NotFound", name)


@pytest.mark.parametrize(
    ("allow", "refused"),
    [
        (None, False),
        ({"namespaces": ["ns"]}, False),
        ({"namespaces": ["another"]}, True),
        ({"namespaceSelector": {"matchLabels": {"licensed": "yes"}}}, False),
        ({"namespaceSelector": {"matchLabels": {"licensed": "no"}}}, True),
        ({"namespaces": 7}, False),
    ],
)
async def test_a_dag_is_refused_whose_claim_a_cluster_pool_does_not_allow(allow: Body | None, refused: bool) -> None:
    claims = [{"name": "gone", "kind": "ClusterPool"}, {"name": "lic", "kind": "ClusterPool"}, {"name": "own"}]
    spec = {"tasks": {"a": {"image": "x", "pools": claims}}}
    verdict = await admit(request("DAG", spec), ApiClusterLookup(Pools(allow), dry_run=False))
    told = [problem.path for problem in verdict.problems]
    assert told == (["spec.tasks.a.pools[1].name"] if refused else [])


async def test_what_a_dag_declares_is_judged_beside_other_mistakes() -> None:
    trigger = {"dag": "d", "bogus": 1, "schedule": {"cron": "61 2 * * *"}, "params": {"n": "x"}}
    found = await admit(request("Trigger", trigger), Cluster(d=GOOD))
    assert {problem.path for problem in found.problems} == {"spec.bogus", "spec.schedule.cron", "spec.params.n"}
    found = await admit(request("DAGRun", {"dag": 5, "priority": "x", "params": {"n": "x"}}), Cluster(d=GOOD))
    assert {problem.path for problem in found.problems} == {"spec.dag", "spec.priority"}


async def test_a_forged_name_is_told_beside_other_mistakes() -> None:
    edits = [{"action": "Skip", "tasks": ["a"], "by": "eve"}, "x"]
    found = await admit(request("DAGRun", {"dag": "d", "edits": edits}, old={"dag": "d"}), Cluster(d=GOOD))
    assert {problem.path for problem in found.problems} == {"spec.edits[0].by", "spec.edits[1]"}
