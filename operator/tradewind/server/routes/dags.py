"""One DAG: its state, revisions, graph, grid, trend and form."""

import asyncio
from collections.abc import Mapping

import msgspec

from tradewind.control.dagrun.run import read_run
from tradewind.control.dags.revisions import REVISION_PAGE, written
from tradewind.control.dags.template_index import rendered
from tradewind.control.triggers.dag_index import invalid
from tradewind.kube.client import Object
from tradewind.kube.errors import ApiError, Forbidden, NotFound
from tradewind.kube.labels import DAG
from tradewind.kube.pages import walk
from tradewind.kube.resources import DAGS, REVISIONS, RUNS, TRIGGERS
from tradewind.kube.struct import Struct
from tradewind.look.reading import StatusUnreadable, of_kind
from tradewind.look.reading import status as status_of
from tradewind.look.tasks.shape import shape
from tradewind.look.yaml_text import as_yaml, managed_by
from tradewind.model.value import Param
from tradewind.plan.dags.compile import defined
from tradewind.plan.dags.definition import Definition
from tradewind.plan.documents.problem import Invalid
from tradewind.plan.outcomes.state import FINAL, State
from tradewind.plan.triggers.cycles import called_by
from tradewind.server.answers.base import in_millis
from tradewind.server.answers.dags import (
    DAGAnswer,
    DAGDetail,
    FormAnswer,
    GraphAnswer,
    GraphQuery,
    GridAnswer,
    GridQuery,
    GridRun,
    ParamRow,
    RevisionAnswer,
    RevisionRow,
    TickRow,
    TrendAnswer,
    TrendQuery,
)
from tradewind.server.cache.records import RunRecord, millis
from tradewind.server.question import Question
from tradewind.server.route import Need, Route
from tradewind.server.routes.overview import optional
from tradewind.server.rows import lasted, owner, param_rows, trigger_row
from tradewind.server.web.problem import Refused

STATES = [str(state) for state in State]
AT_ONCE = 8
"""Runs that are read at the same time."""
LIVE = 5
"""Runs of a grid of which the pods are read."""
REVISIONS_SHOWN = 100


class _Meta(Struct, frozen=True):
    name: str
    creation_timestamp: str = ""
    annotations: dict[str, str] = {}


class _Revision(Struct, frozen=True):
    metadata: _Meta
    revision: int = 0


_REVISION = msgspec.json.Decoder(_Revision)


async def dag(question: Question) -> DAGAnswer:
    """A DAG in full."""
    body = await question.client.get(DAGS, question.namespace, question.name)
    own = [
        record
        for record in await optional(question, TRIGGERS, question.namespace)
        if record.spec.get("dag") == question.name
    ]
    status = status_of(body)
    current = status.get("revision") if isinstance(status.get("revision"), int) else None
    revisions, partial = await _revisions(question, current)
    params = await _params(question, body)
    detail = DAGDetail(
        namespace=question.namespace,
        name=question.name,
        description=str(of_kind(dict, body.get("spec")).get("description") or ""),
        owner=owner(body["metadata"]),
        suspended=of_kind(dict, body.get("spec")).get("suspend") is True,
        invalid=invalid(body).split("\n") if invalid(body) else [],
        params=params,
        schedule=[TickRow(trigger=record.name, next=millis(record.status.get("next"))) for record in own],
        tasks=int(status.get("tasks") or len(of_kind(dict, of_kind(dict, body.get("spec")).get("tasks")))),
        yaml=await asyncio.to_thread(as_yaml, {name: body[name] for name in body if name != "status"}),
        revision=current,
        managed_by=managed_by(body),
        version=str(body["metadata"]["resourceVersion"]),
        calls=_calls(body),
    )
    return DAGAnswer(dag=detail, revisions=revisions, triggers=[trigger_row(record) for record in own], partial=partial)


def _calls(body: Object) -> list[str]:
    try:
        return sorted(called_by(body.get("spec")))
    except (AttributeError, KeyError, TypeError):
        return []


async def _revisions(question: Question, current: int | None) -> tuple[list[RevisionRow], str | None]:
    selector = f"{DAG}={question.name}"
    try:
        pages = walk(question.client, REVISIONS, question.namespace, _REVISION, REVISION_PAGE, labelSelector=selector)
        found = [item async for item in pages]
    except Forbidden:
        return [], f"you may not list controllerrevisions in namespace {question.namespace}: revisions are not shown"
    rows = [
        RevisionRow(
            number=item.revision,
            hash=item.metadata.name.rpartition("-")[2],
            at=millis(item.metadata.creation_timestamp),
            cause=item.metadata.annotations.get("tradewind.dev/change-cause", ""),
            current=item.revision == current,
        )
        for item in found
    ]
    return sorted(rows, key=lambda row: -row.number)[:REVISIONS_SHOWN], None


