"""The Helm chart: rendered by real Helm, every object checked strictly, and compared with snapshots."""

import json
import os
import re
from base64 import b64decode
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml
from cryptography import x509
from kubernetes import client
from tradewind.cli.operator import command
from tradewind.control.admission import service_accounts
from tradewind.control.admission.handler import NAMES, REVIEWERS
from tradewind.control.admission.server import REVIEWS
from tradewind.model.crd import KINDS

from chart.rendering import CHART, ROOT, needs_helm, of, rendered, template

SNAPSHOTS = Path(__file__).parent / "snapshots"
VALUES: dict[str, dict[str, Any]] = {
    "default": {},
    "namespaced": {
        "watchNamespaces": ["team-a", "team-b"],
        "rbac": {"aggregateUserRoles": False},
        "webhook": {"enabled": True, "dryRunPods": False, "existingSecret": "ours", "caBundle": "-----BEGIN"},
        "events": {"enabled": True, "replicas": 1, "kubernetesAuth": False},
        "recorder": {"enabled": True},
    },
    "events": {
        "events": {
            "enabled": True,
            "secrets": [{"namespace": "shop", "names": ["github", "till"]}],
            "tls": {"existingSecret": "events-tls"},
            "maxBodyBytes": 1_048_576,
        },
    },
    "webhook": {
        "webhook": {"enabled": True, "replicas": 1, "failurePolicy": "Ignore", "checkServiceAccounts": True},
    },
    "everything": {
        "replicas": 2,
        "shards": 6,
        "serviceMonitor": {"enabled": True, "labels": {"release": "prometheus"}},
        "prometheusRule": {"enabled": True, "labels": {"release": "prometheus"}},
        "dashboards": {"enabled": True, "labels": {"folder": "batch"}},
        "networkPolicy": {
            "enabled": True,
            "apiServerTo": [{"ipBlock": {"cidr": "10.0.0.1/32"}}],
            "httpTo": [{"ipBlock": {"cidr": "192.0.2.0/24"}}],
            "metricsFrom": [{"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "monitoring"}}}],
            "webhookFrom": [{"ipBlock": {"cidr": "10.0.0.1/32"}}],
            "eventsFrom": [{"podSelector": {"matchLabels": {"app": "ingress"}}}],
            "recorderDatabaseTo": [{"podSelector": {"matchLabels": {"app": "postgres"}}}],
            "recorderFrom": [{"ipBlock": {"cidr": "10.0.0.1/32"}}],
        },
        "webhook": {
            "enabled": True,
            "certManager": {"enabled": True},
            "clientCA": "-----BEGIN CERTIFICATE-----",
            "clientNames": ["kube-apiserver"],
        },
        "tls": {"minVersion": "1.3", "ciphers": "ECDHE+AESGCM"},
        "events": {"enabled": True},
        "recorder": {
            "enabled": True,
            "readers": [{"apiGroup": "rbac.authorization.k8s.io", "kind": "Group", "name": "data-team"}],
            "keep": "90d",
            "logs": {"collect": True},
            "postgres": {"existingSecret": "history"},
            "storage": {"size": "50Gi", "className": "ssd"},
        },
        "podAnnotations": {"a": "b"},
        "nodeSelector": {"disk": "ssd"},
        "tolerations": [{"key": "k", "operator": "Exists"}],
        "imagePullSecrets": [{"name": "registry"}],
        "crds": {"keep": False},
        "serviceAccount": {"name": "own", "annotations": {"c": "d"}},
        "objectTriggers": {"rules": [{"apiGroups": ["batch"], "resources": ["jobs"], "verbs": ["list", "watch"]}]},
        "fullnameOverride": "flows",
        "commonLabels": {"team": "data"},
        "podLabels": {"mesh": "off"},
        "image": {"registry": "registry.example.com", "digest": f"sha256:{'0' * 64}"},
        "logFormat": "json",
        "http": {"proxy": "http://proxy.example.com:3128", "caConfigMap": "authorities"},
        "extraEnv": [{"name": "A", "value": "b"}],
        "extraArgs": ["--identity=me"],
        "extraVolumes": [{"name": "more", "emptyDir": {}}],
        "extraVolumeMounts": [{"name": "more", "mountPath": "/more"}],
        "topologySpreadConstraints": [
            {"maxSkew": 1, "topologyKey": "topology.kubernetes.io/zone", "whenUnsatisfiable": "DoNotSchedule"}
        ],
        "openshift": True,
    },
}
MODELS = {
    "Deployment": client.V1Deployment,
    "StatefulSet": client.V1StatefulSet,
    "Pod": client.V1Pod,
    "ServiceAccount": client.V1ServiceAccount,
    "Service": client.V1Service,
    "Role": client.V1Role,
    "RoleBinding": client.V1RoleBinding,
    "ClusterRole": client.V1ClusterRole,
    "ClusterRoleBinding": client.V1ClusterRoleBinding,
    "PodDisruptionBudget": client.V1PodDisruptionBudget,
    "NetworkPolicy": client.V1NetworkPolicy,
    "ConfigMap": client.V1ConfigMap,
    "Secret": client.V1Secret,
    "ValidatingWebhookConfiguration": client.V1ValidatingWebhookConfiguration,
    "ValidatingAdmissionPolicy": client.V1ValidatingAdmissionPolicy,
    "ValidatingAdmissionPolicyBinding": client.V1ValidatingAdmissionPolicyBinding,
}
OTHERS = {"CustomResourceDefinition", "ServiceMonitor", "PrometheusRule", "Issuer", "Certificate"}
"""Kinds without a model here."""
FILES = {"ConfigMap": ("data", "dashboard.json"), "PrometheusRule": ("spec", "rules.yaml")}
"""The field of a kind that contains a file of the chart."""

pytestmark = needs_helm


@pytest.mark.timeout(600)  # the first use may build Helm
@pytest.mark.parametrize("name", list(VALUES))
def test_objects_are_strictly_valid_and_as_they_were(name: str) -> None:
    objects = rendered(VALUES[name])
    for body in objects:
        assert body["kind"] in {*MODELS, *OTHERS}
        if body["kind"] in MODELS:
            MODELS[body["kind"]].model_validate(body)
        _without_what_is_made_anew(body)
        if body["kind"] in FILES and not body["metadata"]["name"].endswith(
            "-clients"
        ):  # whole files of the chart: other tests check them
            field, file = FILES[body["kind"]]
            body[field] = f"files/{file}"
    text = yaml.safe_dump_all(
        [body for body in objects if body["kind"] != "CustomResourceDefinition"], sort_keys=False, width=120
    )
    snapshot = SNAPSHOTS / f"{name}.yaml"
    if os.environ.get("UPDATE_SNAPSHOTS") == "1":
        snapshot.write_text(text)
    assert snapshot.read_text() == text, "run `make snapshots` and read the difference"


def _without_what_is_made_anew(body: dict[str, Any]) -> None:
    """Keys and certificates differ each time: another test checks them."""
    if body["kind"] == "Secret":
        body["data"] = sorted(body["data"])
        body["metadata"]["annotations"]["tradewind.dev/renew-after"] = "in two years"
        return
    for webhook in body.get("webhooks", ()):
        if "caBundle" in webhook["clientConfig"]:
            webhook["clientConfig"]["caBundle"] = "an authority"
        place = webhook["clientConfig"]["service"]
        place["path"] = re.sub(r"^(/\w+)/[a-z0-9]{32}$", r"\1/secret", place["path"])


def test_the_crds_are_those_of_the_models_and_are_kept() -> None:
    for path in (ROOT / "crds").glob("*.yaml"):
        assert (CHART / "files" / "crds" / path.name).read_bytes() == path.read_bytes(), "run `make crds`"
    crds = of(rendered({}), "CustomResourceDefinition")
    assert {crd["metadata"]["name"] for crd in crds} == {path.stem for path in (ROOT / "crds").glob("*.yaml")}
    assert all(crd["metadata"]["annotations"] == {"helm.sh/resource-policy": "keep"} for crd in crds)
    assert not of(rendered({"crds": {"enabled": False}}), "CustomResourceDefinition")


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"replica": 2}, "replica"),
        ({"image": {"digest": "latest"}}, "digest"),
        ({"webhook": {"enabled": "perhaps"}}, "enabled"),
        ({"image": {"name": "x"}}, "name"),
        ({"replicas": 0}, "minimum"),
        ({"replicas": "two"}, "integer"),
        ({"watchNamespaces": "team-a"}, "array"),
        ({"logLevel": "loud"}, "logLevel"),
        ({"resources": {"request": {"cpu": 1}}}, "request"),
        ({"webhook": {"failurePolicy": "Warn"}}, "failurePolicy"),
        ({"policies": {"enabled": "perhaps"}}, "enabled"),
        ({"http": {"readSecrets": True, "readSecretsIn": ["shop"]}}, "exclude each other"),
        ({"http": {"proxy": "http://ada:s3cret@proxy.example.com"}}, "pattern"),
        ({"http": {"proxy": "http://proxy.example.com", "proxySecret": "proxy"}}, "exclude each other"),
        ({"tls": {"minVersion": "1.1"}}, "minVersion"),
        ({"webhook": {"enabled": True, "existingSecret": "ours"}}, "existingSecret needs webhook.caBundle"),
        ({"events": {"secrets": [{"namespace": "shop"}]}}, "names"),
        ({"events": {"maxBodyBytes": 1}}, "minimum"),
        ({"webhook": {"enabled": True, "caBundle": "x"}}, "caBundle is for webhook.existingSecret"),
        ({"webhook": {"enabled": True, "existingSecret": "o", "certManager": {"enabled": True}}}, "exclude each other"),
    ],
)
def test_values_that_the_chart_does_not_know_are_refused(values: dict[str, Any], words: str) -> None:
    done = template(values)
    assert done.returncode != 0 and words in done.stderr


