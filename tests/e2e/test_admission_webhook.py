"""The admission webhook on a real cluster, installed by Helm: what `kubectl apply` refuses, and what happens without it."""

import asyncio
import json
import secrets
import subprocess
import time
import urllib.request
from base64 import b64encode
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from cluster import binaries
from cluster.shell import ClusterError
from control.certificates import write
from tradewind import API_VERSION
from worlds.real import real
from worlds.world import Body, World, eventually

from e2e.test_helm import CHART, helm

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(400)]
WEBHOOK = "tradewind-webhook"
VALUES = "webhook.enabled=true,webhook.replicas=1,policies.enabled=false"
"""Without policies the webhook verifies names too."""


@dataclass
class Installed:
    """A release with the webhook, in a namespace of its own."""

    cluster: Any
    world: World

    def kubectl(self, *arguments: str, **more: Any) -> str:
        return str(self.cluster.kubectl("-n", self.world.namespace, *arguments, **more))

    def apply(self, body: Body, *flags: str) -> tuple[bool, str]:
        """Whether kubectl succeeded, and its message."""
        command = [binaries.kubectl(), f"--kubeconfig={self.cluster.kubeconfig}", "-n", self.world.namespace, "apply"]
        done = subprocess.run([*command, *flags, "-f", "-"], input=json.dumps(body), capture_output=True, text=True)
        return done.returncode == 0, done.stdout + done.stderr

    def tried(self, body: Body) -> tuple[bool, str]:
        return self.apply(body, "--dry-run=server")

    async def answering(self) -> None:
        """Waits until API server, Service and webhook have found each other."""
        await eventually(lambda: asyncio.to_thread(lambda: not self.tried(BROKEN)[0]))

    async def scaled(self, replicas: int) -> None:
        self.kubectl("scale", "deployment", WEBHOOK, f"--replicas={replicas}")

        async def done() -> bool:
            return len(self.pods()) == replicas

        await eventually(done)
        self.kubectl("rollout", "status", "deployment", WEBHOOK, "--timeout=60s")

    def pods(self) -> list[str]:
        label = f"app.kubernetes.io/name={WEBHOOK}"
        return self.kubectl("get", "pods", "-l", label, "-o", "jsonpath={.items[*].metadata.name}").split()


@pytest.fixture(scope="module")
def installed(cluster: Any) -> Iterator[Installed]:
    cluster.load_image("operator")
    with real(cluster, f"refusals-{secrets.token_hex(2)}") as world:
        helm(cluster, world, "install", "--take-ownership", "--set", VALUES)
        try:
            made = Installed(cluster, world)
            asyncio.run(made.answering())
            yield made
        finally:
            cluster.helm("uninstall", "tradewind", "-n", world.namespace, "--wait")


def document(kind: str, spec: Body, name: str = "d") -> Body:
    return {"apiVersion": API_VERSION, "kind": kind, "metadata": {"name": name}, "spec": spec}


def dag(tasks: Body, **spec: Any) -> Body:
    return document("DAG", {"defaults": {"image": "python:3.11-slim"}, "tasks": tasks, **spec})


def templated(**pod: Any) -> Body:
    return dag({"a": {"podTemplate": {"spec": pod}}})


