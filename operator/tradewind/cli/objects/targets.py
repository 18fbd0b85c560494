"""Objects named on the command line: `RUN`, `dag/NAME`, `trigger/NAME`."""

import re
from collections.abc import Sequence

import click

from tradewind import GROUP, VERSION
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
from tradewind.model.backfill import Backfill
from tradewind.model.base import DNS_SUBDOMAIN, NAMED
from tradewind.model.run import DAGRun
from tradewind.plan.documents.nearest import nearest

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
SHORT = {"dr": "dagrun", "bf": "backfill"}
"""Short names, as in the CRDs."""


def kind_of(text: str) -> Resource | None:
    """The kind, in the singular, the plural, the short form or with its group, as kubectl accepts it; None if there is
    no such kind."""
    word = text.lower().removesuffix(f".{GROUP}").removesuffix(f".{VERSION}")
    return KINDS.get(SHORT.get(word, word)) or KINDS.get(word.removesuffix("s"))


def target(text: str) -> tuple[Resource, str]:
    """Kind and name. A name alone is a run's. Raises UsageError."""
    kind, slash, name = text.rpartition("/")
    if not slash:
        return RUNS, name
    found = kind_of(kind)
    if found is None:
        guess = nearest(kind, KINDS)
        words = f"; did you mean {guess}/{name}?" if guess else f"; write a run's name, or {', '.join(KINDS)}/NAME"
        raise click.UsageError(f"{text}: there is no kind {kind!r}{words}")
    return found, name


def targets(texts: Sequence[str]) -> list[tuple[Resource, str]]:
    """Several targets, as `dag/a dag/b` or, like kubectl, `dag a b`."""
    if len(texts) > 1 and kind_of(texts[0]) and not any("/" in text for text in texts):
        return [target(f"{texts[0]}/{name}") for name in texts[1:]]
    return [target(text) for text in texts]


def called(resource: Resource, name: str) -> str:
    """An object in messages: `dag/NAME`."""
    return f"{resource.kind.lower()}/{name}"


class Named(click.ParamType[str]):
    """The name of an object of one kind, with or without the kind: `etl` or `dag/etl`."""

    def __init__(self, resource: Resource, what: str, also: tuple[Resource, ...] = ()) -> None:
        self.name, self._resource, self._what, self._also = what, resource, what, also

    def convert(self, value: str, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """The name. Fails for an object of another kind and for a file."""
        if value.endswith((".yaml", ".yml", ".json")):
            takes = ctx is not None and any("--file" in option.opts for option in ctx.command.params)
            instead = f"write -f {value}" if takes else f"a {self._what} is wanted here"
            self.fail(f"{value} is a file: {instead}", param, ctx)
        if "/" not in value:
            return value
        resource, name = target(value)
        if resource in self._also:
            return called(resource, name)
        if resource is not self._resource:
            runs = f": see `tradewind get runs --dag {name}`" if (self._resource, resource) == (RUNS, DAGS) else ""
            self.fail(f"{value} is a {resource.kind}, and a {self._what} is wanted here{runs}", param, ctx)
        return name


class NewName(click.ParamType[str]):
    """The name for a new object; empty for a generated one."""

    name = "NAME"

    def __init__(self, kind: type[DAGRun | Backfill]) -> None:
        self._kind = kind

    def convert(self, value: str, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """The name. Fails for a name that no object of the kind can have."""
        if value and not re.fullmatch(DNS_SUBDOMAIN, value):
            self.fail(f"{value!r} is not the name of a {self._kind.kind}: {NAMED[DNS_SUBDOMAIN]}", param, ctx)
        if len(value) > (most := self._kind.name_limit):
            self.fail(f"{len(value)} characters; the name of a {self._kind.kind} has at most {most}", param, ctx)
        return value


RUN, DAG = Named(RUNS, "run"), Named(DAGS, "DAG")
RUN_OR_DAG = Named(RUNS, "run", also=(DAGS,))
"""A run, or `dag/NAME` for runs of it."""
FOLLOWED = Named(RUNS, "run", also=(BACKFILLS,))
"""A run, or `backfill/NAME`."""
