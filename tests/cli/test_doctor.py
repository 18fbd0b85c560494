"""`tradewind doctor`: from facts about a cluster to what is wrong with it, and what to do."""

import asyncio
import json
import tarfile
import time
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest
from tradewind import API_VERSION, __version__
from tradewind.control.dagrun.run import read_run
from tradewind.kube.client import Client
from tradewind.kube.connection import Connection
from tradewind.kube.errors import ApiError, Forbidden, NotFound, Unavailable
from tradewind.kube.resources import DAGS, LEASES, TRIGGERS
from tradewind.local.apiserver import ApiServer
from tradewind.look.doctor.checks import findings
from tradewind.look.doctor.facts import MINE, OPERATORS, Facts, Unknown
from tradewind.look.doctor.finding import Finding, Level
from tradewind.look.doctor.gather import DEPLOYMENTS, fact, gather
from tradewind.look.explained import explained
from tradewind.look.waiting.reason import Cause, Wait
from tradewind.look.waiting.reason import queued as unseen
from tradewind.look.waiting.survey import Surveyed
from tradewind.model.crd import manifests
from tradewind.model.duration import stamp

from cli.scene import scene

Body = dict[str, Any]
NOW = 1_800_000_000.0
DENIED = 'admission webhook "validate.tradewind.dev" denied the request: spec.tasks.a.dependsOn: tasks depend on each other in a cycle: a -> b -> a'
ESTABLISHED = [{"type": "Established", "status": "True"}]
CRDS = [{**body, "status": {"conditions": ESTABLISHED}} for body in manifests()]


def deployment(home: str = "tw", *options: str, ready: int = 1, version: str = __version__, replicas: int = 1) -> Body:
    """A Deployment of an operator as the chart writes it."""
    labels = {"app.kubernetes.io/name": "tradewind", "app.kubernetes.io/version": version}
    args = ["operator", f"--lease-namespace={home}", "--lease-name=tradewind", *options]
    return {
        "metadata": {"name": "tradewind", "namespace": home, "labels": labels},
        "spec": {"replicas": replicas, "template": {"spec": {"containers": [{"name": "operator", "args": args}]}}},
        "status": {"readyReplicas": ready} if ready else {},
    }


def pod(**container: Any) -> Body:
    labels = {"app.kubernetes.io/name": "tradewind"}
    return {
        "metadata": {"name": "tradewind-1", "namespace": "tw", "labels": labels},
        "status": {"containerStatuses": [container]},
    }


def lease(ago: float, holder: str = "tradewind-1", home: str = "tw", name: str = "tradewind") -> Body:
    spec = {"holderIdentity": holder, "renewTime": stamp(NOW - ago), "leaseDurationSeconds": 15}
    return {"metadata": {"name": name, "namespace": home}, "spec": spec}


def webhook(policy: str = "Ignore", bundle: str = "x", **selector: Any) -> Body:
    service = {"namespace": "tw", "name": "tradewind-webhook"}
    one = {
        "name": "validate.tradewind.dev",
        "failurePolicy": policy,
        "clientConfig": {"service": service, "caBundle": bundle},
        **selector,
    }
    return {"metadata": {"name": "tw-tradewind-webhook"}, "webhooks": [one]}


def selecting(*names: str) -> Body:
    return {
        "namespaceSelector": {
            "matchExpressions": [{"key": "kubernetes.io/metadata.name", "operator": "In", "values": list(names)}]
        }
    }


def waiting(cause: Cause, ago: float, reason: str = "", message: str = "") -> Surveyed:
    meta = {"name": "r", "namespace": "ns", "uid": "u", "resourceVersion": "1", "creationTimestamp": stamp(NOW - 9_999)}
    run = read_run({"metadata": meta, "spec": {"dag": "d"}, "status": {"phase": "Running"}})
    return Surveyed(run, [Wait("load", cause, reason, message, NOW - ago)])


def queued(ago: float) -> Surveyed:
    """A run that no operator has taken up."""
    meta = {"name": "r", "namespace": "ns", "uid": "u", "resourceVersion": "1", "creationTimestamp": stamp(NOW - ago)}
    run = read_run({"metadata": meta, "spec": {"dag": "d"}})
    return Surveyed(run, [unseen(run)])


