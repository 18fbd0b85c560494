"""Turns facts into findings. Nothing here sends requests."""

from collections.abc import Callable, Mapping, Sequence

from tradewind.look.doctor import installed, leases, objects
from tradewind.look.doctor.facts import SKEW, Body, Facts, Right, Unknown
from tradewind.look.doctor.finding import Finding, Found, Level, unknown
from tradewind.look.doctor.held import held_up
from tradewind.look.doctor.webhook import webhook
from tradewind.look.reading import StatusUnreadable, reading

SHOWN = 5
"""Rights that are named."""
OLDEST = (1, 30)
"""The oldest supported Kubernetes, as in the chart's kubeVersion."""


def findings(facts: Facts, crds: Sequence[Body]) -> list[Finding]:
    """All findings. `crds` are the CustomResourceDefinitions of this version."""
    checks: dict[str, Callable[[], Found]] = {
        "kubernetes": lambda: _kubernetes(facts),
        "clock": lambda: _clock(facts),
        "crds": lambda: installed.crds(facts, crds),
        "operator": lambda: installed.operator(facts),
        "leader": lambda: leases.leader(facts),
        "operator's rights": lambda: _operators_rights(facts),
        "webhook": lambda: webhook(facts),
        "your rights": lambda: _my_rights(facts),
        "objects": lambda: objects.invalid(facts),
        "runs": lambda: held_up(facts),
    }
    return [Finding(name, level, what, do) for name, check in checks.items() for level, what, do in _whole(check)]


def _whole(check: Callable[[], Found]) -> list[tuple[Level, str, str]]:
    """The findings of a check; if a fact is unreadable, a finding that says so."""
    try:
        with reading("what it looks at"):
            return list(check())
    except StatusUnreadable as error:
        return [(Level.UNKNOWN, str(error), "")]


def _kubernetes(facts: Facts) -> Found:
    if isinstance(facts.version, Unknown):
        yield unknown(facts.version, "its version")
        return
    words = str(facts.version.get("gitVersion") or "of no known version")
    try:
        version = (int(str(facts.version["major"])), int(str(facts.version["minor"]).rstrip("+")))
    except (KeyError, ValueError):
        yield Level.UNKNOWN, f"the server is {words}", ""
        return
    if version < OLDEST:
        yield Level.PROBLEM, f"the server is {words}", f"use {'.'.join(map(str, OLDEST))} or newer"
    else:
        yield Level.OK, f"the server is {words}", ""


def _clock(facts: Facts) -> Found:
    if isinstance(facts.server_time, Unknown):
        yield unknown(facts.server_time, "the server's clock")
        return
    # The server's time is in whole seconds.
    skew = facts.now - facts.server_time - 0.5
    if abs(skew) > SKEW:
        where = "ahead of" if skew > 0 else "behind"
        words = f"this machine's clock is {abs(skew):.0f} s {where} the API server's"
        yield Level.WARNING, words, "set it by NTP: ages and durations that are shown here are wrong by as much"
    else:
        yield Level.OK, f"this machine and the API server agree within {SKEW:.0f} s", ""


def _lacking(rights: Mapping[Right, bool]) -> str:
    found = [str(right) for right, allowed in rights.items() if not allowed]
    return ", ".join(found[:SHOWN]) + (f" and {len(found) - SHOWN} more" if len(found) > SHOWN else "")


def _operators_rights(facts: Facts) -> Found:
    where = f"in namespace {facts.namespace}" if facts.namespace else "in the namespaces that it serves"
    if isinstance(facts.operators, Unknown):
        yield unknown(facts.operators, f"what its account may do {where}")
        return
    for name, rights in facts.operators.items():
        if lacking := _lacking(rights):
            words = f"{name} may not, {where}: {lacking}"
            yield (
                Level.PROBLEM,
                words,
                "`helm upgrade` with the chart's values, watchNamespaces too, restores its roles",
            )
        else:
            yield Level.OK, f"{name} has those that every run needs {where}", ""


def _my_rights(facts: Facts) -> Found:
    where = f"in namespace {facts.namespace}" if facts.namespace else "in all namespaces"
    if isinstance(facts.mine, Unknown):
        yield unknown(facts.mine, f"what you may do {where}")
    elif lacking := _lacking(facts.mine):
        yield (
            Level.WARNING,
            f"you may not, {where}: {lacking}",
            "ask for the cluster role `edit`, which the chart adds Tradewind's kinds to",
        )
    else:
        yield Level.OK, f"you may write DAGs, run them and read their logs {where}", ""
