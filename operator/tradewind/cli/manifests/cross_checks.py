"""Checks between documents: mistakes that no document shows alone."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import replace

from tradewind.cli.manifests.document import Document
from tradewind.control.triggers.consumers import topics_of
from tradewind.kube.resources import TEMPLATES
from tradewind.model.completed_run import Completed
from tradewind.model.pool import PoolAllow
from tradewind.model.task import Task
from tradewind.model.trigger import TriggerSpec
from tradewind.plan.capacity.pool_access import admits, refusal
from tradewind.plan.cel.error import ExpressionError
from tradewind.plan.dags.definition import Definition
from tradewind.plan.dags.local_dags import misfits
from tradewind.plan.dags.task_outputs import unknown
from tradewind.plan.dags.validate import expressions
from tradewind.plan.documents.nearest import did_you_mean, listed
from tradewind.plan.documents.problem import Invalid, Problem
from tradewind.plan.documents.read import read
from tradewind.plan.documents.unread import Unread
from tradewind.plan.expressions import interpolation
from tradewind.plan.outcomes.attempt import parse_key
from tradewind.plan.triggers.cycles import Graph, Topic, circle
from tradewind.plan.triggers.trigger import compiled

Key = tuple[str, str]
"""Namespace (empty if the manifest names none) and name of a DAG."""


def not_allowed(documents: Sequence[Document], dags: Mapping[Key, Definition]) -> Iterator[tuple[Document, Problem]]:
    """Claims of ClusterPools that don't allow the claim's namespace. Only names of namespaces are checked: their labels
    are known on the cluster only."""
    allowed = dict(_allowed(documents))
    for document in documents:
        definition = dags.get((document.namespace, document.name)) if document.kind == "DAG" else None
        for path, task in definition.all_tasks if definition and document.namespace else ():
            for index, claim in enumerate(task.pools):
                allow = allowed.get(claim.name) if claim.kind == "ClusterPool" else None
                if allow and not allow.namespace_selector and not admits(allow, document.namespace, None):
                    words, _, instead = refusal(claim.name, document.namespace).partition(": ")
                    yield document, Problem(f"{path}.pools[{index}].name", words, instead)


def _allowed(documents: Sequence[Document]) -> Iterator[tuple[str, PoolAllow]]:
    for document in documents:
        said = (
            document.spec.get("allow") if document.kind == "ClusterPool" and isinstance(document.spec, dict) else None
        )
        if said is not None:
            try:
                yield document.name, read(PoolAllow, said, "spec.allow")
            except Invalid:
                continue  # already reported for the ClusterPool


def without_repetitions(wrong: Sequence[tuple[Document, Problem]]) -> Iterator[tuple[Document, Problem]]:
    """The problems of documents, without those in templates that are reported for the template itself."""
    own: dict[str, set[str]] = {}
    for document, problem in wrong:
        if document.kind in TEMPLATES:
            own.setdefault(f"{document.kind} {document.name}", set()).add(problem.path)
    told = {template: Unread(paths) for template, paths in own.items()}
    for document, problem in wrong:
        links = (link.partition(", ") for link in problem.source.split(", used by "))
        if not any(template in told and told[template].touches(path) for template, _, path in links):
            yield document, problem


def calls(
    documents: Sequence[Document], dags: Mapping[Key, Definition], there: Collection[Key]
) -> Iterator[tuple[Document, Problem, bool]]:
    """Problems in how DAGs call each other, and whether each is only a note, since a DAG may also exist elsewhere.
    `there` are all DAGs of the documents, `dags` those that can be read."""
    for document in documents:
        caller = dags.get((document.namespace, document.name)) if document.kind == "DAG" else None
        for base, part in caller.parts if caller else ():
            for problem, harmless in _calls_of(document, part, dags, there):
                yield document, problem.moved(base), harmless


def _calls_of(
    document: Document, caller: Definition, dags: Mapping[Key, Definition], there: Collection[Key]
) -> Iterator[tuple[Problem, bool]]:
    outputs: dict[str, tuple[str, ...]] = {}
    found: list[Problem] = []
    for name, task in caller.tasks.items():
        found += _unknown_task(f"spec.tasks.{name}.sensor.run.task", task, document.namespace, dags)
        if task.dag is None or not task.dag.name:
            continue
        path = f"spec.tasks.{name}"
        key = next((key for key in ((document.namespace, task.dag.name), ("", task.dag.name)) if key in there), None)
        if key is None:
            guess = did_you_mean(task.dag.name, [other for _, other in there if other != document.name])
            what = f"there is no DAG {task.dag.name!r} among these manifests"
            missing = Problem(f"{path}.dag.name", what, guess or "its params are not checked")
            yield from ((problem, True) for problem in caller.unread.without_followers([missing]))
        elif called := dags.get(key):
            found += misfits(path, task, called)
            if not called.unread.holds("spec.outputs"):
                outputs[name] = (*called.spec.outputs,)
    if outputs:
        known = {*expressions(caller)}
        more = expressions(replace(caller, called={**caller.called, **outputs}))
        found += [item for item in more if item not in known]
    yield from ((problem, False) for problem in caller.unread.without_followers(found))


def _unknown_task(path: str, task: Task, namespace: str, dags: Mapping[Key, Definition]) -> Iterator[Problem]:
    """A sensor for a task that the other DAG, among the documents, does not have."""
    poll = task.sensor.run if task.sensor else None
    other = (dags.get((namespace, poll.dag)) or dags.get(("", poll.dag))) if poll else None
    if poll is None or poll.task is None or other is None or other.unread.holds("spec.tasks"):
        return
    name, index = parse_key(poll.task)
    if name not in other.tasks:
        guess = did_you_mean(name, other.tasks) or f"there are: {listed(other.tasks)}"
        yield Problem(path, f"DAG {poll.dag} has no task {name!r}", guess)
    elif index is not None and not other.tasks[name].for_each:
        yield Problem(path, f"{name} of DAG {poll.dag} is no fan-out", f"write {name}")


def call_circles(documents: Sequence[Document], dags: Mapping[Key, Definition]) -> Iterator[tuple[Document, Problem]]:
    """DAGs that call each other in a circle that no condition ends; each circle once."""
    calls = {key: dict(_sure_calls(key[0], definition, dags)) for key, definition in dags.items()}
    settled: set[Key] = set()
    for document in documents:
        way, above, stack = list[Key](), set[Key](), [((document.namespace, document.name), False)]
        while stack:
            key, left = stack.pop()
            if left:
                above.discard(way.pop())
                settled.add(key)
            elif key in above:
                circle = way[way.index(key) :]
                path = calls[circle[-1]][key]
                ring = " -> ".join(dag for _, dag in (*circle, key))
                at = next(
                    other for other in documents if (other.kind, other.namespace, other.name) == ("DAG", *circle[-1])
                )
                what = f"DAGs run each other in a circle: {ring}"
                yield at, Problem(path, what, "break it, or let a `when` end it")
            elif key in calls and key not in settled:
                way.append(key)
                above.add(key)
                stack.append((key, True))
                stack += [(called, False) for called in reversed(calls[key])]


def _sure_calls(namespace: str, caller: Definition, dags: Mapping[Key, Definition]) -> Iterator[tuple[Key, str]]:
    """The DAGs that every successful run of a DAG calls, and the field that calls each."""
    yield from _sure(namespace, caller, "spec", caller.local, dags)


def _sure(
    namespace: str, part: Definition, base: str, local: Mapping[str, Definition], dags: Mapping[Key, Definition]
) -> Iterator[tuple[Key, str]]:
    sure: set[str] = set()
    for name in part.graph.order:
        task = part.tasks[name]
        if task.when or task.for_each or task.on_exit or task.approval or task.trigger_rule != "AllSucceeded":
            continue
        if part.unread.touches(f"spec.tasks.{name}"):
            continue
        if not sure.issuperset(part.graph.upstream[name]):
            continue
        sure.add(name)
        if task.dag and task.dag.local in local:
            within = {other: body for other, body in local.items() if other != task.dag.local}  # No circle is followed.
            yield from _sure(namespace, local[task.dag.local], f"spec.dags.{task.dag.local}", within, dags)
        elif task.dag and task.dag.name:
            key = (namespace, task.dag.name)
            yield key if key in dags else ("", task.dag.name), f"{base}.tasks.{name}.dag.name"


def followed(
    triggers: Sequence[tuple[Document, TriggerSpec, Unread]], dags: Mapping[Key, Definition]
) -> Iterator[tuple[Document, Problem]]:
    """Results that a trigger expects from DAGs among the documents and that these don't have."""
    for document, spec, unread in triggers:
        if spec.completed and spec.source == "completed":
            found = _followed(spec, spec.completed, document.namespace, dags)
            yield from ((document, problem) for problem in unread.without_followers(found))


