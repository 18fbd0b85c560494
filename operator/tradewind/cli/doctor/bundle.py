"""The support bundle: the data needed to find out why something does not work, without users' values."""

import io
import json
import tarfile
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from tradewind import __version__
from tradewind.cli.doctor import redact
from tradewind.kube.client import Client
from tradewind.kube.errors import ApiError
from tradewind.kube.resources import (
    APPROVALS,
    BACKFILLS,
    CLUSTER_POOLS,
    DAGS,
    EVENTS,
    PODS,
    POOLS,
    RUNS,
    TEMPLATES,
    TRIGGERS,
    Resource,
)
from tradewind.look.doctor.facts import Facts, Unknown
from tradewind.look.doctor.finding import Finding
from tradewind.look.explained import explained

KINDS = (DAGS, RUNS, TRIGGERS, BACKFILLS, APPROVALS, POOLS, CLUSTER_POOLS, *TEMPLATES.values(), PODS, EVENTS)
OBJECTS = 500
"""Objects per kind, at most."""
LINES = 5_000
"""Lines per log, at most; the last ones are kept."""
LOG_BYTES = 2 * 2**20


class Bundle:
    """A gzipped tar archive under construction."""

    def __init__(self, path: Path) -> None:
        self.path, self._files = path, dict[str, bytes]()
        self.notes: list[str] = []
        """What could not be read, and why."""

    def add(self, name: str, data: Any) -> None:
        """Adds a JSON file or a text."""
        self._files[name] = data.encode() if isinstance(data, str) else json.dumps(data, indent=1, default=str).encode()

    def write(self) -> int:
        """Writes the archive, readable by its owner only; returns the number of its files. Raises OSError."""
        self.add("notes.txt", "\n".join([*self.notes, ""]))
        root = self.path.name.removesuffix(".tar.gz")
        with self.path.open("wb") as file, tarfile.open(fileobj=file, mode="w:gz") as archive:
            self.path.chmod(0o600)
            for name, data in sorted(self._files.items()):
                entry = tarfile.TarInfo(f"{root}/{name}")
                entry.size, entry.mtime = len(data), int(time.time())
                archive.addfile(entry, io.BytesIO(data))
        return len(self._files)


async def fill(
    bundle: Bundle, client: Client, facts: Facts, findings: Sequence[Finding], told: Callable[[str], None]
) -> None:
    """Reads all contents into the bundle. Whatever may not be read becomes a note. Secrets and ConfigMaps are never
    requested."""
    bundle.add("doctor.json", [_shared(finding) for finding in findings])
    bundle.add("versions.json", {"tradewind": __version__, "server": facts.version})
    for name in ("deployments", "pods", "leases", "webhooks"):
        found: Any = getattr(facts, name)
        if isinstance(found, Unknown):
            bundle.notes.append(f"installation/{name}: {found.why}")
        else:
            bundle.add(f"installation/{name}.json", redact.body(list(found)))
    for resource in KINDS:
        told(resource.plural)
        await _note_failure(
            bundle, f"objects/{resource.plural}", _add_objects(bundle, client, resource, facts.namespace or None)
        )
    for pod in () if isinstance(facts.pods, Unknown) else facts.pods:
        told(f"the log of {pod['metadata']['name']}")
        for container in pod["spec"]["containers"]:
            await _note_failure(
                bundle, f"logs/{pod['metadata']['name']}", _add_log(bundle, client, pod, container["name"])
            )


def _shared(finding: Finding) -> dict[str, Any]:
    """A finding without its quotations from runs and other objects."""
    words = {
        "what": redact.HIDDEN if finding.check in ("runs", "objects") else redact.text(finding.what),
        "do": redact.text(finding.do),
    }
    return finding.data() | words


async def _note_failure(bundle: Bundle, name: str, work: Any) -> None:
    try:
        await work
    except ApiError as error:
        bundle.notes.append(f"{name}: {redact.text(explained(error))}")


async def _add_objects(bundle: Bundle, client: Client, resource: Resource, namespace: str | None) -> None:
    query = {"labelSelector": "tradewind.dev/run-uid"} if resource is PODS else {}
    found = await client.list(resource, namespace, limit=str(OBJECTS), **query)
    if found["metadata"].get("continue"):
        bundle.notes.append(f"objects/{resource.plural}: only the first {OBJECTS}")
    kind = {"apiVersion": resource.api_version, "kind": resource.kind}
    bundle.add(f"objects/{resource.plural}.json", [redact.body(item | kind) for item in found["items"]])


async def _add_log(bundle: Bundle, client: Client, pod: Mapping[str, Any], container: str) -> None:
    meta, lines = pod["metadata"], list[str]()
    async for line in client.logs(
        meta["namespace"], meta["name"], container=container, tailLines=str(LINES), limitBytes=str(LOG_BYTES)
    ):
        lines.append(redact.text(line.decode(errors="replace").rstrip("\n")))
    bundle.add(f"logs/{meta['namespace']}/{meta['name']}/{container}.log", "\n".join([*lines, ""]))