def test_a_proxy_with_a_password_is_named_by_a_secret() -> None:
    deployment = of(rendered({"http": {"proxySecret": "proxy", "noProxy": [".svc"]}}), "Deployment")[0]
    operator = deployment["spec"]["template"]["spec"]["containers"][0]
    [option] = [param for param in command.params if param.name == "proxy"]
    told = {"name": option.envvar, "valueFrom": {"secretKeyRef": {"name": "proxy", "key": "url"}}}
    assert told in operator["env"] and "--http-no-proxy=.svc" in operator["args"]
    assert not [arg for arg in operator["args"] if arg.startswith("--http-proxy")]


def test_watched_namespaces_need_no_cluster_role() -> None:
    objects = rendered(VALUES["namespaced"])
    assert not of(objects, "ClusterRole") and not of(objects, "ClusterRoleBinding")
    [webhook] = of(objects, "ValidatingWebhookConfiguration")[0]["webhooks"]
    assert webhook["namespaceSelector"]["matchExpressions"] == [
        {"key": "kubernetes.io/metadata.name", "operator": "In", "values": ["team-a", "team-b"]}
    ]
    assert webhook["rules"][0]["resources"] == ["dags", "dagruns", "triggers", "backfills", "pools", "approvals"]
    assert {role["metadata"]["namespace"] for role in of(objects, "Role")} == {"team-a", "team-b", "tradewind-system"}
    args = of(objects, "Deployment")[0]["spec"]["template"]["spec"]["containers"][0]["args"]
    assert [arg for arg in args if arg.startswith("--namespace")] == ["--namespace=team-a", "--namespace=team-b"]


