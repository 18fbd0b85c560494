"""Checks objects: which ones the operator finds invalid, and why."""

from collections import Counter

from tradewind.look.doctor.facts import Body, Facts, Unknown
from tradewind.look.doctor.finding import Found, Level, unknown
from tradewind.look.reading import status as status_of
from tradewind.look.reading import validity
from tradewind.model.shown import brief, counted

SHOWN = 3
"""Objects that are named."""
LONGEST = 200
"""Characters of a message."""


def invalid(facts: Facts) -> Found:
    """A finding about all objects that are invalid."""
    if isinstance(facts.invalid, Unknown):
        yield unknown(facts.invalid, "which ones are invalid")
        return
    if not facts.invalid:
        yield Level.OK, "no DAG, trigger, backfill or template is invalid", ""
        return
    kinds = Counter(str(body["kind"]) for body in facts.invalid)
    counts = ", ".join(counted(count, kind) for kind, count in kinds.items())
    named = "; ".join(f"{_name(body)}: {brief(_why(body), LONGEST)}" for body in facts.invalid[:SHOWN])
    more = f"; and {len(facts.invalid) - SHOWN} more" if len(facts.invalid) > SHOWN else ""
    yield (
        Level.WARNING,
        f"{counts} invalid: {named}{more}",
        "`tradewind lint` shows the mistakes of a manifest with their lines",
    )


def _name(body: Body) -> str:
    where = body["metadata"].get("namespace")
    return f"{body['kind'].lower()}/{body['metadata']['name']}{f' in {where}' if where else ''}"


def _why(body: Body) -> str:
    return str(validity(body) or status_of(body).get("message") or "no reason is given").partition("\n")[0]
