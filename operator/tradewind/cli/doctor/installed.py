"""Checks of the installation: CRDs, Deployments with their pods, Leases."""

from collections.abc import Sequence
from typing import Any

from tradewind import GROUP, __version__
from tradewind.cli.doctor.facts import NAME, OPERATOR, SKEW, Body, Facts, Unknown
from tradewind.cli.doctor.finding import Found, Level, unknown
from tradewind.cli.reading import status as status_of
from tradewind.model.shown import counted

LATE = 5.0
"""Seconds since the last renewal after which a Lease is watched: its holder renews it every 2 s."""
REMNANT = 3_600.0
"""Seconds after which a Lease without a Deployment counts as a remnant of a former operator."""


def crds(facts: Facts, wanted: Sequence[Body]) -> Found:
    """The installed CRDs compared with those of this version."""
    if isinstance(facts.crds, Unknown):
        yield unknown(facts.crds, "CustomResourceDefinitions")
        return
    there = {body["metadata"]["name"]: body for body in facts.crds}
    names = {body["metadata"]["name"]: body for body in wanted}
    fix = "`helm upgrade` with the chart of this version, or `kubectl apply --server-side -f crds/`"
    if missing := [name.removesuffix(f".{GROUP}") for name in names if name not in there]:
        yield Level.PROBLEM, f"not installed: {', '.join(missing)}", f"{fix} (docs/upgrading.md)"
    for name, body in there.items():
        conditions = {item["type"]: item for item in status_of(body).get("conditions") or ()}
        if conditions and (conditions.get("Established") or {}).get("status") != "True":
            words = (conditions.get("NamesAccepted") or {}).get("message") or "the API server does not serve it yet"
            yield Level.PROBLEM, f"{name} is not established: {words}", f"`kubectl describe crd {name}`"
    other = [
        name.removesuffix(f".{GROUP}")
        for name in names
        if name in there and _schema(names[name]) != _schema(there[name])
    ]
    if other:
        words = f"of another version than this command ({__version__}): {', '.join(other)}"
        yield Level.WARNING, words, f"{fix}; or use the command of the version that is installed"
    if not missing and not other:
        yield Level.OK, f"all {len(names)} are there, of this version", ""


def _schema(crd: Body) -> Any:
    return [
        (version["name"], version["schema"]["openAPIV3Schema"].get("properties")) for version in crd["spec"]["versions"]
    ]


def _of(found: Sequence[Body], name: str) -> list[Body]:
    return [body for body in found if (body["metadata"].get("labels") or {}).get(NAME) == name]


def operator(facts: Facts) -> Found:
    """The Deployments of the chart and their pods."""
    if isinstance(facts.deployments, Unknown):
        yield unknown(facts.deployments, "its Deployment")
        return
    outside = (
        [] if isinstance(facts.leases, Unknown) else [lease for lease in _held(facts.leases) if _recent(facts, lease)]
    )
    if not _of(facts.deployments, OPERATOR) and outside:
        for level, what, do in (_judged(facts, lease) for lease in outside):
            yield level, f"{what}: an operator outside of a Deployment", do
    elif not _of(facts.deployments, OPERATOR):
        install = "helm upgrade --install tradewind charts/tradewind --namespace tradewind --create-namespace"
        yield (
            Level.PROBLEM,
            "no Deployment of the chart is found: no run will begin",
            f"`{install}`; or --operator-namespace",
        )
    for body in facts.deployments:
        meta, status = body["metadata"], status_of(body)
        name, wanted, ready = (
            f"{meta['namespace']}/{meta['name']}",
            body["spec"].get("replicas", 1),
            status.get("readyReplicas", 0),
        )
        version = (meta.get("labels") or {}).get("app.kubernetes.io/version", "")
        look = f"`kubectl -n {meta['namespace']} describe pods -l {NAME}={meta['labels'][NAME]}`"
        if ready < wanted:
            level = Level.WARNING if ready else Level.PROBLEM
            yield level, f"{name}: {ready} of {counted(wanted, 'pod')} ready{_why(facts, body)}", look
        elif version and version != __version__:
            words = f"{name} is of version {version}, this command of {__version__}"
            yield Level.WARNING, words, "use the same version of both: what one writes the other may not know"
        else:
            yield Level.OK, f"{name}: {ready} of {counted(wanted, 'pod')} ready, version {version or 'not told'}", ""
    yield from _restarts(facts)


