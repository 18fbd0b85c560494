"""Generates scenarios from seeds."""

from dataclasses import replace
from random import Random

from .expectation import expected
from .scenario import DURING_WRITES, Rework, Scenario, Task, Trouble

ALWAYS = 1_000_000
"""Failures of a task that never succeeds."""
SPAN = 40.0
"""Seconds in which faults begin."""
RULES = ["AllSucceeded", "AllSucceeded", "AllSucceeded", "AllDone", "NoneFailed", "OneFailed"]


def generate(seed: int, kinds: list[str]) -> Scenario:
    """A scenario with troubles of these kinds."""
    chance = Random(seed)
    names = [f"t{at}" for at in range(chance.randint(1, 6))]
    tasks: dict[str, Task] = {}
    for at, name in enumerate(names):
        above = tuple(sorted(chance.sample(names[:at], min(at, chance.choice([0, 1, 1, 2])))))
        limit = chance.choice([0, 0, 1, 2])
        tasks[name] = Task(
            above,
            chance.choice(RULES),
            chance.random() < 0.08,
            chance.choice([0, 0, 0, 2, 3]),
            limit,
            chance.choice([0, 0, min(1, limit), limit, limit, ALWAYS if chance.random() < 0.4 else 0]),
            chance.choice([0.2, 1.0, 4.0, 10.0, 30.0]),
        )
    worst, spread = chance.uniform(0, SPAN), chance.choice([2.0, 10.0, SPAN])  # troubles seldom come alone
    troubles = tuple(
        Trouble(
            chance.choice(kinds),
            max(0.0, chance.uniform(worst - spread, worst + spread)),
            chance.choice([0.5, 3.0, 15.0, 60.0]),
            chance.getrandbits(32),
        )
        for _ in range(chance.randint(1, 6))
    )
    runs, retention = chance.choice([1, 1, 2]), chance.choice(["Always", "OnFailure", "Never"])
    found = _changed(_varied(Scenario(seed, tasks, runs, retention, troubles), chance), chance)
    found = _quitting(replace(found, told=chance.random() < 0.25, local=chance.random() < 0.5), chance)
    return _following(_timed(_chained(_reworked(found, chance), chance), chance), chance)


def _timed(plain: Scenario, chance: Random) -> Scenario:
    """The scenario with deadlines, delays by kind of failure, DAGs that fail fast, pools named by a param, and waits in
    vain that skip their task or are for the task of another run, in some cases."""
    found, alone = plain, not (plain.rework or plain.chained)
    if chance.random() < 0.25 and alone:
        found = replace(found, fails_fast=True)
    if chance.random() < 0.25:
        found = replace(found, due=chance.choice([0, 5, 30, 120]))
        found = replace(
            found, tasks={name: replace(task, due=chance.choice([0, 3, 20, 60])) for name, task in found.tasks.items()}
        )
    if chance.random() < 0.25:
        pauses = {name: chance.choice([0, 5, 20]) for name in found.tasks}
        pods = {name: replace(task, pause=pauses[name]) for name, task in found.tasks.items() if task.does == "pod"}
        found = replace(found, tasks={**found.tasks, **pods})
    if chance.random() < 0.5 and found.pool:
        found = replace(found, lanes=True)
    if chance.random() < 0.5 and alone:
        soft = {name: replace(task, quits=True) for name, task in found.tasks.items() if task.soft}
        found = replace(found, tasks={**found.tasks, **soft})
    waits = {name: replace(task, does="watch") for name, task in found.tasks.items() if task.does == "wait"}
    if chance.random() < 0.5 and waits:
        shown = Task(limit=1, fails=chance.choice([0, 1]), seconds=chance.choice([1.0, 10.0, 30.0]))
        found = replace(found, tasks={**found.tasks, **waits}, shown=shown)
    return found


def _following(plain: Scenario, chance: Random) -> Scenario:
    """The scenario with tasks that wait for themselves in the run before, in some of the cases in which they don't fail."""
    alone = not (plain.rework or plain.chained or plain.fails_fast)
    if chance.random() < 0.8 or not alone or not _ordered(plain):
        return plain
    states = expected(plain)[0]
    follow = {
        name: replace(task, follows=chance.random() < 0.6)
        for name, task in plain.tasks.items()
        if task.does in ("pod", "dag", "http") and states[name] != "Failed"
    }
    return replace(plain, tasks={**plain.tasks, **follow}, runs=chance.choice([2, 3]), kept=None)


def _ordered(plain: Scenario) -> bool:
    """Whether the runs are made in the order of their dates."""
    return plain.maker == "hand" or (plain.maker == "schedule" and plain.concurrency == "Allow")


def _chained(plain: Scenario, chance: Random) -> Scenario:
    """The scenario with runs that wait for the run before, in some of the cases whose runs succeed."""
    if chance.random() < 0.7 or not _ordered(plain) or plain.rework or expected(plain)[1] != "Succeeded":
        return plain
    return replace(plain, chained=True, runs=chance.choice([2, 3]), kept=None)


