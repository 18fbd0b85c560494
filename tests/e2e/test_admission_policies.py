"""The chart's ValidatingAdmissionPolicies on a real API server, without the rest of Tradewind: whose name decisions and
edits have, which runs and pods may claim to be part of a run, which DAGs contradict themselves, and what Tradewind's
own accounts may not do although their roles allow it."""

import asyncio
import json
import secrets
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest
import yaml
from cluster import binaries
from tradewind import API_VERSION
from worlds.accounts import CHART
from worlds.real import real
from worlds.world import Body, World, eventually

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(300)]
POD = {"containers": [{"name": "c", "image": "none"}], "nodeSelector": {"there-is": "none"}}


@dataclass
class Guarded:
    """A namespace with the policies and the chart's accounts; users `mallory` (who may edit runs) and `alice` and `bob`
    (who may decide)."""

    cluster: Any
    world: World

    def kubectl(self, *arguments: str, body: Any = None, user: str = "") -> tuple[bool, str]:
        """Whether it succeeded, and its output."""
        command = [
            binaries.kubectl(),
            f"--kubeconfig={self.cluster.kubeconfig}",
            "-n",
            self.world.namespace,
            *arguments,
        ]
        command += [f"--as={user}", "--as-group=system:authenticated"] if user else []
        command += ["-f", "-"] if body is not None else []
        done = subprocess.run(command, input=json.dumps(body), capture_output=True, text=True)
        return done.returncode == 0, done.stdout + done.stderr

    def patch(self, what: str, spec: Body, user: str) -> tuple[bool, str]:
        return self.kubectl("patch", *what.split("/"), "--type=merge", "-p", json.dumps({"spec": spec}), user=user)

    def made(self, body: Body, *flags: str, user: str = "") -> tuple[bool, str]:
        return self.kubectl("create", *flags, body=body, user=user)

    def account(self, name: str) -> str:
        return f"system:serviceaccount:{self.world.namespace}:{name}"


@pytest.fixture(scope="module")
def guarded(cluster: Any) -> Iterator[Guarded]:
    with real(cluster, f"policies-{secrets.token_hex(2)}") as world:
        values = {
            "watchNamespaces": [world.namespace],
            "policies": {"enabled": True},
            "webhook": {"enabled": True},
            "events": {"enabled": True},
            "shards": 2,
        }
        files = [f"--show-only=templates/{name}.yaml" for name in ("policies", "rbac", "webhook-rbac", "events-rbac")]
        command = ("template", "tradewind", str(CHART), "-n", world.namespace, *files, "-f", "-")
        rendered = cluster.helm(*command, input=yaml.safe_dump(values))
        cluster.kubectl("apply", "-f", "-", input=rendered)
        made = Guarded(cluster, world)
        try:
            for user, verbs, resource in (
                ("mallory", "get,create,update,patch", "dagruns.tradewind.dev,pods"),
                ("maker", "create", "approvals.tradewind.dev"),
                ("alice", "get,update,patch", "approvals.tradewind.dev"),
                ("bob", "get,update,patch", "approvals.tradewind.dev"),
            ):
                assert made.kubectl("create", "role", user, f"--verb={verbs}", f"--resource={resource}")[0]
                assert made.kubectl("create", "rolebinding", user, f"--role={user}", f"--user={user}")[0]
            asyncio.run(
                eventually(
                    lambda: asyncio.to_thread(lambda: not made.made(run("probe", ["x"]), "--dry-run=server")[0]), 60
                )
            )
            yield made
        finally:
            cluster.kubectl("delete", "--ignore-not-found", "-f", "-", input=rendered)


def run(name: str, by: list[str]) -> Body:
    edits = [{"action": "Skip", "tasks": ["a"], "by": user} for user in by]
    spec = {"dag": "d", **({"edits": edits} if edits else {})}
    return {"apiVersion": API_VERSION, "kind": "DAGRun", "metadata": {"name": name}, "spec": spec}


def approval(name: str, **spec: Any) -> Body:
    asked = {"run": "r", "task": "ok", **spec}
    return {"apiVersion": API_VERSION, "kind": "Approval", "metadata": {"name": name}, "spec": asked}


