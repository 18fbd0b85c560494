"""Checks of the operators' Leases: who leads, and whether the leader is alive."""

from collections.abc import Sequence

from tradewind.look.doctor.facts import SKEW, Body, Facts, Unknown
from tradewind.look.doctor.finding import Found, Level, unknown
from tradewind.look.doctor.operators import Operator, operators, serving

LATE = 5.0
"""Seconds since the last renewal after which a Lease is watched: its holder renews it every 2 s."""
REMNANT = 3_600.0
"""Seconds after which a Lease without a Deployment counts as a remnant of a former operator."""
OURS = "tradewind"
"""Part of the name of every Lease of an operator, by default."""


def leader(facts: Facts) -> Found:
    """Who leads the operators that serve the namespace, and whether the leader is alive."""
    if isinstance(facts.leases, Unknown):
        yield unknown(facts.leases, "its Leases")
        return
    held = _held(facts.leases)
    yield from _several(facts)
    for operator in serving(facts):
        alive = []
        for name in operator.leases:
            level, what, do = (
                judged(facts, held[name])
                if name in held
                else (
                    Level.PROBLEM,
                    f"no operator holds the Lease {name} of {operator.name}, so nothing runs",
                    'look at the operator\'s log for "lease"',
                )
            )
            if level is Level.OK and operator.shards > 1:
                alive.append(name)
            else:
                yield level, what, do
        if alive:
            holders = ", ".join(sorted({held[name]["spec"]["holderIdentity"] for name in alive}))
            words = f"{len(alive)} of {operator.shards} shards of {operator.name} are held, by {holders}"
            yield Level.OK, words, ""


def _several(facts: Facts) -> Found:
    """Operators that work on the runs of the same namespace, each of which knows nothing of the others."""
    found = serving(facts)
    one = "let one of them serve it (watchNamespaces, `helm uninstall`)"
    if facts.namespace and len(found) > 1:
        names = ", ".join(operator.name for operator in found)
        yield Level.PROBLEM, f"{len(found)} operators serve namespace {facts.namespace}: {names}", one
    for lease in outside(facts) if found else ():
        if _alive(facts, lease):
            holder = lease["spec"]["holderIdentity"]
            words = f"{holder} holds {_name(lease)}, an operator outside of a Deployment"
            yield Level.WARNING, f"{words}: it may work on the same runs as {found[0].name}", f"stop it, or {one}"


def outside(facts: Facts) -> list[Body]:
    """Leases of operators without a known Deployment that were renewed a short time ago; others are remnants."""
    if isinstance(facts.leases, Unknown):
        return []
    known = [f"{operator.lease_namespace}/{operator.lease_name}" for operator in operators(facts.deployments)]
    return [
        lease
        for name, lease in _held(facts.leases).items()
        if OURS in lease["metadata"]["name"]
        and not any(name == other or name.startswith(f"{other}-") for other in known)
        and lease["spec"].get("renewTime")
        and facts.age_of(lease) <= REMNANT
    ]


def idle(facts: Facts, namespace: str) -> str:
    """Why no operator works on a namespace; empty if one does, or if that is unknown."""
    if isinstance(facts.leases, Unknown) or isinstance(facts.deployments, Unknown):
        return ""
    if any(_alive(facts, lease) for lease in outside(facts)):
        return ""
    held = _held(facts.leases)
    found: list[Operator] = [each for each in operators(facts.deployments) if each.serves(namespace)]
    leases = [each.lease_for(namespace) for each in found]
    if any(name in held and _alive(facts, held[name]) for name in leases):
        return ""
    if not leases:
        return "" if facts.home else f"no operator serves namespace {namespace}"
    return f"no operator holds the Lease {', '.join(leases)}"


def judged(facts: Facts, lease: Body) -> tuple[Level, str, str]:
    """Whether the holder of a Lease is alive."""
    spec, name = lease["spec"], _name(lease)
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


def _alive(facts: Facts, lease: Body) -> bool:
    return judged(facts, lease)[0] is not Level.PROBLEM


def _held(leases: Sequence[Body]) -> dict[str, Body]:
    """The Leases that have a holder, by `namespace/name`."""
    return {_name(lease): lease for lease in leases if (lease.get("spec") or {}).get("holderIdentity")}


def _name(lease: Body) -> str:
    return f"{lease['metadata']['namespace']}/{lease['metadata']['name']}"