def facts(**different: Any) -> Facts:
    """The facts of a healthy installation, with differences."""
    healthy: Body = {
        "version": {"major": "1", "minor": "36", "gitVersion": "v1.36.3"},
        "server_time": NOW - 0.5,
        "crds": CRDS,
        "deployments": [deployment()],
        "pods": [],
        "leases": [lease(3)],
        "webhooks": [],
        "answering": {},
        "refused": "",
        "mine": dict.fromkeys(MINE, True),
        "operators": {"tw/tradewind": dict.fromkeys(OPERATORS, True)},
        "invalid": [],
        "runs": [],
    }
    return Facts("ns", NOW, **{**healthy, **different})


def found(**different: Any) -> list[Finding]:
    """The findings that are not OK."""
    return [item for item in findings(facts(**different), manifests()) if item.level is not Level.OK]


def test_a_healthy_installation_has_no_findings_but_good_ones() -> None:
    assert found() == []
    assert len(findings(facts(), manifests())) == 10


def test_a_leader_is_told_with_the_age_of_its_last_sign() -> None:
    def told(**different: Any) -> str:
        [finding] = [item for item in findings(facts(**different), manifests()) if item.check == "leader"]
        assert finding.level is Level.OK
        return finding.what

    assert "renewed 2 s ago" in told() and told().startswith("tradewind-1 holds tw/tradewind")
    # A slow clock makes leases look old that are renewed while they are watched.
    assert "renewed 20 s ago" in told(leases=[lease(20.5)], renewing=frozenset({"tw/tradewind"}))