def _followed(
    spec: TriggerSpec, completed: Completed, namespace: str, dags: Mapping[Key, Definition]
) -> Iterator[Problem]:
    there = [dags.get((namespace, dag.name)) if dag.namespace in ("", namespace) else None for dag in completed.dags]
    for dag, definition, at in zip(completed.dags, there, range(len(there)), strict=True):
        yield from _strange(f"spec.completed.dags[{at}].when", dag.when, [definition])
    yield from _strange("spec.when", spec.when, there)
    for path, text in interpolation.leaves(spec.params, "spec.params"):
        try:
            found = interpolation.expressions(text)
        except ExpressionError:
            continue  # already reported
        for expression in found:
            yield from _strange(path, expression, there)


def _strange(path: str, expression: str, sources: Sequence[Definition | None]) -> Iterator[Problem]:
    """The same check for an expression about runs of one of these DAGs. An unknown DAG may have any result."""
    known = [source for source in sources if source is not None and not source.unread.touches("spec.outputs")]
    known = [source for source in known if not source.unread.holds("spec.params")]
    if not expression or len(known) < len(sources):
        return
    results = dict.fromkeys(name for source in known for name in source.spec.outputs)
    params = dict.fromkeys(name for source in known for name in source.spec.params)
    there = {"source.results": (*results,), "source.params": (*params,)}
    try:
        program = compiled(expression, "completed")
    except ExpressionError:
        return  # already reported
    for name, instead in unknown(program, there):
        yield Problem(path, f"`{expression}`: there is no {name}", instead).resting("spec.completed.dags[*]")