def test_a_decision_bears_the_name_of_who_sends_it(guarded: Guarded) -> None:
    assert guarded.made(approval("ok"))[0]
    done, words = guarded.patch("approval/ok", {"decision": "Approved", "by": "alice"}, "bob")
    assert not done and "spec.by: this is not who sends the request; write bob" in words
    # Two writes: first one without a name, then the name.
    half = {"decision": "Approved", "by": "bob", "answers": {"count": "no integer"}}
    assert guarded.patch("approval/ok", half, "bob")[0]
    assert not guarded.patch("approval/ok", {"by": "alice", "answers": {"count": 1}}, "bob")[0]
    assert not guarded.patch("approval/ok", {"answers": {"count": 1}}, "alice")[0], "hers would be in his name"
    assert guarded.patch("approval/ok", {"answers": {"count": 1}, "by": "alice"}, "alice")[0]
    assert not guarded.patch("approval/ok", {"by": "mallory", "decision": "Approved"}, "mallory")[0]


def test_an_approval_is_not_created_with_a_decision(guarded: Guarded) -> None:
    done, words = guarded.made(approval("forged", decision="Approved", by="maker"), user="maker")
    words_of_it = "spec: an approval is not created with decision, answers, comment or by"
    assert not done and words_of_it in words
    for part in ({"by": "alice"}, {"comment": "alice: fine"}, {"answers": {"count": 1}}):
        done, words = guarded.made(approval("forged", **part), user="maker")
        assert not done and words_of_it in words, part
    assert guarded.made(approval("asked"), user="maker")[0]


def test_a_name_is_ones_own_before_there_is_a_decision_too(guarded: Guarded) -> None:
    assert guarded.made(approval("open"))[0]
    for spec in ({"by": "bob", "comment": "I, bob"}, {"comment": "I, bob"}, {"answers": {"count": 1}}, {"by": "bob"}):
        done, words = guarded.patch("approval/open", spec, "alice")
        assert not done and "spec.by: this is not who sends the request; write alice" in words, spec
    assert guarded.patch("approval/open", {"by": "alice", "comment": "I will look at it"}, "alice")[0]
    assert not guarded.patch("approval/open", {"comment": "alice agrees"}, "bob")[0]
    assert guarded.kubectl("label", "approval", "open", "urgent=yes", user="bob")[0], "its spec stays"


def test_edits_bear_the_name_of_who_adds_them_entry_by_entry(guarded: Guarded) -> None:
    done, words = guarded.made(run("made", ["alice"]), user="mallory")
    assert not done and "spec.edits: `by` of a new entry is not who sends the request; write mallory" in words
    assert guarded.made(run("edited", []), user="mallory")[0]

    def edited(user: str, *by: str) -> bool:
        return guarded.patch("dagrun/edited", {"edits": run("", list(by))["spec"]["edits"]}, user)[0]

    assert edited("mallory", "mallory")
    for forged in (["mallory", "alice"], ["alice"], ["alice", "mallory"], ["mallory", "mallory", "alice"]):
        assert not edited("mallory", *forged), forged
    assert edited("mallory", "mallory", "mallory")
    many = ["mallory"] * 199
    assert edited("mallory", *many) and not edited("mallory", *many, "alice"), "the last place counts too"
    assert guarded.patch("dagrun/edited", {"desiredState": "Cancelled"}, "mallory")[0]


def parts(name: str, uid: str, **labels: str) -> Body:
    """The metadata of what belongs to this run."""
    owner = {"apiVersion": API_VERSION, "kind": "DAGRun", "name": name, "uid": uid, "controller": True}
    of_run = {"tradewind.dev/run-uid": uid, "tradewind.dev/task": "sub", "tradewind.dev/attempt": "1", **labels}
    return {"labels": of_run, "ownerReferences": [owner]}


SLOTS = {"pool.tradewind.dev/db": "1", "clusterpool.tradewind.dev/gpus": "3"}