PEOPLE = ["approvals", "edits", "parts", "pods", "dags"]
"""Policies about everyone, where the operator works."""


@pytest.mark.parametrize(
    ("values", "names"),
    [
        ({}, [*PEOPLE, "operator", "webhook"]),
        ({"webhook": {"enabled": False}}, [*PEOPLE, "operator"]),
        (
            {"webhook": {"enabled": True}, "events": {"enabled": True}},
            [*PEOPLE, "operator", "webhook", "events"],
        ),
        ({"watchNamespaces": ["team"]}, []),
        ({"watchNamespaces": ["team"], "webhook": {"enabled": True}}, [*PEOPLE, "operator", "webhook"]),
        ({"watchNamespaces": ["team"], "policies": {"enabled": True}}, [*PEOPLE, "operator"]),
        ({"policies": {"enabled": False}}, []),
    ],
)
def test_policies_are_there_where_who_installs_may_make_some(values: dict[str, Any], names: list[str]) -> None:
    objects = rendered(values)
    policies, bindings = (of(objects, f"ValidatingAdmissionPolicy{kind}") for kind in ("", "Binding"))
    wanted = [f"tradewind-system-release-tradewind-{name}" for name in names]
    assert [body["metadata"]["name"] for body in policies] == wanted
    assert [body["spec"]["policyName"] for body in bindings] == wanted
    assert all(body["spec"]["failurePolicy"] == "Fail" for body in policies)
    assert all(body["spec"]["validationActions"] == ["Deny"] for body in bindings)
    confined = ["matchResources" in body["spec"] for body in bindings]
    assert confined == [name in PEOPLE and "watchNamespaces" in values for name in names]