def twice(documents: Sequence[Document]) -> Iterator[tuple[Document, Problem, bool]]:
    """Documents of the same kind and name, of which the later would replace the earlier; and whether they are in
    different files."""
    first: dict[tuple[str, str, str], Document] = {}
    for document in documents:
        namespace = "" if document.kind.startswith("Cluster") else document.namespace
        before = first.setdefault((document.kind, namespace, document.name), document)
        metadata = document.body.get("metadata")
        if before is not document and isinstance(metadata, dict) and metadata.get("name"):
            where = f"{before.source}:{before.line_of('metadata.name')}"
            what = f"there is another {document.kind} {document.name!r}, at {where}"
            yield document, Problem("metadata.name", what, "rename one"), before.source != document.source


def circles(
    triggers: Sequence[tuple[Document, TriggerSpec]], dags: Mapping[Key, Definition]
) -> Iterator[tuple[Document, Problem, bool]]:
    """Triggers that lead to each other in a cycle, each circle once; and whether a condition may end it."""
    specs = {(document.namespace, document.name): spec for document, spec in triggers}
    graph = _graph(specs, dags)
    told: set[frozenset[Key]] = set()
    for document, spec in triggers:
        found = circle(graph, (document.namespace, document.name)) if spec.completed or spec.assets else None
        if found and (members := frozenset(found.triggers)) not in told:
            told.add(members)
            ends = any(_conditional(specs[member]) for member in members)
            instead = "" if ends else "break it, or let a `when` of one of its triggers end it"
            yield document, Problem(f"spec.{spec.source}", str(found), instead), ends


def _graph(specs: Mapping[Key, TriggerSpec], dags: Mapping[Key, Definition]) -> Graph:
    topics = {key: frozenset(topics_of(spec, key[0])) for key, spec in specs.items()}
    followers: dict[Topic, list[Key]] = {}
    for key, followed in topics.items():
        for topic in followed:
            followers.setdefault(topic, []).append(key)

    def makes(dag: Key) -> Iterator[Topic]:
        yield "completed", dag[0], "/".join(dag)
        if definition := dags.get(dag):
            produced = [
                *definition.spec.produces,
                *(item for _, task in definition.all_tasks for item in task.produces),
            ]
            yield from (("assets", dag[0], item.name) for item in produced)

    def calls(dag: Key) -> Iterator[Key]:
        for _, task in dags[dag].all_tasks if dag in dags else ():
            if task.dag and task.dag.name:
                yield dag[0], task.dag.name

    return Graph(
        dag=lambda key: (key[0], specs[key].dag),
        follows=topics.__getitem__,
        followers=lambda topic: followers.get(topic, ()),
        makes=makes,
        calls=calls,
    )


def _conditional(spec: TriggerSpec) -> bool:
    return bool(spec.when) or any(dag.when for dag in (spec.completed.dags if spec.completed else ()))