async def revision(question: Question) -> RevisionAnswer:
    """The spec of a revision."""
    body = await _numbered(question, question.path["number"])
    text = await asyncio.to_thread(as_yaml, {"spec": written(body)})
    return RevisionAnswer(number=int(body.get("revision") or 0), name=body["metadata"]["name"], yaml=text)


async def _numbered(question: Question, number: str) -> Object:
    if not number.isascii() or not number.isdecimal() or len(number) > 9:
        raise Refused(400, "revision: write a number, as in the list of revisions", "revision")
    selector = f"{DAG}={question.name}"
    pages = walk(question.client, REVISIONS, question.namespace, _REVISION, REVISION_PAGE, labelSelector=selector)
    async for item in pages:
        if item.revision == int(number):
            return await question.client.get(REVISIONS, question.namespace, item.metadata.name)
    raise Refused(404, f"dag/{question.name} has no revision {number}")


async def _params(question: Question, body: Object) -> list[ParamRow]:
    spec = of_kind(dict, body.get("spec"))
    try:
        if spec.get("template"):
            spec = of_kind(dict, (await rendered(question.client, question.namespace, question.name)).spec)
        declared = {name: Param.model_validate(item) for name, item in of_kind(dict, spec.get("params")).items()}
    except (ApiError, ValueError):
        return []
    return param_rows(declared)


async def _definition(question: Question, number: int | None) -> Definition:
    """The definition of the DAG as it is, or of a revision. Raises Invalid."""
    if number is not None:
        body = await _numbered(question, str(number))
        revisions = question.service.pictures.revisions(question.caller)
        return await question.service.host.run(
            question.namespace, revisions.load(question.namespace, body["metadata"]["name"])
        )
    found = await rendered(question.client, question.namespace, question.name)

    async def compiled() -> Definition:
        return defined(found)

    return await question.service.host.run(question.namespace, compiled())


async def graph(question: Question) -> GraphAnswer:
    """The tasks and their dependencies."""
    definition = await _definition(question, question.asked(GraphQuery).revision)

    async def drawn() -> GraphAnswer:
        found = shape(definition)
        return GraphAnswer.model_construct(
            names=found.names,
            kinds=found.kinds,
            fan=found.fan,
            calls=found.calls,
            edges=found.edges,
            groups=found.groups,
            group=found.group,
        )

    return await question.service.host.run(question.namespace, drawn())


async def form(question: Question) -> FormAnswer:
    """The params, for a form."""
    body = await question.client.get(DAGS, question.namespace, question.name)
    spec = of_kind(dict, body.get("spec"))
    managers = [str(item.get("manager") or "") for item in of_kind(list, body["metadata"].get("managedFields"))]
    return FormAnswer(
        params=await _params(question, body),
        suspended=spec.get("suspend") is True,
        invalid=invalid(body),
        account=str(of_kind(dict, spec.get("defaults")).get("serviceAccountName") or ""),
        author=", ".join(dict.fromkeys(filter(None, managers))),
    )


async def trend(question: Question) -> TrendAnswer:
    """How long the latest runs waited and took."""
    scope = await question.runs(question.namespace)
    latest: list[RunRecord] = []
    for record in question.service.cache.runs(scope):
        if record.dag == question.name and record.final:
            latest.append(record)
            if len(latest) == question.asked(TrendQuery).runs:
                break
    latest.reverse()
    return TrendAnswer(
        names=[record.name for record in latest],
        created=[record.created * 1000 for record in latest],
        seconds=[lasted(record) for record in latest],
        waited=[
            None if record.started is None else float(max(0, record.started - record.created)) for record in latest
        ],
        phases=[record.phase for record in latest],
    )