@pytest.mark.parametrize("webhook", [True, False])
def test_parts_of_runs_are_made_by_its_own_accounts_alone(webhook: bool) -> None:
    values = {"webhook": {"enabled": webhook}, "serviceAccount": {"name": "own"}}
    policies = {body["metadata"]["name"]: body["spec"] for body in of(rendered(values), "ValidatingAdmissionPolicy")}
    for name, accounts in (("parts", ["own"]), ("pods", ["own", *(["release-tradewind-webhook"] if webhook else [])])):
        found = policies[f"tradewind-system-release-tradewind-{name}"]["matchConditions"]
        allowed = [item["expression"].partition("!= ")[2] for item in found if "username" in item["expression"]]
        assert allowed == [f"'system:serviceaccount:tradewind-system:{account}'" for account in accounts]


def test_no_rule_is_wider_than_it_must_be() -> None:
    for name in VALUES:
        for role in [*of(rendered(VALUES[name]), "Role"), *of(rendered(VALUES[name]), "ClusterRole")]:
            for rule in role["rules"]:
                assert "*" not in (*rule["verbs"], *rule["resources"], *rule["apiGroups"])
                assert "secrets" not in rule["resources"] or rule["resourceNames"], "named ones, or none"


PROCESSES = ["flows", "flows-webhook", "flows-events", "flows-recorder"]


def processes(values: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """The specs of the pods, by the name of what makes them."""
    objects = rendered(values)
    made = [*of(objects, "Deployment"), *of(objects, "StatefulSet")]
    return {body["metadata"]["name"]: body["spec"]["template"]["spec"] for body in made}


@pytest.mark.parametrize("deployment", PROCESSES)
def test_a_token_is_where_it_is_needed_and_nowhere_else(deployment: str) -> None:
    objects = rendered(VALUES["everything"])
    assert not any(account["automountServiceAccountToken"] for account in of(objects, "ServiceAccount"))
    pods = processes(VALUES["everything"])
    assert pods[deployment]["automountServiceAccountToken"] and pods[deployment]["serviceAccountName"] != "default"


@pytest.mark.parametrize("deployment", PROCESSES)
def test_its_processes_are_confined(deployment: str) -> None:
    pod = processes(VALUES["everything"])[deployment]
    assert pod["securityContext"]["runAsNonRoot"] and pod["securityContext"]["seccompProfile"] == {
        "type": "RuntimeDefault"
    }
    main = pod["containers"][0]["securityContext"]
    assert main == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }


