"""Reconciling a DAG: is it valid, how many tasks has it, which was its last run."""

import asyncio
import logging
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import orjson
from pydantic import ValidationError

from tradewind.control.events import EventSink
from tradewind.control.podbuild import build
from tradewind.control.runstatus import difference
from tradewind.control.templates import Templates
from tradewind.control.validity import Validity
from tradewind.control.view import Run
from tradewind.kube.client import Client, Object
from tradewind.kube.errors import ApiError, NotFound
from tradewind.kube.resources import DAGS
from tradewind.kube.workqueue import WorkQueue
from tradewind.plan.decision import RunFacts, Start
from tradewind.plan.define import defined
from tradewind.plan.definition import Definition
from tradewind.plan.problem import Invalid, Problem
from tradewind.plan.render import Rendering, render, uses_templates

log = logging.getLogger(__name__)
Key = tuple[str, str]
COALESCE = 1.0
"""Seconds between two writes of a DAG's status: a busy DAG's last run changes all the time."""


@dataclass(frozen=True, slots=True)
class LastRun:
    """The youngest run seen."""

    created: int
    name: str
    phase: str


class DAGReconciler:
    """Keeps the status of DAGs. `rendered(namespace, name, spec)` is called with what became of a valid one that uses templates."""

    def __init__(
        self,
        client: Client,
        events: EventSink,
        templates: Templates,
        rendered: Callable[[str, str, Any], None],
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._client, self._events, self._clock = client, events, clock
        self._templates, self._rendered = templates, rendered
        self.queue: WorkQueue[Key] = WorkQueue("dag")
        self._bodies: dict[Key, Object] = {}
        self._last: dict[Key, LastRun] = {}
        self._saved_at: dict[Key, float] = {}
        self._checked: dict[Key, Any] = {}
        """Generations of DAGs that were checked with the templates that there are. Only of those that use any."""

    def seen(self, body: Object, deleted: bool) -> None:
        """A DAG was created, changed or deleted."""
        key = (body["metadata"]["namespace"], body["metadata"]["name"])
        if deleted:
            self._bodies.pop(key, None)
            self._saved_at.pop(key, None)
            self._checked.pop(key, None)
            self._templates.forget(("DAG", *key))
            self.queue.forget(key)
            return
        self._bodies[key] = _needed(body)
        if not self._bodies[key]["templates"]:
            self._templates.forget(("DAG", *key))
        self.queue.add(key)

    def template_changed(self, key: Key) -> None:
        """A template that the DAG uses was created, changed or deleted."""
        self._checked.pop(key, None)
        self.queue.add(key)

    def run_seen(self, run: Run) -> None:
        """A run was created or changed its phase."""
        key = (run.namespace, run.dag)
        known = self._last.get(key)
        if known is None or (run.created, run.name) >= (known.created, known.name):
            self._last[key] = LastRun(run.created, run.name, run.phase or "Queued")
            if known != self._last[key]:
                self.queue.add(key)

    def failed(self, key: Key, error: Exception) -> float | None:
        """A reconcile raised."""
        log.warning("DAG %s/%s: %s", *key, error, exc_info=None if isinstance(error, ApiError) else error)
        return None

    async def reconcile(self, key: Key) -> None:
        """Writes the DAG's status if it says something new."""
        body = self._bodies.get(key)
        if body is None:
            return
        now = asyncio.get_running_loop().time()
        due = self._saved_at.get(key, float("-inf")) + COALESCE
        if now < due:
            self.queue.add_at(key, due)
            return
        status = await self._status(key, body, self._last.get(key))
        patch = difference(body.get("status") or {}, status)
        if not patch:
            return
        self._saved_at[key] = now
        try:
            self._bodies[key] = _needed(await self._client.patch(DAGS, *key, {"status": patch}, "status"))
        except NotFound:
            self._bodies.pop(key, None)
            return
        if "conditions" in patch and status["phase"] == "Invalid":
            meta = body["metadata"]
            reason, message = status["conditions"][0]["reason"], status["conditions"][0]["message"]
            self._events.post("DAG", *key, meta["uid"], reason, message, warning=True, key=str(meta.get("generation")))

    async def _status(self, key: Key, body: Object, last: LastRun | None) -> dict[str, Any]:
        generation = int(body["metadata"].get("generation") or 0)
        before = body.get("status") or {}
        status: dict[str, Any] = {}
        if last:
            status["lastRun"] = {"name": last.name, "phase": last.phase}
        if body["templates"]:
            known = self._checked.get(key) == generation
        else:
            known = bool(before.get("observedGeneration") == generation and before.get("conditions"))
        if known:
            return status
        if body["templates"]:
            self._checked[key] = generation
        try:
            tasks, found = await self._check(key, body)
        except ApiError:
            self._checked.pop(key, None)
            raise
        return status | found.status(before, generation, self._clock()) | {"tasks": tasks}

    async def _check(self, key: Key, body: Object) -> tuple[int, Validity]:
        """How many tasks the DAG has, and whether it is valid."""
        spec = body["spec"] if "spec" in body else (await self._client.get(DAGS, *key)).get("spec") or {}
        rendering = Rendering(spec)
        if body["templates"]:
            found = await self._templates.resolved(("DAG", *key), lambda find: render(spec, find), exact=True)
            rendering = found.result
        try:
            check(rendering)
        except Invalid as error:
            return len(rendering.spec.get("tasks") or {}), Validity.of(error)
        if body["templates"]:
            self._rendered(*key, rendering.spec)
        return len(rendering.spec["tasks"]), Validity(True, "Valid", "runs can start")


def _needed(body: Object) -> Object:
    """What is kept in memory of a DAG: there can be thousands. Its spec only until its status says what came of checking it."""
    meta, status, spec = body["metadata"], body.get("status") or {}, body.get("spec") or {}
    kept: Object = {"metadata": {"uid": meta["uid"], "generation": meta.get("generation")}, "status": status}
    kept["templates"] = uses_templates(spec)
    if not (status.get("observedGeneration") == int(meta.get("generation") or 0) and status.get("conditions")):
        kept["spec"] = spec
    return kept


def check(rendering: Rendering) -> None:
    """Raises Invalid with what is wrong with a DAG, as far as that can be told without an API server."""
    definition = defined(rendering)
    try:
        pod_problems(definition)
    except Invalid as error:
        raise Invalid([rendering.told(problem) for problem in error.problems]) from None


def pod_problems(definition: Definition) -> None:
    """Raises Invalid for tasks whose podTemplate makes something that is not a pod. Only the API server can say more."""
    templated = {name: task for name, task in definition.tasks.items() if task.pod_template is not None}
    if not templated:
        return
    from kubernetes.client import V1Pod  # 8 MB that an operator without such DAGs does not need

    problems = []
    for name, task in templated.items():
        bare = task.model_copy(
            update={"env": {}, "args": [], "command": [], "http": None, "image": task.image or "image"}
        )
        facts, start = RunFacts("run", "default", "uid", "dag"), Start(name, None, 1, "")
        pod: dict[str, Any] = orjson.loads(build("pod", start, bare, facts, lambda _: "", "image"))
        try:
            V1Pod.model_validate(pod)
        except ValidationError as error:
            # The generated models are stricter than the API server about types (no number is a quantity), so only fields that a pod does
            # not have count here.
            for detail in error.errors(include_url=False):
                if detail["type"] == "extra_forbidden":
                    where = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in detail["loc"])
                    path = f"spec.tasks.{name}.podTemplate{where}"
                    problems.append(Problem(path, "a pod has no such field", "see `kubectl explain pod.spec`"))
    if problems:
        raise Invalid(problems)