def test_only_the_operator_makes_a_run_part_of_another(guarded: Guarded) -> None:
    operator, events = guarded.account("tradewind"), guarded.account("tradewind-events")
    assert guarded.made(run("caller", []))[0]
    uid = guarded.kubectl("get", "dagrun", "caller", "-o", "jsonpath={.metadata.uid}")[1]
    part = parts("caller", uid, **{"tradewind.dev/trigger-type": "parent", **SLOTS})
    assert guarded.made(_named(run("", []), "part", part), user=operator)[0]
    assert guarded.made(run("alone", []), user="mallory")[0]
    labels = part["labels"]
    claims = [
        *({"labels": {label: value}} for label, value in labels.items()),
        {"ownerReferences": part["ownerReferences"]},
    ]
    for claim in (*claims, {"labels": {"tradewind.dev/depth": "0"}}):
        for done, words in (
            guarded.made(_named(run("", []), "forged", claim), user="mallory"),
            guarded.kubectl(
                "patch", "dagrun", "alone", "--type=merge", "-p", json.dumps({"metadata": claim}), user="mallory"
            ),
        ):
            assert not done and "only Tradewind" in words, (claim, words)
    trigger = {"labels": {**labels, "tradewind.dev/trigger": "t"}}
    assert not guarded.made(_named(run("", []), "forged", trigger), user=events)[0]
    for label in ("tradewind.dev/run-uid", "tradewind.dev/attempt", "tradewind.dev/trigger-type", *SLOTS):
        for change in (f"{label}-", f"{label}=2"):
            done, words = guarded.kubectl("label", "--overwrite", "dagrun", "part", change, user="mallory")
            assert not done and "only Tradewind" in words, (change, words)
    assert guarded.kubectl("label", "dagrun", "part", "team=data", user="mallory")[0]
    assert guarded.patch("dagrun/part", {"desiredState": "Cancelled"}, "mallory")[0]
    assert guarded.made(
        _named(run("", []), "manual", {"labels": {"tradewind.dev/trigger-type": "manual"}}), user="mallory"
    )[0]
    # As the garbage collector does when someone deletes the owner and orphans what it owns.
    orphan = ("patch", "dagrun", "part", "--type=merge", "-p", '{"metadata": {"ownerReferences": null}}')
    assert guarded.kubectl(*orphan, user="mallory")[0]


def test_only_the_operator_makes_pods_of_a_run(guarded: Guarded) -> None:
    operator, webhook = guarded.account("tradewind"), guarded.account("tradewind-webhook")
    assert guarded.made(run("of-pods", []))[0]
    uid = guarded.kubectl("get", "dagrun", "of-pods", "-o", "jsonpath={.metadata.uid}")[1]
    pod, part = {"apiVersion": "v1", "kind": "Pod", "spec": POD}, parts("of-pods", uid, **SLOTS)
    assert guarded.made(_named(pod, "attempt", part), user=operator)[0]
    assert guarded.made(_named(pod, "tried", part), "--dry-run=server", user=webhook)[0]
    assert guarded.made(_named(pod, "stranger", {"labels": {"tradewind.dev/task": "sub"}}), user="mallory")[0]
    for claim in ({"labels": part["labels"]}, {"ownerReferences": part["ownerReferences"]}, part):
        for done, words in (
            guarded.made(_named(pod, "forged", claim), user="mallory"),
            guarded.kubectl(
                "patch", "pod", "stranger", "--type=merge", "-p", json.dumps({"metadata": claim}), user="mallory"
            ),
        ):
            assert not done and "only Tradewind makes pods of a run" in words, (claim, words)
    done, words = guarded.kubectl(
        "label", "--overwrite", "pod", "attempt", "tradewind.dev/run-uid=other", user="mallory"
    )
    assert not done and "only Tradewind makes pods of a run" in words
    for label in SLOTS:
        for name, change in (("attempt", f"{label}-"), ("attempt", f"{label}=1000000"), ("stranger", f"{label}=1")):
            done, words = guarded.kubectl("label", "--overwrite", "pod", name, change, user="mallory")
            assert not done and "only Tradewind says who holds slots" in words, (change, words)
    assert guarded.kubectl("label", "pod", "attempt", "team=data", user="mallory")[0]


def _named(body: Body, name: str, metadata: Body) -> Body:
    return {**body, "metadata": {**metadata, "name": name}}