def test_network_policies_name_from_where_and_whereto() -> None:
    for body in of(rendered(VALUES["everything"]), "NetworkPolicy"):
        assert all("from" in rule for rule in body["spec"]["ingress"]) and len(body["spec"]["egress"]) >= 2
        assert all("to" in rule for rule in body["spec"]["egress"])
    [usual] = of(rendered({"networkPolicy": {"enabled": True}, "webhook": {"enabled": False}}), "NetworkPolicy")
    dns, api_server = usual["spec"]["egress"]
    assert dns["to"][0]["podSelector"] == {"matchLabels": {"k8s-app": "kube-dns"}} and "to" not in api_server


def test_secrets_are_read_in_named_namespaces_alone() -> None:
    objects = rendered({"http": {"readSecretsIn": ["shop", "till"]}, "rbac": {"readConfigMaps": False}})
    roles = [role for role in of(objects, "Role") if any("secrets" in rule["resources"] for rule in role["rules"])]
    assert [role["metadata"]["namespace"] for role in roles] == ["shop", "till"]
    [wide] = [
        role for role in of(objects, "ClusterRole") if role["metadata"]["name"] == "tradewind-system-release-tradewind"
    ]
    assert not {"secrets", "configmaps"} & {resource for rule in wide["rules"] for resource in rule["resources"]}
    args = of(objects, "Deployment")[0]["spec"]["template"]["spec"]["containers"][0]["args"]
    assert {"--read-secrets-in=shop", "--read-secrets-in=till"} <= set(args) and "--read-secrets" not in args


def test_the_certificate_that_helm_makes_is_for_the_service_and_of_the_authority_that_the_api_server_is_told() -> None:
    objects = rendered(VALUES["webhook"])
    [secret], [configuration] = of(objects, "Secret"), of(objects, "ValidatingWebhookConfiguration")
    data = {name: b64decode(value) for name, value in secret["data"].items()}
    config = configuration["webhooks"][0]["clientConfig"]
    assert b64decode(config["caBundle"]) == data["ca.crt"]
    certificate, authority = map(x509.load_pem_x509_certificate, (data["tls.crt"], data["ca.crt"]))
    certificate.verify_directly_issued_by(authority)
    assert config["service"]["path"] == f"/validate/{data['token'].decode()}"
    names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    service = config["service"]
    assert f"{service['name']}.{service['namespace']}.svc" in names.get_values_for_type(x509.DNSName)
    renewed = datetime.fromtimestamp(int(secret["metadata"]["annotations"]["tradewind.dev/renew-after"]), UTC)
    assert timedelta(days=364) < certificate.not_valid_after_utc - renewed < timedelta(days=366)


def test_the_webhook_may_create_pods_only_where_it_tries_them() -> None:
    for tries in (True, False):
        objects = rendered({"webhook": {"enabled": True, "dryRunPods": tries}})
        [role] = [role for role in of(objects, "ClusterRole") if role["metadata"]["name"].endswith("-webhook")]
        assert ({"apiGroups": [""], "resources": ["pods"], "verbs": ["create"]} in role["rules"]) == tries
        [args] = [
            body["spec"]["template"]["spec"]["containers"][0]["args"]
            for body in of(objects, "Deployment")
            if body["metadata"]["name"].endswith("-webhook")
        ]
        assert ("--dry-run-pods" in args) == tries and ("--no-dry-run-pods" in args) != tries


def test_the_endpoint_for_events_reads_named_secrets_and_asks_about_tokens_only_where_it_takes_them() -> None:
    objects = rendered(VALUES["events"])
    [secrets] = [role for role in of(objects, "Role") if role["metadata"]["name"].endswith("-events-secrets")]
    assert secrets["metadata"]["namespace"] == "shop" and secrets["rules"] == [
        {"apiGroups": [""], "resources": ["secrets"], "resourceNames": ["github", "till"], "verbs": ["get"]}
    ]
    for takes in (True, False):
        objects = rendered({"events": {"enabled": True, "kubernetesAuth": takes}})
        [role] = [role for role in of(objects, "ClusterRole") if role["metadata"]["name"].endswith("-events")]
        asked = {resource for rule in role["rules"] for resource in rule["resources"]}
        assert ({"tokenreviews", "subjectaccessreviews"} <= asked) is takes
        assert asked - {"tokenreviews", "subjectaccessreviews"} == {"triggers", "dags", "dagruns"}


