"""Checks, before a run begins, for values that no pod and no request can have: quantities, names of variables, headers,
addresses."""

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any
from urllib.parse import urlsplit

from tradewind.model.labels import reserved
from tradewind.model.task import Resources, Task
from tradewind.plan.documents.nearest import did_you_mean, nearest
from tradewind.plan.documents.problem import Problem

_QUANTITY = re.compile(r"\+?([0-9]{1,30}(\.[0-9]{0,30})?|\.[0-9]{1,30})([eE][-+]?[0-9]{1,3}|[numkMGTPE]|[KMGTPE]i)?")
"""Non-negative quantities that Kubernetes accepts."""
_MEANT = re.compile(r"\+?([0-9.]+) ?([kmgtpKMGTP])(i?)[bB]?")
_VARIABLE = re.compile(r"[ -<>-~]+")
"""Printable ASCII without `=`: the names of variables that Kubernetes accepts."""
_BREAK = re.compile(r"[\r\n\0]")
RESOURCES = ("cpu", "memory", "ephemeral-storage")
MOST_SECONDS = 2**31 - 1
"""The maximum of a pod's activeDeadlineSeconds."""
_MOUNTS, _KEYS = ("subPath", "subPathExpr"), ("configMap", "secret", "downwardAPI")
_WITHIN: Sequence[tuple[Sequence[str], Sequence[str]]] = (
    *(((containers, "volumeMounts"), _MOUNTS) for containers in ("containers", "initContainers")),
    *((("volumes", kind, "items"), ("path",)) for kind in _KEYS),
    *((("volumes", "projected", "sources", kind, "items"), ("path",)) for kind in _KEYS),
)
"""Fields of a pod's spec that are paths within a volume."""
_TIMES = (("activeDeadlineSeconds", 1), ("terminationGracePeriodSeconds", 0))


def problems(path: str, task: Task) -> Iterator[Problem]:
    """Problems of one task."""
    polled = task.sensor.http if task.sensor else None
    for field, request in (("http", task.http), ("sensor.http", polled)):
        if request:
            yield from url_problems(f"{path}.{field}.url", request.url)
            yield from header_problems(f"{path}.{field}.headers", request.headers)
    if task.resources:
        yield from _resources(f"{path}.resources", task.resources)
    for field, names in (("env", task.env), ("envFrom", task.env_from)):
        for name in names:
            if not _VARIABLE.fullmatch(name):
                yield Problem(
                    f"{path}.{field}.{name[:80]}", f"{name[:80]!r} can't be a variable", "use letters, digits and '_'"
                )
    yield from _reserved(f"{path}.podTemplate.metadata", (task.pod_template or {}).get("metadata"))
    spec = (task.pod_template or {}).get("spec")
    for field, least in _TIMES:
        value = spec.get(field) if isinstance(spec, dict) else None
        if isinstance(value, int) and not least <= value <= MOST_SECONDS:
            yield Problem(
                f"{path}.podTemplate.spec.{field}", f"{value} is out of bounds", f"write {least} to {MOST_SECONDS}"
            )
    yield from _places(f"{path}.podTemplate.spec", spec)


def _reserved(path: str, metadata: Any) -> Iterator[Problem]:
    """Labels and annotations reserved for the operator: with them a pod could seem to belong to another run, or to hold
    slots that its task does not claim."""
    for field in ("labels", "annotations"):
        given = metadata.get(field) if isinstance(metadata, Mapping) else None
        for name in given if isinstance(given, Mapping) else ():
            if reserved(str(name)):
                yield Problem(
                    f"{path}.{field}",
                    f"only the operator sets {str(name)[:80]!r}",
                    "remove it; claim slots with `pools`",
                )


