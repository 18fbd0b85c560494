"""Objects as YAML, for people."""

from collections.abc import Mapping
from typing import Any

import yaml

MOST = 256 * 1024
"""Characters that are shown."""
_DUMPER: Any = getattr(yaml, "CSafeDumper", yaml.SafeDumper)


def as_yaml(body: Mapping[str, Any]) -> str:
    """An object as YAML, without managedFields and packed attempts."""
    meta = {name: value for name, value in (body.get("metadata") or {}).items() if name != "managedFields"}
    found = {**body, "metadata": meta} if "metadata" in body else dict(body)
    if isinstance(status := found.get("status"), Mapping) and status.get("archive"):
        found["status"] = {**status, "archive": f"({len(str(status['archive']))} characters)"}
    text: str = yaml.dump(found, Dumper=_DUMPER, sort_keys=False, allow_unicode=True, width=120)
    return text if len(text) <= MOST else f"{text[:MOST]}\n# and {len(text) - MOST} more characters"


def managed_by(body: Mapping[str, Any]) -> str:
    """What manages an object besides people: Argo CD, Flux or Helm; empty if nothing does."""
    meta = body.get("metadata") or {}
    notes, labels = meta.get("annotations") or {}, meta.get("labels") or {}
    if "argocd.argoproj.io/tracking-id" in notes or "argocd.argoproj.io/instance" in labels:
        return "Argo CD"
    if any(name.startswith(("kustomize.toolkit.fluxcd.io/", "helm.toolkit.fluxcd.io/")) for name in labels):
        return "Flux"
    return "Helm" if labels.get("app.kubernetes.io/managed-by") == "Helm" else ""