async def test_a_lease_that_looks_old_is_watched(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tradewind.look.doctor.gather.WATCHED", 0.5)
    async with scene(tmp_path) as here:
        for name in ("alive", "dead"):
            old = {"holderIdentity": name, "renewTime": stamp(time.time() - 100).replace("Z", ".000000Z")}
            body = {"apiVersion": LEASES.api_version, "kind": "Lease", "metadata": {"name": name}, "spec": old}
            await here.client.create(LEASES, "default", body)
        gathering = asyncio.ensure_future(gather(here.client, "default", False, None, lambda _: None))
        while here.client.reads["leases"] < 1:
            await asyncio.sleep(0.01)
        renewed = stamp(time.time() - 90).replace("Z", ".000000Z")
        await here.client.patch(LEASES, "default", "alive", {"spec": {"renewTime": renewed}})
        found = await gathering
        assert found.renewing == {"default/alive"} and found.leases_after > 0


async def test_invalid_objects_are_a_warning_and_the_bundle_does_not_quote_them(tmp_path: Path) -> None:
    async with scene(tmp_path) as here:
        task = {"tasks": {"a": {"image": "x"}}}
        why = {
            "type": "Valid",
            "status": "False",
            "reason": "Invalid",
            "message": "spec: no",
            "lastTransitionTime": stamp(NOW),
        }
        status = {"phase": "Invalid", "conditions": [why]}
        for resource, name, spec, judged in (
            *((DAGS, f"d{number}", task, status) for number in range(3)),
            (DAGS, "fine", task, {"phase": "Valid"}),
            (TRIGGERS, "t", {"dag": "d", "schedule": {"cron": "0 0 * * *"}}, {"phase": "Invalid", "message": "no DAG"}),
        ):
            body = {"apiVersion": API_VERSION, "kind": resource.kind, "metadata": {"name": name}, "spec": spec}
            await here.client.create(resource, "default", body)
            await here.client.patch(resource, "default", name, {"status": judged}, "status")
        gathered = await gather(here.client, "default", False, None, lambda _: None)
        [finding] = [item for item in findings(gathered, manifests()) if item.check == "objects"]
        assert finding.level is Level.WARNING
        names = "; ".join(f"dag/d{number} in default: spec: no" for number in range(3))
        assert finding.what == f"3 DAGs, 1 Trigger invalid: {names}; and 1 more"
        process = await here.start("doctor", "--bundle", str(tmp_path / "b.tar.gz"))
        await process.communicate()
        with tarfile.open(tmp_path / "b.tar.gz") as archive:
            [entry] = [each for each in archive if each.name.endswith("/doctor.json")]
            file = archive.extractfile(entry)
            assert file and "spec: no" not in file.read().decode()


async def test_without_crds_runs_and_objects_are_unknown(tmp_path: Path) -> None:
    async with (
        ApiServer(token="test") as server,
        Client(Connection(server.url, authorization=lambda: "Bearer test")) as client,
    ):
        found = await gather(client, "default", False, None, lambda _: None)
    levels = {item.check: item.level for item in findings(found, manifests())}
    assert levels["runs"] is levels["objects"] is Level.UNKNOWN and levels["crds"] is Level.PROBLEM


def test_crds_that_are_not_served_yet_are_explained() -> None:
    error = Unavailable(429, "TooManyRequests", "storage is (re)initializing")
    assert explained(error) == "the CRDs were just installed: try again in some seconds"


@pytest.mark.parametrize(
    ("told", "names"),
    [
        (
            "failed to create typed patch object (/d; tradewind.dev/v1alpha1, Kind=DAG): errors:\n"
            "  .spec.params.note.optional: field not declared in schema\n  .spec.keep: field not declared in schema",
            "spec.params.note.optional, spec.keep",
        ),
        (
            'DAGRun in version "v1alpha1" cannot be handled as a DAGRun: strict decoding error: unknown field "spec.only"',
            "spec.only",
        ),
    ],
)
def test_fields_that_older_crds_lack_are_explained(told: str, names: str) -> None:
    assert explained(ApiError(400, "BadRequest", told)) == (
        f"the cluster's CRDs are of another version than this command and don't know {names}: `tradewind doctor` says what to do"
    )


BESIDE = deployment("br", "--namespace=a")
"""An operator beside that of the namespace, which serves another one."""
BESIDE_HERE = deployment("br", "--namespace=ns")


@pytest.mark.parametrize(
    "different",
    [
        {"deployments": [BESIDE, deployment(ready=0, replicas=0)], "leases": [lease(3, home="br"), lease(3, "")]},
        {"deployments": [BESIDE, deployment(ready=0)], "leases": [lease(3, home="br"), lease(40)]},
        {"deployments": [BESIDE], "leases": [lease(3, home="br")]},
        {"deployments": [deployment("tw", "--shards=2")], "leases": [lease(3, name="tradewind-shard-0")]},
    ],
    ids=["scaled to 0", "gone", "uninstalled", "without the shard of the namespace"],
)
def test_active_runs_without_an_operator_are_a_problem_whatever_another_operator_does(different: Body) -> None:
    run = waiting(Cause.RUNNING, 5)
    [finding] = [item for item in found(runs=[run], **different) if item.check == "runs"]
    assert finding.level is Level.PROBLEM and "1 active run stands still, since no operator" in finding.what, finding
    assert finding.what.endswith(": ns/r") and "holds br/tradewind" not in str(found(runs=[run], **different))
    assert [item.check for item in found(runs=[queued(5)], **different) if item.check == "runs"] == []


def test_of_several_operators_each_line_names_which_one() -> None:
    rights = dict.fromkeys(OPERATORS, True)
    several = facts(
        deployments=[deployment(), deployment("br", "--namespace=ns")],
        leases=[lease(3), lease(3, home="br"), lease(3, home="br", name="cert-manager-leader")],
        operators={"tw/tradewind": rights, "br/tradewind": rights},
    )
    several.namespace = ""
    said = [f"{item.check}: {item.what}" for item in findings(several, manifests())]
    for check in ("operator", "leader", "operator's rights"):
        lines = [line for line in said if line.startswith(f"{check}: ")]
        assert [sum(name in line for line in lines) for name in ("tw/tradewind", "br/tradewind")] == [1, 1], lines
    assert any("it serves all namespaces" in line for line in said)


def test_operators_that_serve_the_same_namespace_are_told() -> None:
    [both] = found(deployments=[deployment(), BESIDE_HERE], leases=[lease(3), lease(3, home="br")])
    assert (both.check, both.level) == ("leader", Level.PROBLEM)
    assert both.what == "2 operators serve namespace ns: tw/tradewind, br/tradewind" and "watchNamespaces" in both.do
    [other] = found(leases=[lease(3), lease(3, "laptop", "ns", "tradewind-of-mine")])
    assert other.level is Level.WARNING and other.what == (
        "laptop holds ns/tradewind-of-mine, an operator outside of a Deployment: it may work on the same runs as tw/tradewind"
    )
    assert found(leases=[lease(3), lease(300, "laptop", "ns", "tradewind-of-mine")]) == []


async def test_a_lease_in_the_namespace_is_seen_though_an_operator_serves_it(tmp_path: Path) -> None:
    async with scene(tmp_path) as here:
        await here.client.create(DEPLOYMENTS, "kube-system", deployment("kube-system"))
        await here.client.create(LEASES, "default", lease(0, "laptop", "default", "tradewind-of-mine"))
        seen = await gather(here.client, "default", False, None, lambda what: None)
        assert not isinstance(seen.leases, Unknown)
        assert [item["metadata"]["name"] for item in seen.leases] == ["tradewind-of-mine"]


async def test_a_namespace_that_is_not_there_is_an_error(tmp_path: Path) -> None:
    async with scene(tmp_path) as here:
        process = await here.start("doctor", "-n", "defautl")
        out, told = await process.communicate()
        assert process.returncode == 1 and out == b""
        assert told.decode().strip().endswith("Error: there is no namespace defautl; did you mean default?")


async def test_the_runs_are_those_of_the_namespace_asked_for(tmp_path: Path) -> None:
    async with scene(tmp_path) as here:
        await here.queued("here", "d")
        for arguments, words in (
            (
                (),
                ("1 active run in namespace default", "no operator has taken up default/here"),
            ),  # the latter if it is slow
            (("-n", "kube-system"), ("no active runs in namespace kube-system",)),
        ):
            process = await here.start("doctor", "--operator-namespace", "kube-public", *arguments)
            out, _ = await process.communicate()
            assert any(word in out.decode() for word in words), out.decode()


def _without(name: str) -> list[Body]:
    return [body for body in CRDS if body["metadata"]["name"] != name]


def _older(name: str) -> list[Body]:
    crds = deepcopy(CRDS)
    [crd] = [body for body in crds if body["metadata"]["name"] == name]
    crd["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]["spec"]["properties"].popitem()
    return crds


def _refused_name(name: str) -> list[Body]:
    crds = deepcopy(CRDS)
    [crd] = [body for body in crds if body["metadata"]["name"] == name]
    crd["status"] = {"conditions": [{"type": "NamesAccepted", "status": "False", "message": "taken by another"}]}
    return crds


LACKING = {"tw/tradewind": {**dict.fromkeys(OPERATORS, True), OPERATORS[0]: False}}
WRONG: dict[str, tuple[Body, str, Level, str, str]] = {
    "an old cluster": (
        {"version": {"major": "1", "minor": "27+", "gitVersion": "v1.27.1"}}, "kubernetes", Level.PROBLEM, "v1.27.1", "1.30 or newer"),
    "this machine's clock is wrong": ({"server_time": NOW - 90, "leases": [lease(93)]}, "clock", Level.WARNING, "90 s ahead of", "NTP"),
    "a CRD is missing": ({"crds": _without("pools.tradewind.dev")}, "crds", Level.PROBLEM, "not installed: pools", "helm upgrade"),
    "a CRD of another version": ({"crds": _older("dags.tradewind.dev")}, "crds", Level.WARNING, "dags", "command of the version"),
    "a CRD whose name is taken": (
        {"crds": _refused_name("dags.tradewind.dev")}, "crds", Level.PROBLEM, "taken by another", "kubectl describe crd dags.tradewind.dev"),
    "no operator": ({"deployments": [], "leases": []}, "operator", Level.PROBLEM, "no run will begin", "helm upgrade --install"),
    "an operator that does not start": (
        {"deployments": [deployment(ready=0)], "pods": [pod(state={"waiting": {"reason": "ImagePullBackOff"}})]},
        "operator", Level.PROBLEM, "0 of 1 pod ready: ImagePullBackOff", "kubectl -n tw describe pods"),
    "an operator of another version": (
        {"deployments": [deployment(version="9.9.9")]}, "operator", Level.WARNING, "version 9.9.9", "same version"),
    "an operator without replicas": (
        {"deployments": [deployment(ready=0, replicas=0)]}, "operator", Level.PROBLEM, "tw/tradewind is scaled to 0 replicas", "--replicas=1"),
    "an operator of other namespaces only": (
        {"deployments": [deployment("br", "--namespace=a", "--namespace", "b")], "leases": [lease(3, home="br")], "operators": {}},
        "operator", Level.PROBLEM, "no operator serves namespace ns (they serve: br/tradewind: a, b)", "watchNamespaces"),
    "an operator of other namespaces than asked for": (
        {"deployments": [deployment("br", "--namespace=a")], "leases": [lease(3, home="br")], "operators": {}, "home": "br"},
        "operator", Level.PROBLEM, "no operator of namespace br serves namespace ns (they", "watchNamespaces"),
    "an operator of other namespaces that is gone": (
        {"deployments": [deployment(), deployment("br", "--namespace=a", ready=0)]}, "operator", Level.WARNING, "it serves a", "describe"),
    "a leader of another operator only": (
        {"deployments": [deployment(), deployment("br", "--namespace=a")], "leases": [lease(3, home="br")]},
        "leader", Level.PROBLEM, "no operator holds the Lease tw/tradewind of tw/tradewind", "log"),
    "a shard that nobody holds": (
        {"deployments": [deployment("tw", "--shards=2")], "leases": [lease(3, name="tradewind-shard-0")]},
        "leader", Level.PROBLEM, "no operator holds the Lease tw/tradewind-shard-1", "log"),
    "a run that nobody has taken up": (
        {"runs": [queued(67)]}, "runs", Level.WARNING, f"no operator has taken up ns/r for 1m7s, since {stamp(NOW - 67)}", "log"),
    "an operator without memory": (
        {"pods": [pod(restartCount=7, lastState={"terminated": {"reason": "OOMKilled"}})]},
        "operator", Level.WARNING, "restarted 7 times, the last time because of OOMKilled", "resources.limits.memory"),
    "nobody leads": ({"leases": [lease(3, "")]}, "leader", Level.PROBLEM, "no operator holds", "lease"),
    "a leader that is gone": ({"leases": [lease(120)]}, "leader", Level.PROBLEM, "not renewed it for 120 s", "alive"),
    "a leader that may be gone": ({"leases": [lease(9)]}, "leader", Level.WARNING, "not renewed it for 8 s, though it does so every 2 s", "alive"),
    "a leader that was watched": ({"leases": [lease(3)], "leases_after": 13.0}, "leader", Level.PROBLEM, "not renewed it for 16 s", "alive"),
    "an operator of dev that is gone": (
        {"deployments": [], "leases": [lease(40)]}, "operator", Level.PROBLEM, "not renewed it for 40 s: an operator outside", "alive"),
    "a remnant of an operator": (
        {"deployments": [], "leases": [lease(9_000)]}, "operator", Level.PROBLEM, "no run will begin", "helm upgrade --install"),
    "a leader from the future": ({"leases": [lease(-60)]}, "leader", Level.WARNING, "60 s in the future", "NTP"),
    "an operator that may not": ({"operators": LACKING}, "operator's rights", Level.PROBLEM, "list dags.tradewind.dev", "watchNamespaces"),
    "a user who may not": (
        {"mine": {**dict.fromkeys(MINE, True), MINE[1]: False}}, "your rights", Level.WARNING, "create dags.tradewind.dev", "`edit`"),
    "a webhook that nobody answers for": (
        {"webhooks": [webhook()], "answering": {"tw/tradewind-webhook": 0}, "refused": DENIED},
        "webhook", Level.WARNING, "accepted unchecked", "describe pods"),
    "a closed webhook that nobody answers for": (
        {"webhooks": [webhook("Fail")], "answering": {"tw/tradewind-webhook": 0}, "refused": DENIED},
        "webhook", Level.PROBLEM, "objects that it covers are refused", "describe pods"),
    "a webhook without an authority": (
        {"webhooks": [webhook(bundle="")], "refused": DENIED}, "webhook", Level.PROBLEM, "no caBundle", "cainjector"),
    "a webhook that is not reached": ({"webhooks": [webhook()]}, "webhook", Level.PROBLEM, "is not refused", "reach"),
    "a pod that finds no node": (
        {"runs": [waiting(Cause.SCHEDULING, 900, "Unschedulable", "0/3 nodes")]},
        "runs", Level.WARNING, "ns/r load waits for 15m0s: Unschedulable: 0/3 nodes", "kubectl describe pod"),
    "an operator that does not act": ({"runs": [waiting(Cause.OPERATOR, 600)]}, "runs", Level.WARNING, "ns/r load waits", "log"),
}  # fmt: skip


@pytest.mark.parametrize("case", WRONG)
def test_what_is_wrong_is_said_with_what_to_do(case: str) -> None:
    different, check, level, what, do = WRONG[case]
    [finding] = found(**different)
    assert (finding.check, finding.level) == (check, level)
    assert what in finding.what and do in finding.do, finding


@pytest.mark.parametrize(
    "name",
    ["server_time", "crds", "deployments", "leases", "webhooks", "mine", "operators", "invalid", "runs", "version"],
)
def test_what_can_t_be_had_is_unknown_with_the_reason(name: str) -> None:
    [finding] = found(**{name: Unknown("not allowed: you may not")})
    assert finding.level is Level.UNKNOWN and "not allowed: you may not" in finding.what
    [finding] = found(**{name: Unknown("not allowed: you may not", "ask for it")})
    assert finding.do == "ask for it"


@pytest.mark.parametrize(
    ("error", "why", "do"),
    [
        (Forbidden(403, "Forbidden", "you may not list leases"), "not allowed: you may not list leases", "ask for this right"),
        (NotFound(404, "NotFound", 'namespaces "typo" not found'), 'namespaces "typo" not found', ""),
        (NotFound(404, "NotFound", "404 page not found"), "this API server has no such kind", ""),
    ],
)  # fmt: skip
async def test_why_something_is_not_known_is_told_with_what_to_do(error: ApiError, why: str, do: str) -> None:
    async def refused() -> None:
        raise error

    answer = await fact(refused())
    assert isinstance(answer, Unknown) and answer.why == why
    assert answer.do.startswith(do) and bool(answer.do) == bool(do)


def test_waits_that_somebody_wanted_and_short_ones_are_no_finding() -> None:
    for wait in (
        waiting(Cause.POOL, 4_000),
        waiting(Cause.PERSON, 99_999),
        waiting(Cause.SCHEDULING, 20),
        waiting(Cause.RUNNING, 9_000),
    ):
        assert found(runs=[wait]) == []


def test_a_webhook_of_other_namespaces_is_not_tried_here() -> None:
    assert found(webhooks=[webhook(**selecting("elsewhere"))], answering={"tw/tradewind-webhook": 1}) == []
    assert found(webhooks=[webhook(**selecting("ns"))], answering={"tw/tradewind-webhook": 1}, refused=DENIED) == []


async def test_a_cluster_without_an_installation_is_told_so(tmp_path: Path) -> None:
    async with scene(tmp_path) as here:
        process = await here.start("doctor", "-o", "json")
        out, _ = await process.communicate()
        told = {item["check"]: item for item in json.loads(out)}
        assert told["runs"]["what"] == "no active runs in namespace default"
        assert told["operator"]["level"] in ("problem", "unknown") and process.returncode == (
            told["operator"]["level"] == "problem"
        )
        assert set(told["operator"]) == {"check", "level", "what", "do"}


async def test_no_answer_is_one_sentence(tmp_path: Path) -> None:
    async with scene(tmp_path) as here:
        here.config.write_text(here.config.read_text().replace("127.0.0.1:", "127.0.0.1:1"))
        process = await here.start("doctor")
        out, told = await process.communicate()
        assert process.returncode == 1 and out == b"" and b"Traceback" not in told
        assert b"Error: " in told
