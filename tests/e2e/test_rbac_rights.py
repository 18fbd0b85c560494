"""The API server's audit log of this session, compared with the chart: no request of Tradewind's accounts lacks a
right, and there is no right that the end-to-end tests did not need. It runs after all others."""

import os
from collections import defaultdict
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import orjson
import pytest
import yaml
from cluster.fixtures import Cluster
from worlds.accounts import CHART, FOLLOWED, OPERATOR, READING

pytestmark = [pytest.mark.e2e, pytest.mark.judges, pytest.mark.timeout(300)]
SINCE = "TRADEWIND_E2E_SINCE"
"""Set by `make e2e` and `make test`, which run all tests, in parts."""
STARTED = datetime.fromisoformat(os.environ.get(SINCE) or datetime.now(UTC).isoformat())
"""When the first test began: set by `make e2e`, otherwise when pytest read this file."""
ACCOUNTS = {
    "tradewind": "operator",
    OPERATOR: "operator",
    READING: "operator",
    "tradewind-webhook": "webhook",
    "tradewind-events": "events",
}
VALUES = {
    "shards": 2,
    "http": {"readSecrets": True},
    "objectTriggers": {"rules": FOLLOWED},
    "webhook": {"enabled": True, "checkServiceAccounts": True},
    "events": {
        "enabled": True,
        "tls": {"existingSecret": "tls"},
        "secrets": [{"namespace": "shop", "names": ["till"]}],
    },
}
"""Everything that needs a right of its own."""
Right = tuple[str, str, str, str]
"""Component, API group, resource with subresource, and verb."""


RARE: set[Right] = {
    ("events", "", "events", "create"),  # its certificate comes to its end
    ("events", "tradewind.dev", "dags", "get"),  # a DAG with templates
    ("webhook", "tradewind.dev", "clusterpools", "get"),  # a DAG that claims a ClusterPool
    ("webhook", "", "namespaces", "get"),  # one whose ClusterPool asks for labels
    ("operator", "apps", "controllerrevisions", "update"),  # two revisions were given one number in the same moment
    *(
        (who, "tradewind.dev", resource, verb)  # templates of the whole cluster, for operators of all namespaces
        for resource in ("clustertasktemplates", "clusterdagtemplates")
        for who, resource, verb in (
            ("operator", resource, "get"),
            ("operator", f"{resource}/status", "patch"),
            ("webhook", resource, "get"),
        )
    ),
}
"""Rights that the code needs in situations that these tests, on a real server, don't reach: each with its occasion."""


def granted(objects: Iterable[dict[str, Any]]) -> set[Right]:
    """The rights that the chart's roles grant its accounts."""
    found = list(filter(None, objects))
    roles = {
        (body["kind"], body["metadata"]["name"]): body["rules"]
        for body in found
        if body["kind"] in ("Role", "ClusterRole") and "aggregationRule" not in body
    }
    rights = set()
    for binding in found:
        if binding["kind"] not in ("RoleBinding", "ClusterRoleBinding"):
            continue
        for rule in roles[binding["roleRef"]["kind"], binding["roleRef"]["name"]]:
            for group, resource, verb in (
                (g, r, v) for g in rule["apiGroups"] for r in rule["resources"] for v in rule["verbs"]
            ):
                rights |= {(ACCOUNTS[who["name"]], group, resource, verb) for who in binding["subjects"]}
    return rights


def requests(folder: Path) -> Iterator[tuple[Right, bool]]:
    """The requests in this session, and whether each was allowed."""
    for path in folder.glob("audit*.log"):
        with path.open("rb") as log:
            for line in log:
                if b":serviceaccount:" not in line or b"tradewind" not in line:
                    continue
                entry = orjson.loads(line)
                who = ACCOUNTS.get(entry["user"]["username"].rpartition(":")[2])
                ref = entry.get("objectRef")
                if who is None or not ref or datetime.fromisoformat(entry["requestReceivedTimestamp"]) < STARTED:
                    continue
                resource = "/".join(filter(None, (ref.get("resource"), ref.get("subresource"))))
                allowed = entry.get("annotations", {}).get("authorization.k8s.io/decision") == "allow"
                yield (who, ref.get("apiGroup", ""), resource, entry["verb"]), allowed


def test_rights_are_those_that_are_used(cluster: Cluster, request: pytest.FixtureRequest) -> None:
    log = cluster.audit_log
    rendered = cluster.helm("template", "tradewind", str(CHART), "-n", "shop", "-f", "-", input=yaml.safe_dump(VALUES))
    rights = granted(yaml.safe_load_all(rendered))
    used: dict[bool, dict[Right, int]] = {True: defaultdict(int), False: defaultdict(int)}
    for right, allowed in requests(log.parent):
        used[allowed][right] += 1
    refused = {right for right in used[False] if right not in rights}
    assert not refused, f"the chart lacks rules for {sorted(refused)}"
    files = {item.path for item in request.session.items}
    if SINCE not in os.environ and not files >= set(Path(__file__).parent.glob("test_*.py")):
        pytest.skip("which rights are superfluous only all end-to-end tests together can tell")
    superfluous = rights - set(used[True]) - RARE
    assert not superfluous, f"no end-to-end test needed {sorted(superfluous)}"