def _reworked(plain: Scenario, chance: Random) -> Scenario:
    """The scenario with someone who retries the runs that failed, or clears a task of those that have ended, in some
    cases; most have an approval at the end of a path of tasks."""
    if chance.random() < 0.8 or plain.maker != "hand" or any(task.does == "dag" for task in plain.tasks.values()):
        return plain
    names, tasks = [*plain.tasks], dict(plain.tasks)
    path = sorted(chance.sample(names, min(len(names), chance.choice([1, 2, 3, 3]))))
    for name, over in zip(path[1:], path, strict=False):
        above = tuple(sorted({*tasks[name].above, over}))
        tasks[name] = replace(tasks[name], above=above, rule=chance.choice(["AllDone", tasks[name].rule]))
    if len(path) > 1:
        tasks[path[-1]] = replace(tasks[path[-1]], does="approval", slots=0, quits=False, mends=True)
    first = tasks[path[0]]
    if first.does in ("pod", "http", "approval") and chance.random() < 0.7:
        tasks[path[0]] = replace(first, fails=ALWAYS, mends=chance.random() < 0.7)
    rework = Rework(chance.choice([*names, *[""] * len(names)]), chance.choice([0.0, 3.0, 30.0]))
    return replace(plain, tasks=tasks, rework=rework, told=False, at_once=0, kept=None)


def _quitting(plain: Scenario, chance: Random) -> Scenario:
    """The scenario with tasks that skip themselves, in some cases."""
    if chance.random() < 0.75:
        return plain
    quits = {name: chance.random() < 0.4 for name in plain.tasks}
    return replace(
        plain,
        tasks={
            name: replace(task, quits=quits[name]) if task.does == "pod" and not task.items else task
            for name, task in plain.tasks.items()
        },
    )


def _varied(plain: Scenario, chance: Random) -> Scenario:
    """The scenario varied, in some cases, with tasks without a pod, limits, and runs that no person creates."""
    changed = plain
    if chance.random() < 0.3:
        does = {
            name: chance.choice(["pod", "pod", "wait", "compute", "dag", "approval", "http", "sensor"])
            for name in plain.tasks
        }
        changed = replace(changed, tasks={name: replace(task, does=does[name]) for name, task in changed.tasks.items()})
    if chance.random() < 0.3:
        pool = chance.choice([1, 2, 3])
        slots = {name: chance.choice([0, 1, 1, pool]) for name in plain.tasks}
        tasks = {
            name: replace(task, slots=slots[name]) if task.does in ("pod", "dag", "sensor") else task
            for name, task in changed.tasks.items()
        }
        changed = replace(changed, tasks=tasks, pool=pool)
    if chance.random() < 0.2:
        changed = replace(changed, parallelism=chance.choice([1, 2]))
    if chance.random() < 0.3:
        changed = replace(
            changed, maker=chance.choice(["schedule", "sensor", "backfill"]), runs=chance.choice([1, 2, 3])
        )
    if changed.maker == "backfill" or chance.random() < 0.2:
        changed = replace(changed, at_once=chance.choice([1, 2]))
    if changed.maker == "schedule":
        changed = replace(changed, concurrency=chance.choice(["Allow", "Enqueue", "Forbid", "Replace"]))
    if chance.random() < 0.2:
        changed = replace(changed, kept=chance.choice([0, 1]))
    if chance.random() < 0.5:
        changed = replace(changed, tasks={name: replace(task, keyed=True) for name, task in changed.tasks.items()})
    tasks = {name: _called_again(task, chance) if task.does == "dag" else task for name, task in changed.tasks.items()}
    return _beside(replace(changed, tasks=tasks), chance)


def _beside(plain: Scenario, chance: Random) -> Scenario:
    """The scenario with another namespace that shares the pool, in some of the cases that have one."""
    if not plain.pool or chance.random() < 0.5:
        return plain
    limit = chance.choice([0, 1])
    neighbour = Task(
        items=chance.choice([0, 2, 3]),
        limit=limit,
        fails=chance.choice([0, limit]),
        seconds=chance.choice([0.2, 1.0, 10.0]),
        slots=chance.choice([1, 1, plain.pool]),
    )
    return replace(plain, neighbour=neighbour, neighbours=tuple(f"n{at}" for at in range(chance.choice([1, 2]))))


def _called_again(task: Task, chance: Random) -> Task:
    """A sub-DAG with retries of its own, which it sometimes needs."""
    more = replace(task, calls=chance.choice([0, 1, 2]))
    return replace(more, fails=chance.choice([task.fails, more.most]))


def _changed(plain: Scenario, chance: Random) -> Scenario:
    """The scenario with users who change runs while their statuses are written, in some cases; nothing else may go wrong
    then, so that their changes have to take effect soon."""
    if chance.random() < 0.85:
        return plain
    changes = tuple(
        Trouble(
            chance.choice(DURING_WRITES),
            chance.uniform(0, SPAN),
            chance.choice([3.0, 15.0, 60.0]),
            chance.getrandbits(32),
        )
        for _ in range(chance.randint(1, 3))
    )
    return replace(plain, troubles=changes if chance.random() < 0.5 else (*plain.troubles, *changes))
