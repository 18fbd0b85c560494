"""The accounts under which operators work on a real cluster: the chart's own, with the chart's rules and no others."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

CHART = Path(__file__).parents[2] / "charts" / "tradewind"
OPERATOR, READING = "tests-tradewind", "tests-tradewind-reading"
"""An operator as it is by default, and one that may read Secrets (http.readSecrets)."""
FOLLOWED = [{"apiGroups": [""], "resources": ["configmaps", "persistentvolumeclaims"], "verbs": ["list", "watch"]}]
"""What the tests' triggers follow (objectTriggers.rules)."""
LASTS = "3h"


def values(namespace: str, reads_secrets: bool) -> Mapping[str, Any]:
    """The chart's values. With more than one shard the names of its Leases are free, as tests choose some."""
    return {
        "watchNamespaces": [namespace],
        "shards": 2,
        "http": {"readSecrets": reads_secrets},
        "objectTriggers": {"rules": FOLLOWED},
        "rbac": {"aggregateUserRoles": False},
    }


def install(cluster: Any, namespace: str, folder: Path) -> dict[bool, Path]:
    """Makes both accounts in a namespace; the kubeconfig of each, by whether it reads Secrets."""
    found = {}
    for name, reads in ((OPERATOR, False), (READING, True)):
        command = ("template", name, str(CHART), "-n", namespace, "--show-only", "templates/rbac.yaml", "-f", "-")
        rendered = cluster.helm(*command, input=yaml.safe_dump(dict(values(namespace, reads))))
        cluster.kubectl("apply", "-n", namespace, "-f", "-", input=rendered)
        config = yaml.safe_load(Path(cluster.kubeconfig).read_text())
        token = cluster.kubectl("create", "token", name, "-n", namespace, f"--duration={LASTS}").strip()
        for user in config["users"]:
            user["user"] = {"token": token}
        found[reads] = folder / f"{name}.yaml"
        found[reads].write_text(yaml.safe_dump(config))
    return found


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
