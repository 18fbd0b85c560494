"""Reconciles a DAG: its validity, revision, number of tasks and last run."""

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from tradewind.control.dagrun.lean import lean
from tradewind.control.dagrun.run import Run, read_run
from tradewind.control.dags.revisions import CAUSE, Revision, Revisions, change_cause
from tradewind.control.dags.template_index import Templates
from tradewind.control.dags.validation import sound
from tradewind.control.shared.event_recorder import EventRecorder
from tradewind.control.shared.isolation import isolate_errors
from tradewind.control.shared.status_writer import StatusWriter
from tradewind.control.shared.valid_condition import Validity
from tradewind.kube.client import Client, Object
from tradewind.kube.errors import ApiError, NotFound
from tradewind.kube.nested import load
from tradewind.kube.pages import items
from tradewind.kube.resources import DAGS, RUNS, Key
from tradewind.kube.work_queue import WorkQueue
from tradewind.plan.documents import budget
from tradewind.plan.documents.problem import Invalid
from tradewind.plan.templates.render import Rendering, render, uses_templates

log = logging.getLogger(__name__)
COALESCE = 1.0
"""Seconds between two writes of a DAG's status: a busy DAG's last run changes all the time."""
RUNS_PAGE = 100


@dataclass(frozen=True, slots=True, order=True)
class LastRun:
    """The youngest run seen."""

    created: int
    name: str
    phase: str = field(compare=False)
    final: bool = field(compare=False)
    reading: int = field(compare=False)
    """The reading of all runs in which it was last seen."""

    @property
    def status(self) -> dict[str, str]:
        """The run in the DAG's status."""
        return {"name": self.name, "phase": self.phase}


