"""The accounts under which operators work on a real cluster: the chart's own, with the chart's rules and no others."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

CHART = Path(__file__).parents[2] / "charts" / "tradewind"
OPERATOR, READING = "tests-tradewind", "tests-tradewind-reading"
"""An operator with defaults, and one that may read Secrets (http.readSecrets)."""
FOLLOWED = [{"apiGroups": [""], "resources": ["configmaps", "persistentvolumeclaims"], "verbs": ["list", "watch"]}]
"""What the tests' triggers follow (objectTriggers.rules)."""
LASTS = "3h"


def values(namespace: str, reads_secrets: bool) -> Mapping[str, Any]:
    """The chart's values. With more than one shard the names of its Leases are free, since tests choose some."""
    return {
        "watchNamespaces": [namespace],
        "shards": 2,
        "http": {"readSecrets": reads_secrets},
        "objectTriggers": {"rules": FOLLOWED},
        "rbac": {"aggregateUserRoles": False},
        "policies": {"enabled": True},
    }


def policies(namespace: str, name: str) -> list[str]:
    """The policies for an operator's account, and about DAGs."""
    return [
        f"{namespace}-{name if 'tradewind' in name else f'{name}-tradewind'}-{what}" for what in ("operator", "dags")
    ]


def _rendered(cluster: Any, name: str, namespace: str, reads: bool, file: str) -> str:
    command = ("template", name, str(CHART), "-n", namespace, "--show-only", f"templates/{file}.yaml", "-f", "-")
    return str(cluster.helm(*command, input=yaml.safe_dump(dict(values(namespace, reads)))))


def install(cluster: Any, namespace: str, folder: Path) -> dict[bool, Path]:
    """Creates both accounts in a namespace, with the policies for each; returns the kubeconfig of each, by whether it
    reads Secrets."""
    found = {}
    for name, reads in ((OPERATOR, False), (READING, True)):
        cluster.kubectl("apply", "-n", namespace, "-f", "-", input=_rendered(cluster, name, namespace, reads, "rbac"))
        # Not those about people: tests write edits and decisions in all sorts of names.
        rendered = yaml.safe_load_all(_rendered(cluster, name, namespace, reads, "policies"))
        own = [body for body in rendered if body["metadata"]["name"] in policies(namespace, name)]
        cluster.kubectl("apply", "-f", "-", input=yaml.safe_dump_all(own))
        config = yaml.safe_load(Path(cluster.kubeconfig).read_text())
        token = cluster.kubectl("create", "token", name, "-n", namespace, f"--duration={LASTS}").strip()
        for user in config["users"]:
            user["user"] = {"token": token}
        found[reads] = folder / f"{name}.yaml"
        found[reads].write_text(yaml.safe_dump(config))
    return found


def remove(cluster: Any, namespace: str) -> None:
    """Removes what `install` created outside of the namespace."""
    names = [found for name in (OPERATOR, READING) for found in policies(namespace, name)]
    for kind in ("validatingadmissionpolicybinding", "validatingadmissionpolicy"):
        cluster.kubectl("delete", kind, *names, "--ignore-not-found")


def admit(cluster: Any, namespace: str, other: str) -> None:
    """Lets the operator of another namespace work in this one too, as `watchNamespaces` with both does."""
    cluster.kubectl(
        "create",
        "rolebinding",
        f"of-{other}",
        f"--role={OPERATOR}",
        f"--serviceaccount={other}:{OPERATOR}",
        "-n",
        namespace,
    )
