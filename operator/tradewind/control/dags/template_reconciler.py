"""Reconciles a template: its validity and its params."""

import logging
import time
from collections.abc import Callable
from typing import Any

from tradewind.control.dags.template_index import Key, Templates
from tradewind.control.dags.validation import check_pods
from tradewind.control.shared.event_recorder import EventRecorder
from tradewind.control.shared.status_writer import StatusWriter
from tradewind.control.shared.valid_condition import Validity
from tradewind.kube.client import Client, Object
from tradewind.kube.errors import ApiError, NotFound
from tradewind.kube.resources import TEMPLATES
from tradewind.kube.work_queue import WorkQueue
from tradewind.plan.dags.template_check import Sample, sample, signature
from tradewind.plan.documents import budget
from tradewind.plan.documents.problem import Invalid
from tradewind.plan.templates.render import Find, Ref, uses_templates

log = logging.getLogger(__name__)


class TemplateReconciler:
    """Keeps the status of templates. A checked template is not kept in memory."""

    def __init__(
        self, client: Client, templates: Templates, events: EventRecorder, clock: Callable[[], float] = time.time
    ) -> None:
        self._client, self._templates, self._events, self._clock = client, templates, events, clock
        self.queue: WorkQueue[Key] = WorkQueue("template", lambda key: key[1])
        self._writer = StatusWriter(client, self.queue)

    def seen(self, body: Object, deleted: bool) -> None:
        """A template was created, changed or deleted."""
        meta, status = body["metadata"], body.get("status") or {}
        key = (body["kind"], meta.get("namespace") or "", meta["name"])
        if deleted:
            self._templates.forget(key)
            self.queue.forget(key)
        elif status.get("observedGeneration") != meta.get("generation") or _chained(body):
            self.queue.add(key)

    def failed(self, key: Key, error: Exception) -> float | None:
        """Handles a failed reconcile."""
        log.warning("%s %s/%s: %s", *key, error, exc_info=None if isinstance(error, ApiError) else error)
        return None

    async def reconcile(self, key: Key) -> None:
        """Writes the template's status if it has changed."""
        kind, namespace, name = key
        try:
            body = await self._client.get(TEMPLATES[kind], namespace, name)
        except NotFound:
            return
        generation, before = int(body["metadata"].get("generation") or 0), body.get("status") or {}
        params = ""
        try:
            with budget.timed():
                params = signature((await self._sample(key, body.get("spec") or {})).spec)
            found = Validity(True, "Valid", "it can be used")
        except Invalid as error:
            found = Validity.of(error)
        except ApiError:
            raise
        except Exception as error:
            log.error("%s %s/%s", *key, exc_info=error)
            found = Validity.unchecked(error)
        status: dict[str, Any] = {**found.status(before, generation, self._clock()), "params": params}
        written = await self._writer.write(key, (TEMPLATES[kind], namespace, name), before, status)
        if written and "conditions" in written.patch and not found.holds:
            uid, why = body["metadata"]["uid"], (found.reason, found.message)
            self._events.post(kind, namespace, name, uid, *why, warning=True, key=str(generation))

    async def _sample(self, key: Key, spec: Any) -> Sample:
        def make(find: Find) -> Sample:
            return sample(Ref(key[0], key[2]), spec, find)

        found = (await self._templates.resolve(key, make, exact=True)).result
        if found.definition:
            check_pods(found.definition, found.rendering)
        return found


def _chained(body: Object) -> bool:
    """Whether a template uses others, so that its validity depends on them."""
    spec = body.get("spec") or {}
    inner = spec.get("task") or spec.get("dag") or {}
    return uses_templates(inner)
