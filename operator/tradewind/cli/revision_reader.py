"""The revisions of a DAG, as the command line reads them."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import click
import msgspec

from tradewind.control.dagrun.run import Run
from tradewind.control.dags.revisions import CAUSE, REVISION_PAGE, lasting, written
from tradewind.kube.client import Client, Object
from tradewind.kube.errors import Forbidden, NotFound
from tradewind.kube.labels import DAG
from tradewind.kube.pages import walk
from tradewind.kube.resources import DAGS, REVISIONS
from tradewind.look.reading import status as status_of

SHOWN = 20
"""Names or numbers in a message."""
WHOLE: msgspec.json.Decoder[Object] = msgspec.json.Decoder(Object)


@dataclass(frozen=True, slots=True)
class Recorded:
    """A revision."""

    name: str
    number: int
    created: str
    cause: str
    spec: Any
    """The spec as its author wrote it."""
    rendered: Any
    """The spec as runs use it."""


@dataclass(frozen=True, slots=True)
class RevisionEntry:
    """A DAG (None if it was deleted) and its revisions, oldest first."""

    name: str
    dag: Object | None
    revisions: Sequence[Recorded]

    @property
    def spec(self) -> Any:
        """The DAG's current spec, in the form of a revision."""
        return lasting((self.dag or {}).get("spec"))

    @property
    def current(self) -> Recorded | None:
        """The revision of the DAG's current spec. None if no operator has recorded it: it is invalid, or too new."""
        same = [item for item in self.revisions if self.dag and lasting(item.spec) == self.spec]
        told = status_of(self.dag).get("revision")
        return next((item for item in same if item.number == told), same[-1] if same else None)

    @property
    def before(self) -> Recorded | None:
        """The revision before the current one."""
        current = self.current
        older = [item for item in self.revisions if current is None or item.number < current.number]
        return older[-1] if older else None

    def numbered(self, number: int) -> Recorded:
        """The revision of a number. Raises ClickException that lists the existing ones."""
        for item in self.revisions:
            if item.number == number:
                return item
        raise click.ClickException(f"dag/{self.name} has no revision {number}; {self.summary()}")

    def nothing_before(self, way: str) -> str:
        """Why there is no revision before the current one; `way` is the command that takes a number instead."""
        words = f"dag/{self.name} has no revision before the current one"
        if (current := self.current) is None or not (later := [item for item in self.revisions if item is not current]):
            return f"{words}; {self.summary()}"
        return f"{words}, {current.number}; {self.summary()}: `tradewind {way} {later[-1].number}` takes one of them"

    def summary(self) -> str:
        """The existing revisions, in words."""
        if not self.revisions:
            return "it has none: the operator records every valid spec (is it running?)"
        numbers = [str(item.number) for item in self.revisions[-SHOWN:]]
        more = f"the latest {SHOWN} are" if len(self.revisions) > SHOWN else "it has"
        return f"{more} {', '.join(numbers)}"


async def past(client: Client, namespace: str, name: str) -> RevisionEntry:
    """A DAG's revisions. Raises ClickException if there is neither a DAG nor a revision of that name."""
    found = [
        _recorded(body)
        async for body in walk(client, REVISIONS, namespace, WHOLE, REVISION_PAGE, labelSelector=f"{DAG}={name}")
    ]
    found.sort(key=lambda item: item.number)
    try:
        dag = await client.get(DAGS, namespace, name)
    except NotFound as error:
        if error.unknown_kind:
            raise
        dag = None
    if dag is None and not found:
        raise click.ClickException(
            f"there is no DAG {name!r} in namespace {namespace}; {await _others(client, namespace)}"
        )
    return RevisionEntry(name, dag, found)


async def living(client: Client, namespace: str, name: str) -> RevisionEntry:
    """As `past`, for a DAG that still exists."""
    found = await past(client, namespace, name)
    if found.dag is None:
        words = f"DAG {name!r} was deleted; revisions of it remain ({found.summary()})"
        raise click.ClickException(f"{words}: `tradewind revisions {name} -o json` has their specs, to apply one again")
    return found


async def keeps(client: Client, namespace: str, run: Run) -> str:
    """A note that a run keeps its revision although its DAG has another by now; empty if it has not, or if the user may
    not read it."""
    try:
        dag = await client.get(DAGS, namespace, run.dag)
    except (NotFound, Forbidden):
        return ""
    kept, now = run.status.get("revisionNumber"), status_of(dag).get("revision")
    if not kept or not now or kept == now:
        return ""
    return f"it keeps revision {kept}; the DAG is now at revision {now}: `tradewind rerun {run.name}` uses it"


async def _others(client: Client, namespace: str) -> str:
    names = [item["metadata"]["name"] for item in (await client.list(DAGS, namespace, limit=str(SHOWN)))["items"]]
    return f"there are {', '.join(names)}" if names else "there are none (another namespace? -n)"


def _recorded(body: Object) -> Recorded:
    meta = body["metadata"]
    return Recorded(
        name=meta["name"],
        number=int(body.get("revision") or 0),
        created=meta["creationTimestamp"],
        cause=(meta.get("annotations") or {}).get(CAUSE, ""),
        spec=written(body),
        rendered=(body.get("data") or {}).get("spec"),
    )