def test_its_accounts_touch_nothing_of_others(guarded: Guarded) -> None:
    """As someone who has stolen their tokens."""
    operator, webhook, events = map(guarded.account, ("tradewind", "tradewind-webhook", "tradewind-events"))
    bystander = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "bystander"}, "spec": POD}
    assert guarded.made(run("owner", []))[0]
    uid = guarded.kubectl("get", "dagrun", "owner", "-o", "jsonpath={.metadata.uid}")[1]
    owner = {"apiVersion": API_VERSION, "kind": "DAGRun", "name": "owner", "uid": uid}
    of_run = {"name": "task", "ownerReferences": [owner]}
    assert guarded.made(bystander)[0] and guarded.made({**bystander, "metadata": of_run}, user=operator)[0]
    refused = [
        (("delete", "pod", "bystander"), None, operator, "pods of DAGRuns alone"),
        (("create",), {**bystander, "metadata": {"name": "miner"}}, operator, "pods of DAGRuns alone"),
        (("create",), {**bystander, "metadata": {"name": "miner"}}, webhook, "tries pods by a dry run"),
        (("create",), run("forged", []), events, "runs of Triggers"),
        *((("create",), _some(field), events, "runs of Triggers") for field in ("only", "until")),
        (("create",), _lease("kube-scheduler"), operator, "its own Leases alone"),
        (("create",), _revision("other", {}), operator, "ControllerRevisions of DAGs alone"),
    ]  # fmt: skip
    assert guarded.made(_revision("daemon", {}))[0] and guarded.made(_lease("others"))[0]
    refused += [
        (("delete", "controllerrevision", "daemon"), None, operator, "ControllerRevisions of DAGs alone"),
        (("replace",), _revision("daemon", {"tradewind.dev/dag": "d"}), operator, "ControllerRevisions of DAGs alone"),
        (("delete", "lease", "others"), None, operator, "its own Leases alone"),
    ]
    for command, body, user, words in refused:
        done, said = guarded.kubectl(*command, body=body, user=user)
        assert not done and words in said, (command, said)
    assert guarded.made(_revision("ours", {"tradewind.dev/dag": "d"}), user=operator)[0]
    assert guarded.made(_lease("tradewind-shard-1"), user=operator)[0]
    assert guarded.made({**bystander, "metadata": {"name": "tried"}}, "--dry-run=server", user=webhook)[0]
    assert guarded.kubectl("delete", "pod", "task", "--wait=false", user=operator)[0]


def test_tasks_that_contradict_themselves_are_refused(guarded: Guarded) -> None:
    fan_out = {"forEach": {"items": [1]}}
    for tasks, words in (
        ({"a": {"dependsOn": ["b"]}}, "task a: dependsOn names a task that is not in spec.tasks"),
        ({"a": {"dependsOn": ["a"]}}, "task a: a task depends on itself"),
        ({"a": {"teardown": {"of": ["b"]}}}, "task a: teardown.of names a task that is not in spec.tasks"),
        ({"a": {}, "b": {"teardown": {"of": ["a"]}, "triggerRule": "AllDone"}}, "task b: a teardown runs whenever"),
        ({"a": {"script": {"shell": "x"}, "command": ["y"]}}, "task a: write one of command/args, script, http, wait"),
        ({"a": {"http": {"url": "http://x"}, "image": "y"}}, "approval, compute, dag and sensor tasks need no image"),
        ({"a": {"forEach": {"itemsOf": "b"}}, "b": fan_out}, "task a: itemsOf must name a fan-out listed in dependsOn"),
        ({"a": {"forEach": {"itemsOf": "b"}, "dependsOn": ["b"]}, "b": fan_out}, ""),
        ({"a": {}, "b": {"teardown": {"of": ["a"]}, "triggerRule": "AllSucceeded"}}, ""),
    ):
        body = {"apiVersion": API_VERSION, "kind": "DAG", "metadata": {"name": "d"}, "spec": {"tasks": tasks}}
        done, said = guarded.made(body, "--dry-run=server")
        assert done == (not words) and words in said, (tasks, said)
    body["spec"] = {"template": {"name": "t"}}
    assert guarded.made(body, "--dry-run=server")[0]


def _lease(name: str) -> Body:
    return {"apiVersion": "coordination.k8s.io/v1", "kind": "Lease", "metadata": {"name": name}, "spec": {}}


def _some(field: str) -> Body:
    """A run of a trigger, of some tasks only."""
    body = run("forged", [])
    labels = {"tradewind.dev/trigger": "t"}
    return {**body, "metadata": {**body["metadata"], "labels": labels}, "spec": {**body["spec"], field: ["a"]}}


def _revision(name: str, labels: Body) -> Body:
    meta = {"name": name, "labels": labels}
    return {"apiVersion": "apps/v1", "kind": "ControllerRevision", "metadata": meta, "data": {}, "revision": 1}