async def grid(question: Question) -> GridAnswer:
    """Runs by tasks."""
    asked = question.asked(GridQuery)
    scope = await question.runs(question.namespace)
    after = _before(asked.before)
    latest: list[RunRecord] = []
    for record in question.service.cache.runs(scope, after):
        if record.dag == question.name:
            latest.append(record)
            if len(latest) > asked.runs:
                break
    more = len(latest) > asked.runs
    latest = latest[: asked.runs][::-1]
    places = asyncio.Semaphore(AT_ONCE)
    live = {record.uid for record in [record for record in latest if not record.final][-LIVE:]}

    async def column(record: RunRecord) -> tuple[Mapping[str, tuple[State, int]], tuple[str, ...]]:
        async with places:
            return await _column(question, record, record.uid in live)

    columns = await asyncio.gather(*(column(record) for record in latest))
    order = _merged([order for _, order in columns])
    index = {state: place for place, state in enumerate(State)}
    rows = [[index[found[name][0]] if name in found else -1 for name in order] for found, _ in columns]
    failed = {
        record.name: counts
        for record, (found, _) in zip(latest, columns, strict=True)
        if (counts := [n for at, name in enumerate(order) if found.get(name, ("", 0))[1] for n in (at, found[name][1])])
    }
    return GridAnswer(
        runs=[
            GridRun(
                name=record.name,
                uid=record.uid,
                phase=record.phase,
                created=record.created * 1000,
                seconds=lasted(record),
                revision=record.revision or None,
                how=record.how,
                logical_date=in_millis(record.logical),
            )
            for record in latest
        ],
        tasks=order,
        cells=rows,
        states=STATES,
        failed=failed,
        next=f"{latest[0].created}.{latest[0].uid}" if more and latest else None,
    )


def _before(text: str) -> tuple[int, str] | None:
    if not text:
        return None
    created, _, uid = text.partition(".")
    if not created.isascii() or not created.isdecimal() or len(created) > 12:
        raise Refused(400, "before: hand over `next` of the answer before", "before")
    return -int(created), uid


async def _column(
    question: Question, record: RunRecord, live: bool
) -> tuple[Mapping[str, tuple[State, int]], tuple[str, ...]]:
    """States and numbers of failed items by task, and the order of tasks."""
    service = question.service
    if record.final and (known := service.cells.of(record.uid, record.version)) is not None:
        return known, tuple(known)
    try:
        if live:
            view = await service.pictures.view(question.caller, record.namespace, record.name)
            state, run = view.state, view.run
        else:
            run = read_run(await question.client.get(RUNS, record.namespace, record.name))
            if not run.status.get("revision"):
                return {}, ()
            state = await service.pictures.draw(question.caller, run, {})
    except (NotFound, Invalid, StatusUnreadable):
        return {}, ()
    if state is None or state.planner is None:
        return {}, ()
    ledger = state.planner.ledger
    found = {
        name: (
            State.CANCELLED if run.final and of not in FINAL else of,
            ledger.groups[name].tally[State.FAILED] + ledger.groups[name].tally[State.LOST]
            if name in ledger.groups
            else 0,
        )
        for name in state.planner.definition.graph.order
        for of in [ledger.states[name]]
    }
    if run.final:
        service.cells.keep(run, found)
    return found, tuple(found)


def _merged(orders: list[tuple[str, ...]]) -> list[str]:
    """The tasks of all revisions: in the order of the newest, with those that are gone after what was before them."""
    found: list[str] = []
    for order in dict.fromkeys(reversed(orders)):
        known = set(found)
        after: dict[str, list[str]] = {}
        last = ""
        for name in order:
            if name in known:
                last = name
            else:
                after.setdefault(last, []).append(name)
        found = [*after.get("", ()), *(item for name in found for item in (name, *after.get(name, ())))]
    return found


_NEEDS = (Need("get", DAGS),)
_RUNS = (Need("get", DAGS), Need("list", RUNS))
ROUTES = (
    Route("GET", "dags/{namespace}/{name}", "A DAG.", dag, DAGAnswer, needs=_NEEDS),
    Route(
        "GET",
        "dags/{namespace}/{name}/revisions/{number}",
        "The spec of a revision.",
        revision,
        RevisionAnswer,
        needs=(Need("list", REVISIONS),),
    ),
    Route(
        "GET",
        "dags/{namespace}/{name}/graph",
        "Its tasks and their dependencies.",
        graph,
        GraphAnswer,
        GraphQuery,
        needs=_NEEDS,
    ),
    Route("GET", "dags/{namespace}/{name}/grid", "Runs by tasks.", grid, GridAnswer, GridQuery, needs=_RUNS),
    Route("GET", "dags/{namespace}/{name}/trend", "How long runs took.", trend, TrendAnswer, TrendQuery, needs=_RUNS),
    Route("GET", "dags/{namespace}/{name}/form", "Its params, for a form.", form, FormAnswer, needs=_NEEDS),
)