def _held(leases: Sequence[Body]) -> list[Body]:
    return [lease for lease in leases if (lease.get("spec") or {}).get("holderIdentity")]


def _recent(facts: Facts, lease: Body) -> bool:
    """Whether a holder without a known Deployment renewed its Lease a short time ago; otherwise the Lease is a remnant."""
    return bool(lease["spec"].get("renewTime")) and facts.age_of(lease) <= REMNANT


def _judged(facts: Facts, lease: Body) -> tuple[Level, str, str]:
    """Whether the holder of a Lease is alive."""
    spec, name = lease["spec"], f"{lease['metadata']['namespace']}/{lease['metadata']['name']}"
    holder, age = spec["holderIdentity"], facts.age_of(lease)
    if age < -SKEW:
        words = f"Lease {name} was renewed {-age:.0f} s in the future"
        return Level.WARNING, words, f"set the clock of the node of {holder} by NTP"
    if name in facts.renewing or age <= LATE:
        return Level.OK, f"{holder} holds {name}, renewed {max(0.0, age):.0f} s ago", ""
    dead = age > spec.get("leaseDurationSeconds", 15)
    words = f"Lease {name} is {holder}'s, who has not renewed it for {age:.0f} s"
    words += "" if dead else ", though it does so every 2 s: it hangs, or is gone"
    fix = 'is it alive, does its node\'s clock go right? See its log for "lease"'
    return Level.PROBLEM if dead else Level.WARNING, words, fix


def _pods(facts: Facts) -> Sequence[Body]:
    return () if isinstance(facts.pods, Unknown) else facts.pods


def _why(facts: Facts, deployment: Body) -> str:
    """Why the first pod that is not ready is not."""
    label = deployment["metadata"]["labels"][NAME]
    for pod in _of(_pods(facts), label):
        if pod["metadata"]["namespace"] != deployment["metadata"]["namespace"]:
            continue
        for container in status_of(pod).get("containerStatuses") or ():
            if waiting := (container.get("state") or {}).get("waiting"):
                return f": {waiting.get('reason')}"
        for condition in status_of(pod).get("conditions") or ():
            if condition.get("status") == "False" and condition.get("message"):
                return f": {condition['message']}"
    return ""


def _restarts(facts: Facts) -> Found:
    for pod in _pods(facts):
        for container in status_of(pod).get("containerStatuses") or ():
            count = container.get("restartCount", 0)
            if count >= 3:
                last = ((container.get("lastState") or {}).get("terminated") or {}).get("reason") or "unknown"
                name = pod["metadata"]["name"]
                words = f"pod {name} was restarted {count} times, the last time because of {last}"
                fix = "raise resources.limits.memory" if last == "OOMKilled" else "read why"
                log = f"`kubectl -n {pod['metadata']['namespace']} logs {name} --previous`"
                yield Level.WARNING, words, f"{fix}: {log}"


def leader(facts: Facts) -> Found:
    """Who leads, and whether the leader is alive."""
    if isinstance(facts.leases, Unknown):
        yield unknown(facts.leases, "its Leases")
        return
    if isinstance(facts.deployments, Unknown) or not _of(facts.deployments, OPERATOR):
        return
    held = _held(facts.leases)
    if not held:
        yield (
            Level.PROBLEM,
            "no operator holds the Lease, so nothing runs",
            'look at the operator\'s log for "lease"',
        )
    yield from (_judged(facts, lease) for lease in held)