BROKEN = dag({"a": {"dependsOn": ["b"]}, "b": {"dependsOn": ["a"]}})
UNMOUNTED = {"containers": [{"name": "main", "volumeMounts": [{"name": "nowhere", "mountPath": "/v"}]}]}
REFUSED: dict[str, tuple[Body, str]] = {
    "a cycle": (BROKEN, "spec.tasks.a.dependsOn: tasks depend on each other in a cycle: a -> b -> a"),
    "an expression that does not compile": (dag({"a": {"when": "1 +"}}), "spec.tasks.a.when: `1 +`"),
    "a task that is not upstream": (
        dag({"a": {"env": {"X": "$[[ tasks.b.state ]]"}}, "b": {}}), "spec.tasks.a.env.X: `tasks.b.state`"
    ),
    "a param that is not there": (dag({"a": {"args": ["$[[ params.n ]]"]}}), "spec.tasks.a.args[0]: `params.n`"),
    "a type that does not fit": (
        dag({"a": {"when": "params.n == 'x'"}}, params={"n": {"type": "integer"}}), "spec.tasks.a.when: "
    ),
    "a trigger rule that is none": (dag({"a": {"triggerRule": "AllWell"}}), "spec.tasks.a.triggerRule: there is no rule"),
    "a default of another type": (
        dag({"a": {}}, params={"n": {"type": "integer", "default": "x"}}), "spec.params.n.default: 'x' is not an integer"
    ),
    "no image": (document("DAG", {"tasks": {"a": {}}}), "spec.tasks.a.image: required"),
    "a DAG template that is not there": (
        document("DAG", {"template": {"name": "nowhere"}}), "spec.template: there is no DAGTemplate nowhere; apply it"
    ),
    "a task template that is not there": (
        dag({"a": {"template": {"name": "nowhere"}}}), "spec.tasks.a.template: there is no TaskTemplate nowhere"
    ),
    "an exit task before others": (
        dag({"a": {"onExit": ["Always"]}, "b": {"dependsOn": ["a"]}}), "spec.tasks.b.dependsOn[0]: a is an exit task"
    ),
    "a field that no pod has": (templated(colour="red"), "spec.tasks.a.podTemplate.spec.colour: a pod has no such field"),
    "a pod that the API server refuses": (
        templated(**UNMOUNTED), "spec.tasks.a.podTemplate.spec.containers[0].volumeMounts[0].name: the API server refuses"
    ),
    "a value that the API server refuses": (
        templated(dnsPolicy="Sometimes"), "spec.tasks.a.podTemplate.spec.dnsPolicy: the API server refuses this pod"
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", REFUSED)
def test_a_dag_is_refused_with_its_field(installed: Installed, name: str) -> None:
    body, words = REFUSED[name]
    allowed, told = installed.tried(body)
    assert not allowed and words in told and 'The DAG "d" is invalid' in told


def test_a_good_dag_is_taken_and_its_runs_must_have_the_right_params(installed: Installed) -> None:
    good = dag({"a": {"podTemplate": {"spec": {"hostname": "a"}}}}, params={"n": {"type": "integer"}})
    assert installed.apply(good) == (True, "dag.tradewind.dev/d created\n")
    allowed, told = installed.tried(document("DAGRun", {"dag": "d", "params": {"n": "many"}}, "r"))
    assert not allowed and "spec.params.n: 'many' is not an integer; write an integer" in told
    assert installed.tried(document("DAGRun", {"dag": "d", "params": {"n": 1}}, "r"))[0]
    allowed, told = installed.tried(document("DAGRun", {"dag": "later"}, "r"))
    assert allowed and "Warning: there is no DAG 'later' in namespace" in told


def test_nobody_can_write_anothers_name_under_an_edit(installed: Installed) -> None:
    asked = document("DAGRun", {"dag": "later", "edits": [{"action": "Skip", "tasks": ["a"], "by": "ada"}]}, "r")
    allowed, told = installed.tried(asked)
    assert not allowed and "spec.edits[0].by: 'ada' is not who sends this" in told


def test_nobody_decides_in_anothers_name_nor_by_creating(installed: Installed) -> None:
    asked = {"run": "r", "task": "ok"}
    allowed, told = installed.tried(document("Approval", {**asked, "decision": "Approved", "by": "ada"}, "forged"))
    assert not allowed and "spec.decision: an approval is not made with a decision" in told
    assert installed.apply(document("Approval", asked, "asked"))[0]
    allowed, told = installed.tried(document("Approval", {**asked, "decision": "Approved", "by": "ada"}, "asked"))
    assert not allowed and "spec.by: 'ada' is not who sends this" in told


def test_what_can_be_mended_beside_the_dag_is_a_warning(installed: Installed) -> None:
    allowed, told = installed.tried(templated(serviceAccountName="absent"))
    assert allowed and "Warning: spec.tasks.a.podTemplate: not tried:" in told and '"absent" not found' in told


def test_its_account_may_read_dags_and_try_pods_and_nothing_else(installed: Installed) -> None:
    account = f"--as=system:serviceaccount:{installed.world.namespace}:{WEBHOOK}"

    def may(*what: str) -> bool:
        try:
            return installed.kubectl("auth", "can-i", *what, account).strip() == "yes"
        except ClusterError:
            return False

    assert (
        may("get", "dags.tradewind.dev")
        and may("get", "tasktemplates.tradewind.dev")
        and may("create", "pods")
        and may("create", "events")
    )
    for what in [("get", "secrets"), ("list", "dags.tradewind.dev"), ("get", "pods"), ("delete", "pods"),
                 ("patch", "dags.tradewind.dev"), ("create", "pods", "-n", "default")]:  # fmt: skip
        assert not may(*what), what


async def test_without_it_the_operator_says_what_is_wrong_and_old_mistakes_can_be_lived_with(
    installed: Installed,
) -> None:
    await installed.scaled(0)
    try:
        # The Service forgets the pod a moment after it is gone.
        await eventually(lambda: asyncio.to_thread(lambda: installed.apply(_named("old", BROKEN))[0]))

        async def judged() -> bool:
            path = "jsonpath={.status.conditions[?(@.type=='Valid')].message}"
            return "in a cycle" in installed.kubectl("get", "dag", "old", "-o", path)

        await eventually(judged)
        edits = [{"action": "Skip", "tasks": ["a"], "by": "ada"}]
        allowed, told = installed.tried(document("DAGRun", {"dag": "later", "edits": edits}, "r"))
        assert not allowed and "names.tradewind.dev" in told, "nobody could tell whose it is"
        assert installed.tried(document("DAGRun", {"dag": "later"}, "r"))[0], "whatever bears no name is taken"
    finally:
        await installed.scaled(1)
    await installed.answering()
    installed.kubectl("label", "dag", "old", "team=a")
    installed.kubectl("apply", "-f", "-", input=json.dumps(_named("old", BROKEN)))
    changed = _named("old", dag({**BROKEN["spec"]["tasks"], "c": {}}))
    allowed, told = installed.tried(changed)
    assert not allowed and "in a cycle" in told
    installed.kubectl("delete", "dag", "old")


def _named(name: str, body: Body) -> Body:
    return {**body, "metadata": {"name": name}}


async def test_an_expired_certificate_is_said_and_helm_makes_a_new_one(installed: Installed, tmp_path: Path) -> None:
    [pod] = installed.pods()
    secret = f"{WEBHOOK}-certificate"
    cert, key = write(tmp_path, timedelta(days=-2), f"{WEBHOOK}.{installed.world.namespace}.svc")
    data = {file.name: b64encode(file.read_bytes()).decode() for file in (cert, key)}
    installed.kubectl("patch", "secret", secret, "--type=merge", "-p", json.dumps({"data": data}))

    async def said() -> str:
        _hurry(installed, pod)
        found = installed.kubectl(
            "get", "events", "--field-selector", f"involvedObject.name={pod}", "-o", "jsonpath={.items[*].message}"
        )
        return found if "certificate expired on" in found else ""

    await eventually(said, 150)
    assert "certificate expired on" in installed.kubectl("logs", pod)
    assert "certificate expired on" in installed.kubectl("describe", "pod", pod)
    address = installed.kubectl("get", "pod", pod, "-o", "jsonpath={.status.podIP}")
    assert _end(address) < time.time()
    await eventually(lambda: _is(installed, pod, "False"))
    installed.kubectl("delete", "secret", secret)
    _upgrade(installed)

    async def ready() -> bool:
        _hurry(installed, pod)
        return await _is(installed, pod, "True")

    await eventually(ready, 150)
    assert _end(address) > time.time() + 2 * 365 * 86_400
    await installed.answering()
    made = installed.kubectl("get", "secret", secret, "-o", "jsonpath={.data}")
    _upgrade(installed)
    assert installed.kubectl("get", "secret", secret, "-o", "jsonpath={.data}") == made, "kept while it is good"
    installed.kubectl("annotate", "secret", secret, "tradewind.dev/renew-after=0", "--overwrite")
    _upgrade(installed, "--force-conflicts")
    assert installed.kubectl("get", "secret", secret, "-o", "jsonpath={.data}") != made, "made anew in its last year"
    assert not installed.tried(BROKEN)[0], "the certificate that is served meanwhile is still known"


def _hurry(installed: Installed, pod: str) -> None:
    """Triggers a pod's update: a kubelet refreshes a changed Secret at its next sync of the pod, at once if the pod has
    changed."""
    installed.kubectl("annotate", "pod", pod, f"hurry={time.time()}", "--overwrite")


def _end(address: str) -> float:
    """When the certificate expires, by the metric."""
    with urllib.request.urlopen(f"http://{address}:8080/metrics", timeout=10) as answer:
        lines = answer.read().decode().splitlines()
    name = "tradewind_webhook_certificate_expiry_timestamp_seconds "
    [value] = [line.removeprefix(name) for line in lines if line.startswith(name)]
    return float(value)


async def test_writing_a_dag_grants_no_more_rights(installed: Installed) -> None:
    """The check of service accounts is off by default; if it is on, it also holds while the webhook is away."""
    acting, plain = dag({"a": {"serviceAccountName": "admin"}}), dag({"a": {}})
    as_template = document("TaskTemplate", {"task": {"serviceAccountName": "admin", "image": "x"}})
    kinds = "--resource=dags.tradewind.dev,tasktemplates.tradewind.dev,dagruns.tradewind.dev"
    installed.kubectl("create", "role", "writer", "--verb=get,create,update,patch", kinds)
    installed.kubectl(
        "create", "role", "acts", "--verb=impersonate", "--resource=serviceaccounts", "--resource-name=admin"
    )
    installed.kubectl("create", "role", "pods", "--verb=create", "--resource=pods")
    for user, roles in (("ada", ["writer"]), ("bo", ["writer", "acts"]), ("cy", ["writer", "pods"])):
        for role in roles:
            installed.kubectl("create", "rolebinding", f"{user}-{role}", f"--role={role}", f"--user={user}")
    assert installed.apply(acting, "--dry-run=server", "--as=ada")[0]
    _upgrade(installed, "--set", "webhook.checkServiceAccounts=true")

    def refused(body: Body, user: str) -> str:
        done, words = installed.apply(body, "--dry-run=server", f"--as={user}")
        return "" if done else words

    await eventually(lambda: asyncio.to_thread(refused, acting, "ada"))
    words = refused(acting, "ada")
    assert "spec.tasks.a.serviceAccountName: user 'ada' may not act as service account 'admin'" in words, words
    assert "ask for one of the rights: `impersonate` service account 'admin', or `create` pods of namespace" in words
    assert "spec.task.serviceAccountName: user 'ada' may not" in refused(as_template, "ada")
    for user in ("bo", "cy"):
        assert not refused(acting, user) and not refused(as_template, user)
    assert not refused(plain, "ada")
    await installed.scaled(0)
    assert "accounts.tradewind.dev" in refused(acting, "cy"), "also who may: nobody can tell"
    assert not refused(document("DAGRun", {"dag": "d"}, "r"), "ada"), "runs go on"
    await installed.scaled(1)


async def _is(installed: Installed, pod: str, ready: str) -> bool:
    path = "jsonpath={.status.conditions[?(@.type=='Ready')].status}"
    return installed.kubectl("get", "pod", pod, "-o", path) == ready


def _upgrade(installed: Installed, *flags: str) -> None:
    namespace = installed.world.namespace
    values = f"watchNamespaces={{{namespace}}},{VALUES}"
    installed.cluster.helm("upgrade", "tradewind", str(CHART), "-n", namespace, "--set", values, *flags)
