"""Checks of the installation: CRDs, and Deployments with their pods."""

from collections.abc import Sequence
from typing import Any

from tradewind import GROUP, __version__
from tradewind.look.doctor.facts import NAME, OPERATOR, Body, Facts, Unknown
from tradewind.look.doctor.finding import Found, Level, unknown
from tradewind.look.doctor.leases import judged, outside
from tradewind.look.doctor.operators import operator_of, operators, serving
from tradewind.look.reading import status as status_of
from tradewind.model.shown import counted


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


def operator(facts: Facts) -> Found:
    """The Deployments of the chart and their pods."""
    if isinstance(facts.deployments, Unknown):
        yield unknown(facts.deployments, "its Deployment")
        return
    if not serving(facts):
        yield from _none_serves(facts)
    several = len(operators(facts.deployments)) > 1
    for body in facts.deployments:
        yield _deployment(facts, body, several)
    yield from _restarts(facts)


def _none_serves(facts: Facts) -> Found:
    """Without an operator that has a Deployment, one outside may serve the namespace: its arguments are unknown."""
    others = operators(facts.deployments)
    found = [judged(facts, lease) for lease in outside(facts)]
    if any(level is not Level.PROBLEM for level, _, _ in found) or (found and not others):
        for level, what, do in found:
            yield level, f"{what}: an operator outside of a Deployment", do
    elif others:
        place = f" of namespace {facts.home}" if facts.home else ""
        they = "; ".join(f"{each.name}: {each.scope}" for each in others)
        yield (
            Level.PROBLEM,
            f"no operator{place} serves namespace {facts.namespace} (they serve: {they})",
            "add the namespace to the chart's watchNamespaces of one of them (`helm upgrade`), or install another release",
        )
    else:
        install = "helm upgrade --install tradewind charts/tradewind --namespace tradewind --create-namespace"
        yield (
            Level.PROBLEM,
            "no Deployment of the chart is found: no run will begin",
            f"`{install}`; or --operator-namespace",
        )


def _deployment(facts: Facts, body: Body, several: bool) -> tuple[Level, str, str]:
    """Whether the pods of a Deployment are ready. With several operators also which namespaces it serves; one that does
    not serve this namespace has no problems here, only warnings."""
    meta, label = body["metadata"], body["metadata"]["labels"][NAME]
    name, wanted = f"{meta['namespace']}/{meta['name']}", body["spec"].get("replicas", 1)
    ready = status_of(body).get("readyReplicas", 0)
    version = (meta.get("labels") or {}).get("app.kubernetes.io/version", "")
    worst, scope = Level.PROBLEM, ""
    if label == OPERATOR:
        found = operator_of(body)
        scope = f"; it serves {found.scope}" if several else ""
        worst = Level.PROBLEM if found.serves(facts.namespace) else Level.WARNING
    if not wanted:
        look = f"`kubectl -n {meta['namespace']} scale deployment/{meta['name']} --replicas=1`"
        return worst, f"{name} is scaled to 0 replicas, so it does nothing{scope}", look
    if ready < wanted:
        level = Level.WARNING if ready else worst
        look = f"`kubectl -n {meta['namespace']} describe pods -l {NAME}={label}`"
        return level, f"{name}: {ready} of {counted(wanted, 'pod')} ready{_why(facts, body)}{scope}", look
    if version and version != __version__:
        words = f"{name} is of version {version}, this command of {__version__}{scope}"
        return Level.WARNING, words, "use the same version of both: what one writes the other may not know"
    words = f"{name}: {ready} of {counted(wanted, 'pod')} ready, version {version or 'not told'}{scope}"
    return Level.OK, words, ""


def _pods(facts: Facts) -> Sequence[Body]:
    return () if isinstance(facts.pods, Unknown) else facts.pods


def _why(facts: Facts, deployment: Body) -> str:
    """Why the first of its pods that is not ready is not."""
    meta = deployment["metadata"]
    wanted = (deployment["spec"].get("selector") or {}).get("matchLabels") or {NAME: meta["labels"][NAME]}
    for pod in _pods(facts):
        labels = pod["metadata"].get("labels") or {}
        if pod["metadata"]["namespace"] != meta["namespace"] or not wanted.items() <= labels.items():
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