def test_the_recorder_may_read_runs_and_write_one_configmap() -> None:
    objects = rendered({"recorder": {"enabled": True}, "rbac": {"readConfigMaps": False}})
    name = "release-tradewind-recorder"
    [wide] = [role for role in of(objects, "ClusterRole") if role["metadata"]["name"] == f"tradewind-system-{name}"]
    assert [(rule["resources"], rule["verbs"]) for rule in wide["rules"]] == [
        (["dagruns"], ["list", "watch"]),
        (["controllerrevisions"], ["get"]),
        (["namespaces"], ["get"]),
    ]
    roles = {role["metadata"]["name"]: role["rules"] for role in of(objects, "Role")}
    for suffix, verbs in (("watermark", ["get", "update"]), ("watermark-reader", ["get"])):
        assert roles[f"{name}-{suffix}"] == [
            {"apiGroups": [""], "resources": ["configmaps"], "resourceNames": [name], "verbs": verbs}
        ]
    [reader] = [item for item in of(objects, "RoleBinding") if item["metadata"]["name"] == f"{name}-watermark-reader"]
    assert [subject["name"] for subject in reader["subjects"]] == ["release-tradewind"]
    assert "data" not in next(body for body in of(objects, "ConfigMap") if body["metadata"]["name"] == name)


def test_the_operator_waits_for_a_recorder_only_where_one_is_installed() -> None:
    for enabled in (True, False):
        objects = rendered({"recorder": {"enabled": enabled}})
        args = of(objects, "Deployment")[0]["spec"]["template"]["spec"]["containers"][0]["args"]
        assert ("--recorder=tradewind-system/release-tradewind-recorder" in args) is enabled
        assert any("unrecorded" in arg for arg in args) is enabled
        assert bool(of(objects, "StatefulSet")) is enabled
        assert any("recorder" in body["metadata"]["name"] for body in objects) is enabled


def test_the_address_of_the_database_is_in_no_argument() -> None:
    pod = processes({"recorder": {"enabled": True, "postgres": {"existingSecret": "db"}}})["release-tradewind-recorder"]
    told = {"name": "TRADEWIND_DATABASE", "valueFrom": {"secretKeyRef": {"name": "db", "key": "url"}}}
    assert pod["containers"][0]["env"] == [told]
    assert not any("database" in arg for arg in pod["containers"][0]["args"])


def test_logs_are_read_only_where_they_are_collected() -> None:
    for collect in (True, False):
        objects = rendered({"recorder": {"enabled": True, "logs": {"collect": collect}}})
        rules = [
            rule
            for role in of(objects, "ClusterRole")
            if "recorder" in role["metadata"]["name"]
            for rule in role["rules"]
        ]
        assert any("pods/log" in rule["resources"] for rule in rules) is collect
        made = [*of(objects, "Deployment"), *of(objects, "StatefulSet")]
        args = [arg for body in made for arg in body["spec"]["template"]["spec"]["containers"][0]["args"]]
        assert ("--recorded-logs" in args) is ("--collect-logs" in args) is collect


@pytest.mark.parametrize("openshift", [True, False])
def test_the_recorder_may_write_to_its_volume(openshift: bool) -> None:
    pods = processes({"recorder": {"enabled": True}, "openshift": openshift})
    groups = {name: pod["securityContext"].get("fsGroup") for name, pod in pods.items()}
    assert groups.pop("release-tradewind-recorder") == (None if openshift else 65_532)
    assert set(groups.values()) == {None}


