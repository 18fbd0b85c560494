"""Triggers that lead to each other in a cycle: a DAG's run ends or updates an asset, for which a trigger creates a run
of another DAG, and so on, until a run of the first DAG is created."""

from collections import deque
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from tradewind.plan.documents.parts import tasks

DAG = tuple[str, str]
"""Namespace and name."""
Trigger = tuple[str, str]
"""Namespace and name of a trigger."""
Topic = tuple[str, str, str]
"""What is followed: `completed` or `assets`, the namespace of the runs, and a DAG as namespace/name or an asset."""
CYCLE_STEPS_LIMIT = 1_000
"""DAGs that are visited. A longer circle is not found; the depth limit of its runs ends it."""
CYCLE_EDGES_LIMIT = 20_000
"""Triggers and calls that are visited, repeatedly: some milliseconds."""
Came = tuple[DAG, Topic | None, Trigger | None] | None
"""The DAG from which one was reached, and by which edge: a topic and its follower, or a call. None for the first."""


@dataclass(frozen=True, slots=True)
class Graph:
    """The edges between DAGs."""

    dag: Callable[[Trigger], DAG]
    """The DAG whose runs a trigger creates."""
    follows: Callable[[Trigger], Iterable[Topic]]
    followers: Callable[[Topic], Iterable[Trigger]]
    makes: Callable[[DAG], Iterable[Topic]]
    """The topics of a DAG's runs."""
    calls: Callable[[DAG], Iterable[DAG]]
    """DAGs that are tasks of a DAG."""


@dataclass(frozen=True, slots=True)
class Circle:
    """A path from a DAG back to it."""

    steps: tuple[str, ...]
    """In words, from one DAG to the next."""
    triggers: tuple[Trigger, ...] = ()

    def __str__(self) -> str:
        way = " -> ".join([*self.steps, self.steps[0]])
        return f"its runs lead to each other in a cycle, and no more than 16 follow each other: {way}"


def circle(graph: Graph, trigger: Trigger) -> Circle | None:
    """The shortest circle that contains a trigger. The cost is bounded by the visited edges, not by the DAGs: a few
    hundred of them can have a million."""
    start, wanted = graph.dag(trigger), frozenset(graph.follows(trigger))
    came: dict[DAG, Came] = {start: None}
    ahead, edges = deque([start]), 0
    while ahead and len(came) <= CYCLE_STEPS_LIMIT:
        dag = ahead.popleft()
        for topic in graph.makes(dag):
            if topic in wanted:
                return _way(came, dag, start, (topic, trigger))
            followers = list(graph.followers(topic))
            edges += 1 + len(followers)
            if edges > CYCLE_EDGES_LIMIT:
                return None
            for follower in sorted(followers):
                there = graph.dag(follower)
                if there not in came:
                    came[there] = (dag, topic, follower)
                    ahead.append(there)
        calls = list(graph.calls(dag))
        edges += len(calls)
        for called in sorted(calls):
            if called not in came:
                came[called] = (dag, None, None)
                ahead.append(called)
    return None


def _way(came: Mapping[DAG, Came], end: DAG, start: DAG, last: tuple[Topic, Trigger]) -> Circle:
    """The path from the start to a DAG, and the step that leads back."""
    steps, triggers = [_step(*last)], [last[1]]
    at = end
    while (before := came[at]) is not None:
        dag, topic, follower = before
        if topic is None or follower is None:
            steps.insert(0, f"its sub-DAG {_shown(at)}")
        else:
            steps[:0] = [_step(topic, follower), f"DAG {_shown(at)}"]
            triggers.insert(0, follower)
        at = dag
    return Circle((f"DAG {_shown(start)}", *steps), tuple(triggers))


def _step(topic: Topic, trigger: Trigger) -> str:
    return f"{'its end' if topic[0] == 'completed' else f'asset {topic[2]}'}, trigger {_shown(trigger)}"


def _shown(name: tuple[str, str]) -> str:
    return "/".join(filter(None, name))


def assets_of(spec: object) -> frozenset[str]:
    """The assets that a DAG's spec, as written, declares for the run and for its tasks."""
    found = list(_named(spec, "produces"))
    for _, task in tasks(spec):
        found += _named(task, "produces")
    return frozenset(found)


def called_by(spec: object) -> frozenset[str]:
    """The DAGs that are its tasks."""
    bodies = (task.get("dag") for _, task in tasks(spec))
    return frozenset(str(body["name"]) for body in bodies if isinstance(body, dict) and "name" in body)


def _named(body: object, field: str) -> Iterable[str]:
    said = body.get(field) if isinstance(body, dict) else None
    return (
        [str(item["name"]) for item in said if isinstance(item, dict) and "name" in item]
        if isinstance(said, list)
        else []
    )
