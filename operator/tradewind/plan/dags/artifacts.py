"""Checks of artifacts between tasks that the schema can't express."""

import re
from collections.abc import Iterator, Mapping

from tradewind.model.artifact import MAX_SIZE, PATH, SOURCES, ArtifactInput, TaskArtifacts
from tradewind.model.base import IDENTIFIER, TEMPLATED
from tradewind.model.dag import DAGSpec
from tradewind.model.task import Task
from tradewind.plan import pacing
from tradewind.plan.documents.problem import Problem

KEY = "artifacts"
"""The output that holds the references."""


def source(of: str) -> tuple[str, str]:
    """Task and artifact of `from: TASK.ARTIFACT`; empty for anything else."""
    match = re.fullmatch(r"([a-z0-9][-a-z0-9]*)\.([A-Za-z_][A-Za-z0-9_]*)", of)
    return (match[1], match[2]) if match else ("", "")


def needs_store(artifacts: TaskArtifacts) -> bool:
    """Whether a task's artifacts go to the DAG's store, or come from it."""
    return bool(artifacts.outputs) or any(not given.url and given.text is None for given in artifacts.inputs.values())


def problems(spec: DAGSpec, tasks: Mapping[str, Task]) -> Iterator[Problem]:
    """Invalid stores, artifacts without a store, invalid names and paths, inputs that no task makes."""
    if spec.artifacts:
        store = spec.artifacts.store
        if bool(store.volume) == bool(store.s3):
            found = Problem("spec.artifacts.store", "needs one place", "write either volume or s3")
            yield found if store.volume else found.resting("spec.artifacts.store.volume", "spec.artifacts.store.s3")
        if store.s3 and not re.fullmatch("https?://[^/?#]+/?", store.s3.endpoint):
            yield Problem("spec.artifacts.store.s3.endpoint", "not an address", "write e.g. https://s3.example.com")
        for field, path in (
            ("volume.path", store.volume.path if store.volume else ""),
            ("s3.prefix", store.s3.prefix if store.s3 else ""),
        ):
            if path:
                yield from _path(f"spec.artifacts.store.{field}", path)
    for name, task in pacing.each(tasks.items()):
        if artifacts := task.artifacts:
            yield from _of_task(f"spec.tasks.{name}", task, artifacts, tasks)
            if not spec.artifacts and needs_store(artifacts):
                path, instead = f"spec.tasks.{name}.artifacts", "write spec.artifacts.store with volume or s3"
                yield Problem(path, "there is no store for artifacts", instead).resting("spec.artifacts")


def _of_task(path: str, task: Task, artifacts: TaskArtifacts, tasks: Mapping[str, Task]) -> Iterator[Problem]:
    if task.podless:
        yield Problem(f"{path}.artifacts", "this task has no container that could use them", "remove it")
    if artifacts.outputs and KEY in task.outputs:
        yield Problem(f"{path}.outputs.{KEY}", "the task's artifacts have this name", "call the output otherwise")
    for name, output in artifacts.outputs.items():
        where = f"{path}.artifacts.outputs.{name[:80]}"
        yield from _name(where, name)
        yield from _path(f"{where}.path", output.path)
    places: dict[str, str] = {}
    for name, given in artifacts.inputs.items():
        where = f"{path}.artifacts.inputs.{name[:80]}"
        yield from _name(where, name)
        yield from _path(f"{where}.path", given.path)
        for other, place in places.items():
            if given.path == place or given.path.startswith(f"{place}/") or place.startswith(f"{given.path}/"):
                yield Problem(f"{where}.path", f"lies in the way of {other}", "write a different path")
        places[name] = given.path
        yield from _source(where, given, tasks)


def _source(where: str, given: ArtifactInput, tasks: Mapping[str, Task]) -> Iterator[Problem]:
    values = (given.from_, given.reference or None, given.key or None, given.url or None, given.text)
    there = [name for name, value in zip(SOURCES, values, strict=True) if value is not None]
    instead = f"write one of {', '.join(SOURCES)}"
    if len(there) > 1:
        yield Problem(where, f"has {' and '.join(there)}", instead)
    elif not there:
        yield Problem(where, "names no source", instead).resting(*(f"{where}.{name}" for name in SOURCES))
    if not given.url and not given.key:
        for field, value in (
            ("sha256", given.sha256),
            ("unpack", given.unpack),
            ("maxSize", given.max_size != MAX_SIZE),
        ):
            if value:
                yield Problem(f"{where}.{field}", "only for url and key", "remove it")
    if given.sha256 and not re.fullmatch("[0-9a-f]{64}", given.sha256):
        yield Problem(f"{where}.sha256", "not a checksum", "write the 64 digits that sha256sum prints")
    if given.key.endswith("/") and (given.sha256 or given.unpack):
        yield Problem(f"{where}.key", "is a folder, which has no checksum and is no archive", "name one object")
    if given.url and not re.match(rf"https?://|{TEMPLATED}", given.url):
        yield Problem(f"{where}.url", "not an address", "write e.g. https://example.com/data.csv")
    if given.from_ is not None:
        yield from _upstream(f"{where}.from", given.from_, tasks)


def _upstream(where: str, given: str, tasks: Mapping[str, Task]) -> Iterator[Problem]:
    maker, artifact = source(given)
    if not maker:
        yield Problem(where, f"{given[:80]!r} names no artifact", "write TASK.ARTIFACT")
    elif maker in tasks:
        made = tasks[maker].artifacts
        if made is None or artifact not in made.outputs:
            there = ", ".join(f"{maker}.{key}" for key in made.outputs) if made and made.outputs else "none"
            found = Problem(where, f"{maker} makes no artifact {artifact!r}", f"it makes: {there}")
            yield found.resting(f"spec.tasks.{maker}.artifacts.outputs")


def _name(path: str, name: str) -> Iterator[Problem]:
    if not re.fullmatch(IDENTIFIER, name):
        yield Problem(path, "not an artifact name", "use at most 63 letters, digits and '_'")


def _path(path: str, text: str) -> Iterator[Problem]:
    if not re.fullmatch(PATH, text):
        yield Problem(
            path,
            f"{text[:80]!r} is not a path below a folder",
            "use letters, digits, '_', '.', '-' and '/', with a letter, digit or '_' at the beginning of each part",
        )