def test_pods_of_webhook_and_endpoint_are_not_those_of_the_operator() -> None:
    objects = rendered(VALUES["everything"])
    for kind, path in [("Deployment", "selector.matchLabels"), ("Service", "selector"), ("NetworkPolicy", "podSelector.matchLabels"),
                       ("PodDisruptionBudget", "selector.matchLabels"), ("ServiceMonitor", "selector.matchLabels")]:  # fmt: skip
        found = []
        for body in of(objects, kind):
            selector = body["spec"]
            for step in path.split("."):
                selector = selector[step]
            found.append(selector["app.kubernetes.io/name"])
        recorder = set() if kind in ("Deployment", "PodDisruptionBudget") else {"tradewind-recorder"}
        assert set(found) == {"tradewind", "tradewind-events", "tradewind-webhook"} | recorder, kind


def test_the_webhook_is_asked_about_every_kind_that_it_reviews() -> None:
    values = {**VALUES["webhook"], "policies": {"enabled": False}}
    webhooks = of(rendered(values), "ValidatingWebhookConfiguration")[0]["webhooks"]
    validate, of_names, of_accounts = webhooks
    plurals = {kind.kind: kind.plural for kind in KINDS}
    assert validate["rules"][0]["resources"] == [plurals[kind] for kind in REVIEWERS]
    assert of_accounts["rules"][0]["resources"] == [plurals[kind] for kind in service_accounts.REVIEWERS]
    assert of_names["rules"][0]["resources"] == [plurals[kind] for kind in NAMES]
    paths = {webhook["clientConfig"]["service"]["path"].rpartition("/")[0] for webhook in webhooks}
    assert paths == set(REVIEWS), "each with a secret at its end"


def test_whose_name_it_is_is_asked_where_there_is_no_policy_for_it_and_then_always() -> None:
    for policies in (True, False):
        values = {"webhook": {"enabled": True}, "policies": {"enabled": policies}}
        webhooks = of(rendered(values), "ValidatingWebhookConfiguration")[0]["webhooks"]
        found = {webhook["name"]: webhook["failurePolicy"] for webhook in webhooks}
        assert found == {"validate.tradewind.dev": "Ignore", **({} if policies else {"names.tradewind.dev": "Fail"})}


def test_service_accounts_are_checked_only_on_demand_and_then_always() -> None:
    for checks in (True, False):
        objects = rendered(
            {
                "watchNamespaces": ["team"],
                "webhook": {"enabled": True, "checkServiceAccounts": checks, "failurePolicy": "Ignore"},
            }
        )
        webhooks = of(objects, "ValidatingWebhookConfiguration")[0]["webhooks"]
        assert [webhook["failurePolicy"] for webhook in webhooks] == (["Ignore", "Fail"] if checks else ["Ignore"])
        assert len({str(webhook["namespaceSelector"]) for webhook in webhooks}) == 1
        rules = [rule for role in of(objects, "ClusterRole") for rule in role["rules"]]
        asks = {"apiGroups": ["authorization.k8s.io"], "resources": ["subjectaccessreviews"], "verbs": ["create"]}
        assert (asks in rules) is checks


def test_replicas_decide_how_upgrades_go() -> None:
    one, two = (rendered({"replicas": count, "webhook": {"enabled": False}}) for count in (1, 2))
    assert of(one, "Deployment")[0]["spec"]["strategy"] == {"type": "Recreate"} and not of(one, "PodDisruptionBudget")
    # With the server's defaults, `rollingUpdate` would stay behind and forbid the way back to one replica.
    assert of(two, "Deployment")[0]["spec"]["strategy"] == {
        "type": "RollingUpdate",
        "rollingUpdate": {"maxSurge": 1, "maxUnavailable": 0},
    }
    assert of(two, "PodDisruptionBudget")


def schemas(node: dict[str, Any], path: str = "") -> Iterator[tuple[str, dict[str, Any]]]:
    yield path, node
    for name, inner in node.get("properties", {}).items():
        yield from schemas(inner, f"{path}.{name}")


def test_every_value_is_described_and_every_object_is_closed_but_those_of_kubernetes() -> None:
    found = dict(schemas(json.loads((CHART / "values.schema.json").read_text())))
    assert all(schema.get("description") for schema in found.values())
    opened = {
        path for path, schema in found.items() if schema["type"] == "object" and "additionalProperties" not in schema
    }
    assert opened == {".global", ".affinity"}
    values = yaml.safe_load((CHART / "values.yaml").read_text())
    assert set(values) == set(found[""]["properties"]) - {"global"}, "values.yaml shows every value"