def _places(path: str, spec: Any) -> Iterator[Problem]:
    """Paths that lead out of their volume: the API server would refuse the pod when the run reaches the task."""
    for within, fields in _WITHIN:
        for where, item in _found(path, spec, within):
            for field in fields:
                text = item.get(field)
                if isinstance(text, str) and text.startswith("/"):
                    yield Problem(f"{where}.{field}", f"{text[:80]!r} begins with /", "write a path within the volume")
                elif isinstance(text, str) and ".." in text.split("/"):
                    what = f"{text[:80]!r} leads out of the volume"
                    yield Problem(f"{where}.{field}", what, "write a path without ..")


def _found(path: str, value: Any, steps: Sequence[str]) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """The objects at a path, for all entries of the lists in it."""
    if isinstance(value, list):
        for index, item in enumerate(value):
            yield from _found(f"{path}[{index}]", item, steps)
    elif isinstance(value, dict) and steps:
        yield from _found(f"{path}.{steps[0]}", value.get(steps[0]), steps[1:])
    elif isinstance(value, dict):
        yield path, value


def _resources(path: str, resources: Resources) -> Iterator[Problem]:
    for field in ("requests", "limits"):
        for name, quantity in getattr(resources, field).items():
            if "/" not in name and name not in RESOURCES and not name.startswith("hugepages-"):
                instead = (
                    did_you_mean(name, RESOURCES)
                    or "write cpu, memory, ephemeral-storage or one such as nvidia.com/gpu"
                )
                yield Problem(f"{path}.{field}.{name}", "no such resource", instead)
            yield from quantity_problems(f"{path}.{field}.{name}", quantity, name)


def quantity_problems(path: str, quantity: Any, resource: str = "memory") -> Iterator[Problem]:
    """What is wrong with a quantity, as far as it is known before a run begins."""
    text = str(quantity)
    if "$[[" in text or _QUANTITY.fullmatch(text):
        return
    if text.startswith("-"):
        yield Problem(path, f"{text[:80]!r} is negative", "write a quantity such as 1 or 512Mi")
    elif meant := _MEANT.fullmatch(text):
        unit = meant[2].lower() if meant[2] in "kK" and not meant[3] else meant[2].upper()
        two = f"{meant[1]}{unit}i" if meant[3] else f"{meant[1]}{meant[2].upper()}i or {meant[1]}{unit}"
        yield Problem(path, f"{text!r} is not a quantity", f"write {two}")
    else:
        such = "500m or 2" if resource == "cpu" else "512Mi or 2Gi"
        yield Problem(path, f"{text[:80]!r} is not a quantity", f"write one such as {such}")


def header_problems(path: str, given: Mapping[str, str]) -> Iterator[Problem]:
    """Values that would end a header."""
    for name, value in given.items():
        if _BREAK.search(value):
            what = "a line break in a header"
            yield Problem(
                f"{path}.{name[:80]}", what, "write the value on one line; a text after `|` ends with a break"
            )


def url_problems(path: str, url: str) -> Iterator[Problem]:
    """An address to which no request can be sent, as far as it is known before a run begins."""
    known = re.split(r"\$\[\[|\$\(", url, maxsplit=1)[0]
    instead = "write one such as https://example.com/path"
    if re.search(r"[\s\x00-\x1f]", known):
        yield Problem(path, "a blank or line break in an address", "write %20 for a blank")
    elif known != url:
        begins = ("http://", "https://")
        if known and not any(known.startswith(begin) or begin.startswith(known) for begin in begins):
            yield Problem(path, f"{url[:80]!r} is not an address", instead)
    elif what := _malformed(url):
        guess = nearest(url.partition(":")[0], ("http", "https")) if "begin" in what and "://" in url else ""
        yield Problem(
            path, f"{url[:80]!r} is not an address: {what}", f"did you mean {guess}://?" if guess else instead
        )


def _malformed(url: str) -> str:
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        return "its host or port is malformed"
    if parts.scheme not in ("http", "https"):
        return "it doesn't begin with http:// or https://"
    return "" if parts.hostname and port != 0 else "it names no host"
