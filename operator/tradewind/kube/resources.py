"""The API paths of the resources that Tradewind uses."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from tradewind import GROUP, VERSION
from tradewind.kube.errors import BadName

Key = tuple[str, str]
"""Namespace and name of an object."""
_SEGMENT = re.compile(r"[A-Za-z0-9._:-]{1,253}")


def segment(text: str, what: str) -> str:
    """The text, if it is one segment of a URL's path that needs no quoting. Raises BadName otherwise."""
    if text in (".", "..") or not _SEGMENT.fullmatch(text):
        raise BadName(what, text)
    return text


def deleting(body: Mapping[str, Any]) -> bool:
    """Whether an object is being deleted. A finalizer may keep it for long; nothing new starts because of it."""
    return "deletionTimestamp" in body["metadata"]


@dataclass(frozen=True, slots=True)
class Resource:
    """A resource: the prefix of its group and version, and its plural name. Raises BadName for parts that are not segments of a path."""

    prefix: str
    plural: str
    kind: str
    namespaced: bool = True

    def __post_init__(self) -> None:
        _, *prefix = self.prefix.split("/")
        if len(prefix) > 3:  # apis, group and version
            raise BadName("group and version", self.prefix)
        for part in (*prefix, self.plural):
            segment(part, "part of an API path")

    @property
    def api_version(self) -> str:
        """As in manifests: `v1`, `apps/v1`."""
        return self.prefix.removeprefix("/apis/").removeprefix("/api/")

    def path(self, namespace: str | None = None, name: str | None = None, subresource: str = "") -> str:
        """URL path of a collection or, with a name, of an object. Raises BadName, so that no name leads out of its namespace."""
        parts = [self.prefix]
        if namespace is not None and self.namespaced:
            parts += ["namespaces", segment(namespace, "namespace")]
        parts.append(self.plural)
        if name is not None:
            parts.append(segment(name, f"name of a {self.kind}"))
        if subresource:
            parts.append(segment(subresource, "subresource"))
        return "/".join(parts)


PODS = Resource("/api/v1", "pods", "Pod")
EVENTS = Resource("/api/v1", "events", "Event")
NAMESPACES = Resource("/api/v1", "namespaces", "Namespace", namespaced=False)
CONFIG_MAPS = Resource("/api/v1", "configmaps", "ConfigMap")
QUOTAS = Resource("/api/v1", "resourcequotas", "ResourceQuota")
SECRETS = Resource("/api/v1", "secrets", "Secret")
SERVICES = Resource("/api/v1", "services", "Service")
LEASES = Resource("/apis/coordination.k8s.io/v1", "leases", "Lease")
REVISIONS = Resource("/apis/apps/v1", "controllerrevisions", "ControllerRevision")
DAGS = Resource(f"/apis/{GROUP}/{VERSION}", "dags", "DAG")
RUNS = Resource(f"/apis/{GROUP}/{VERSION}", "dagruns", "DAGRun")
POOLS = Resource(f"/apis/{GROUP}/{VERSION}", "pools", "Pool")
SELF = Resource("/apis/authentication.k8s.io/v1", "selfsubjectreviews", "SelfSubjectReview", namespaced=False)
TOKEN_REVIEWS = Resource("/apis/authentication.k8s.io/v1", "tokenreviews", "TokenReview", namespaced=False)
ACCESS_REVIEWS = Resource(
    "/apis/authorization.k8s.io/v1", "subjectaccessreviews", "SubjectAccessReview", namespaced=False
)
SELF_ACCESS_REVIEWS = Resource(
    "/apis/authorization.k8s.io/v1", "selfsubjectaccessreviews", "SelfSubjectAccessReview", namespaced=False
)
TRIGGERS = Resource(f"/apis/{GROUP}/{VERSION}", "triggers", "Trigger")
BACKFILLS = Resource(f"/apis/{GROUP}/{VERSION}", "backfills", "Backfill")
APPROVALS = Resource(f"/apis/{GROUP}/{VERSION}", "approvals", "Approval")
CLUSTER_POOLS = Resource(f"/apis/{GROUP}/{VERSION}", "clusterpools", "ClusterPool", namespaced=False)
TASK_TEMPLATES = Resource(f"/apis/{GROUP}/{VERSION}", "tasktemplates", "TaskTemplate")
CLUSTER_TASK_TEMPLATES = Resource(
    f"/apis/{GROUP}/{VERSION}", "clustertasktemplates", "ClusterTaskTemplate", namespaced=False
)
DAG_TEMPLATES = Resource(f"/apis/{GROUP}/{VERSION}", "dagtemplates", "DAGTemplate")
CLUSTER_DAG_TEMPLATES = Resource(
    f"/apis/{GROUP}/{VERSION}", "clusterdagtemplates", "ClusterDAGTemplate", namespaced=False
)
TEMPLATES = {
    resource.kind: resource
    for resource in (TASK_TEMPLATES, CLUSTER_TASK_TEMPLATES, DAG_TEMPLATES, CLUSTER_DAG_TEMPLATES)
}
"""Kinds of templates."""