def test_the_webhook_is_there_unless_its_rights_may_be_missing() -> None:
    """Its configuration is cluster-wide, which users who install an operator of some namespaces may not write."""
    for values, there in (
        ({}, True),
        ({"watchNamespaces": ["team"]}, False),
        ({"watchNamespaces": ["team"], "webhook": {"enabled": True}}, True),
        ({"webhook": {"enabled": False}}, False),
    ):
        objects = rendered(values)
        assert bool(of(objects, "ValidatingWebhookConfiguration")) is there
        assert any(body["metadata"]["name"].endswith("-webhook") for body in of(objects, "Deployment")) is there
    [configuration] = of(rendered({}), "ValidatingWebhookConfiguration")
    assert {webhook["failurePolicy"] for webhook in configuration["webhooks"]} == {"Ignore"}, "nobody is locked out"


def test_openshift_gives_out_uids_itself() -> None:
    for openshift in (True, False):
        for body in of(rendered({"openshift": openshift, "events": {"enabled": True}}), "Deployment"):
            pod = body["spec"]["template"]["spec"]
            assert ("runAsUser" in pod["securityContext"]) is not openshift
            env = {item["name"]: item.get("value") for item in pod["containers"][0]["env"]}
            assert ("TRADEWIND_TASK_USER" in env) is openshift and not env.get("TRADEWIND_TASK_USER")


def test_an_image_is_named_by_its_digest_and_a_registry_of_ones_own() -> None:
    digest = f"sha256:{'1' * 64}"
    for image, name in (
        ({}, "ghcr.io/tradewind-dev/tradewind:0.1.0"),
        ({"registry": "r.example.com", "tag": "2"}, "r.example.com/tradewind-dev/tradewind:2"),
        ({"registry": "r.example.com:5000/mirror"}, "r.example.com:5000/mirror/tradewind-dev/tradewind:0.1.0"),
        ({"repository": "r.example.com/own"}, "r.example.com/own:0.1.0"),
        ({"repository": "localhost/own"}, "localhost/own:0.1.0"),
        ({"registry": "", "repository": "r.example.com/own", "digest": digest}, f"r.example.com/own@{digest}"),
    ):
        for body in of(rendered({"image": image}), "Deployment"):
            container = body["spec"]["template"]["spec"]["containers"][0]
            assert container["image"] == name
            if container["name"] == "operator":
                assert container["env"][0] == {"name": "TRADEWIND_IMAGE", "value": name}


def test_what_is_added_reaches_every_object_and_pod() -> None:
    objects = rendered(VALUES["everything"])
    assert all(body["metadata"]["labels"]["team"] == "data" for body in objects)
    for body in of(objects, "Deployment"):
        pod = body["spec"]["template"]
        assert pod["metadata"]["labels"]["mesh"] == "off" and "mesh" not in body["metadata"]["labels"]
        assert {"name": "A", "value": "b"} in pod["spec"]["containers"][0]["env"]
        assert "more" in [item["name"] for item in pod["spec"]["volumes"]]
        assert "more" in [item["name"] for item in pod["spec"]["containers"][0]["volumeMounts"]]
        [spread] = pod["spec"]["topologySpreadConstraints"]
        assert spread["labelSelector"]["matchLabels"] == body["spec"]["selector"]["matchLabels"]
        assert "--log-format=json" in pod["spec"]["containers"][0]["args"]


def test_replicas_are_spread_over_nodes() -> None:
    for body in of(rendered({"replicas": 3, "events": {"enabled": True}}), "Deployment"):
        [spread] = body["spec"]["template"]["spec"]["topologySpreadConstraints"]
        assert spread["topologyKey"] == "kubernetes.io/hostname" and spread["whenUnsatisfiable"] == "ScheduleAnyway"
