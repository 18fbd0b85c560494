"""Objects named on the command line: `RUN`, `dag/NAME`, `trigger/NAME`."""

from collections.abc import Sequence

import click

from tradewind.kube.resources import (
    APPROVALS,
    BACKFILLS,
    CLUSTER_POOLS,
    DAGS,
    POOLS,
    RUNS,
    TEMPLATES,
    TRIGGERS,
    Resource,
)
from tradewind.plan.nearest import nearest

KINDS: dict[str, Resource] = {
    "run": RUNS,
    "dagrun": RUNS,
    "dag": DAGS,
    "trigger": TRIGGERS,
    "backfill": BACKFILLS,
    "approval": APPROVALS,
    "pool": POOLS,
    "clusterpool": CLUSTER_POOLS,
    **{kind.lower(): resource for kind, resource in TEMPLATES.items()},
}


def target(text: str) -> tuple[Resource, str]:
    """Kind and name. A name alone is a run's. Raises UsageError."""
    kind, slash, name = text.rpartition("/")
    if not slash:
        return RUNS, name
    found = KINDS.get(kind.lower().removesuffix("s")) or KINDS.get(kind.lower())
    if found is None:
        guess = nearest(kind, KINDS)
        words = f"; did you mean {guess}/{name}?" if guess else f"; write a run's name, or {', '.join(KINDS)}/NAME"
        raise click.UsageError(f"{text}: there is no kind {kind!r}{words}")
    return found, name


def targets(texts: Sequence[str]) -> list[tuple[Resource, str]]:
    """Several, written `dag/a dag/b` or, as kubectl has it, `dag a b`."""
    if len(texts) > 1 and texts[0].lower().removesuffix("s") in KINDS and not any("/" in text for text in texts):
        return [target(f"{texts[0]}/{name}") for name in texts[1:]]
    return [target(text) for text in texts]


def called(resource: Resource, name: str) -> str:
    """As messages have it: `dag/NAME`."""
    return f"{resource.kind.lower()}/{name}"
