"""The served kinds: built-in ones, and those added by CRDs."""

import re
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Kind:
    """A resource of the API."""

    group: str
    version: str
    plural: str
    kind: str
    namespaced: bool = True
    status: bool = False
    short_names: tuple[str, ...] = ()
    categories: tuple[str, ...] = ()
    schema: dict[str, Any] | None = None
    """Structural schema of a custom resource; None for built-in kinds."""
    columns: tuple[dict[str, Any], ...] = ()
    selectable: tuple[str, ...] = ()
    """Paths that field selectors may name, besides metadata.name and metadata.namespace."""

    @property
    def key(self) -> str:
        """Identifies the resource across versions."""
        return f"{self.group}/{self.plural}"

    @property
    def api_version(self) -> str:
        """`apiVersion` of its objects."""
        return f"{self.group}/{self.version}" if self.group else self.version

    @property
    def prefix(self) -> str:
        """URL prefix of its group and version."""
        return f"/apis/{self.group}/{self.version}" if self.group else f"/api/{self.version}"


BUILT_IN = (
    Kind("", "v1", "namespaces", "Namespace", namespaced=False, status=True, short_names=("ns",), selectable=("status.phase",)),
    Kind("", "v1", "nodes", "Node", namespaced=False, status=True, short_names=("no",)),
    Kind(
        "", "v1", "pods", "Pod", status=True, short_names=("po",), categories=("all",),
        selectable=("spec.nodeName", "status.phase", "spec.restartPolicy", "spec.serviceAccountName"),
    ),
    Kind(
        "", "v1", "events", "Event", short_names=("ev",),
        selectable=(
            "involvedObject.name", "involvedObject.namespace", "involvedObject.kind", "involvedObject.uid",
            "involvedObject.apiVersion", "involvedObject.resourceVersion", "involvedObject.fieldPath", "reason", "type",
        ),
    ),
    Kind("", "v1", "configmaps", "ConfigMap", short_names=("cm",)),
    Kind("", "v1", "secrets", "Secret", selectable=("type",)),
    Kind("", "v1", "services", "Service", status=True, short_names=("svc",), categories=("all",)),
    Kind("", "v1", "serviceaccounts", "ServiceAccount", short_names=("sa",)),
    Kind("", "v1", "persistentvolumeclaims", "PersistentVolumeClaim", status=True, short_names=("pvc",)),
    Kind("", "v1", "resourcequotas", "ResourceQuota", status=True, short_names=("quota",)),
    Kind("apps", "v1", "controllerrevisions", "ControllerRevision"),
    Kind("apps", "v1", "deployments", "Deployment", status=True, short_names=("deploy",), categories=("all",)),
    Kind("coordination.k8s.io", "v1", "leases", "Lease"),
    Kind("rbac.authorization.k8s.io", "v1", "roles", "Role"),
    Kind("rbac.authorization.k8s.io", "v1", "rolebindings", "RoleBinding"),
    Kind("rbac.authorization.k8s.io", "v1", "clusterroles", "ClusterRole", namespaced=False),
    Kind("rbac.authorization.k8s.io", "v1", "clusterrolebindings", "ClusterRoleBinding", namespaced=False),
    Kind(
        "apiextensions.k8s.io", "v1", "customresourcedefinitions", "CustomResourceDefinition", namespaced=False, status=True,
        short_names=("crd", "crds"),
    ),
)  # fmt: skip


def custom(crd: dict[str, Any]) -> list[Kind]:
    """The kinds added by a CustomResourceDefinition, one per served version."""
    spec = crd["spec"]
    names = spec["names"]
    return [
        Kind(
            group=spec["group"],
            version=version["name"],
            plural=names["plural"],
            kind=names["kind"],
            namespaced=spec["scope"] == "Namespaced",
            status="status" in version.get("subresources", {}),
            short_names=tuple(names.get("shortNames", ())),
            categories=tuple(names.get("categories", ())),
            schema=version.get("schema", {}).get("openAPIV3Schema", {}),
            columns=tuple(version.get("additionalPrinterColumns", ())),
            selectable=tuple(item["jsonPath"].lstrip(".") for item in version.get("selectableFields", ())),
        )
        for version in spec["versions"]
        if version.get("served", True)
    ]


@dataclass
class Registry:
    """The served kinds, by group, version and plural."""

    kinds: dict[tuple[str, str, str], Kind] = field(default_factory=dict)

    def add(self, kinds: "list[Kind] | tuple[Kind, ...]") -> None:
        """Adds kinds."""
        for kind in kinds:
            self.kinds[kind.group, kind.version, kind.plural] = kind

    def remove(self, key: str) -> None:
        """Stops serving a resource."""
        self.kinds = {place: kind for place, kind in self.kinds.items() if kind.key != key}

    def by_object(self, api_version: str, kind: str) -> Kind | None:
        """The kind of an object."""
        return next(
            (item for item in self.kinds.values() if item.api_version == api_version and item.kind == kind), None
        )


_STEP = re.compile(r"""\['([^']*)'\]|\[\?\(@\.type=="(\w+)"\)\]|((?:\\.|[^.\[\]\\])+)""")


def look_up(body: Any, path: str) -> Any:
    """The value at a path such as `.status.phase`, `.metadata.labels['a.b']`, `.metadata.labels.a\\.b` or
    `.status.conditions[?(@.type=="Valid")].message`; None where there is none."""
    for quoted, kind, plain in _STEP.findall(path):
        if kind and isinstance(body, list):
            body = next((each for each in body if isinstance(each, dict) and each.get("type") == kind), None)
        elif not kind and isinstance(body, dict):
            body = body.get(quoted or plain.replace("\\", ""))
        else:
            return None
    return body