class DAGReconciler:
    """Keeps the status of DAGs, and a revision of each valid spec. `rendered(namespace, name, spec)` is called with the rendered spec of a
    valid DAG that uses templates."""

    def __init__(
        self,
        client: Client,
        events: EventRecorder,
        revisions: Revisions,
        templates: Templates,
        rendered: Callable[[str, str, Any], None],
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._client, self._events, self._revisions, self._clock = client, events, revisions, clock
        self._templates, self._rendered = templates, rendered
        self.queue: WorkQueue[Key] = WorkQueue("dag")
        self._bodies: dict[Key, Object] = {}
        self._last: dict[Key, LastRun] = {}
        self._unsure: set[Key] = set()
        """DAGs whose last run was deleted: the API server has to be asked for the latest one."""
        self._asking: set[Key] = set()
        self._readings = 0
        """Number of complete readings of all runs."""
        self._writer = StatusWriter(client, self.queue, COALESCE)
        self._checked: dict[Key, Any] = {}
        """Generations of DAGs with templates that were checked against the current templates."""

    def seen(self, body: Object, deleted: bool) -> None:
        """A DAG was created, changed or deleted."""
        key = (body["metadata"]["namespace"], body["metadata"]["name"])
        if deleted:
            self._bodies.pop(key, None)
            self._last.pop(key, None)
            self._unsure.discard(key)
            self._writer.forget(key)
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

    def run_seen(self, run: Run, deleted: bool = False) -> None:
        """A run was created or deleted, or changed its phase."""
        if run.local:
            return  # It is part of another run of the DAG.
        key, seen = (run.namespace, run.dag), self._last_run(run)
        known = self._last.get(key)
        if deleted:
            if key not in self._bodies:
                self._last.pop(key, None)
            elif known == seen or key in self._asking:
                self._doubt(key)
        elif known is None or seen >= known:
            self._last[key] = seen
            if known is None or known.status != seen.status:
                self.queue.add(key)

    def all_seen(self) -> None:
        """All existing runs have been seen. A last run that was not among them was deleted without an event."""
        for key, body in self._bodies.items():
            last, status = self._last.get(key), body.get("status") or {}
            if last is None and status.get("lastRun"):
                self.queue.add(key)
            elif last and last.final and last.reading < self._readings:
                self._doubt(key)
        self._readings += 1

    def _last_run(self, run: Run) -> LastRun:
        return LastRun(run.created, run.name, run.phase or "Queued", run.final, self._readings)

    def _doubt(self, key: Key) -> None:
        self._unsure.add(key)
        self.queue.add(key)

    async def _ask(self, key: Key) -> None:
        """Finds the last run among the existing ones, and starts again if one is deleted meanwhile."""
        self._unsure.discard(key)
        self._last.pop(key, None)
        self._asking.add(key)
        try:
            async for item in items(self._client, RUNS, key[0], RUNS_PAGE, fieldSelector=f"spec.dag={key[1]}"):
                body = load(lean(item))
                with isolate_errors(self._events, "DAGRun", body):
                    seen, known = self._last_run(read_run(body)), self._last.get(key)
                    if known is None or seen > known:  # The watch may have seen a newer version of the run.
                        self._last[key] = seen
        except BaseException:
            if key in self._bodies:
                self._unsure.add(key)
            raise
        finally:
            self._asking.discard(key)

    def failed(self, key: Key, error: Exception) -> float | None:
        """Handles a failed reconcile."""
        log.warning("DAG %s/%s: %s", *key, error, exc_info=None if isinstance(error, ApiError) else error)
        return None

    async def reconcile(self, key: Key) -> None:
        """Writes the DAG's status if it has changed."""
        body = self._bodies.get(key)
        if body is None:
            return
        if _checked(body) and self._writer.postpone(key):  # A new spec is recorded at once: the next may follow soon.
            return
        if key in self._unsure:
            await self._ask(key)
            if (body := self._bodies.get(key)) is None:
                self._last.pop(key, None)
                return
        status = await self._status(key, body, self._last.get(key))
        try:
            written = await self._writer.write(key, (DAGS, *key), body.get("status") or {}, status)
        except NotFound:
            self._bodies.pop(key, None)
            return
        if written is None:
            return
        self._bodies[key] = _needed(written.stored)
        if "conditions" in written.patch and status["phase"] == "Invalid":
            meta = body["metadata"]
            reason, message = status["conditions"][0]["reason"], status["conditions"][0]["message"]
            self._events.post("DAG", *key, meta["uid"], reason, message, warning=True, key=str(meta.get("generation")))

    async def _status(self, key: Key, body: Object, last: LastRun | None) -> dict[str, Any]:
        generation = int(body["metadata"].get("generation") or 0)
        before = body.get("status") or {}
        status: dict[str, Any] = {}
        if last:
            status["lastRun"] = last.status
        elif self._readings and key not in self._unsure:
            status["lastRun"] = None
        known = self._checked.get(key) == generation if body["templates"] else _checked(body)
        if known:
            return status
        if body["templates"]:
            self._checked[key] = generation
        try:
            tasks, found, revision = await self._check(key, body)
        except ApiError:
            self._checked.pop(key, None)
            raise
        status |= {"tasks": tasks, "revision": revision.number if revision else None}
        return status | found.status(before, generation, self._clock())

    async def _check(self, key: Key, body: Object) -> tuple[int, Validity, Revision | None]:
        """The number of tasks, whether the DAG is valid and, if it is, its revision."""
        spec = body["spec"] if "spec" in body else (await self._client.get(DAGS, *key)).get("spec") or {}
        rendering = Rendering(spec)
        try:
            with budget.timed():
                if body["templates"]:
                    found = await self._templates.resolve(("DAG", *key), lambda find: render(spec, find), exact=True)
                    rendering = found.result
                sound(rendering)
        except Invalid as error:
            return len(rendering.spec.get("tasks") or {}), Validity.of(error), None
        except ApiError:
            raise
        except Exception as error:
            log.error("DAG %s/%s", *key, exc_info=error)
            return 0, Validity.unchecked(error), None
        if body["templates"]:
            self._rendered(*key, rendering.spec)
        source = spec if body["templates"] else None
        revision = await self._revisions.record(*key, rendering.spec, source=source, cause=change_cause(body))
        return len(rendering.spec["tasks"]), Validity(True, "Valid", "runs can start"), revision


def _needed(body: Object) -> Object:
    """The parts of a DAG that are kept in memory, as there can be thousands. Its spec is kept only until it has been checked."""
    meta, status, spec = body["metadata"], body.get("status") or {}, body.get("spec") or {}
    kept: Object = {"metadata": {"uid": meta["uid"], "generation": meta.get("generation")}, "status": status}
    kept["templates"] = uses_templates(spec)
    if not _checked(kept):
        kept["spec"] = spec
    elif not kept["templates"]:
        return kept
    if cause := (meta.get("annotations") or {}).get(CAUSE):
        kept["metadata"]["annotations"] = {CAUSE: cause}
    return kept


def _checked(body: Object) -> bool:
    """Whether the status has the result of checking the spec."""
    status = body.get("status") or {}
    if status.get("observedGeneration") != int(body["metadata"].get("generation") or 0) or not status.get("conditions"):
        return False
    return status.get("phase") == "Invalid" or bool(status.get("revision"))
