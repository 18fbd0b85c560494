"""Isolates objects that can't be read, after a manual edit or a write by another version, so that the others are still processed."""

import logging
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from tradewind.control.shared.event_recorder import EventRecorder
from tradewind.kube.errors import ApiError

log = logging.getLogger(__name__)


@contextmanager
def isolate_errors(events: EventRecorder | None, kind: str, body: Mapping[str, Any]) -> Iterator[None]:
    """Catches errors and reports them in an Event about the object. Errors of the API pass through."""
    try:
        yield
    except ApiError:
        raise
    except Exception as error:
        meta = body.get("metadata")
        meta = meta if isinstance(meta, Mapping) else {}
        namespace, name = str(meta.get("namespace") or ""), str(meta.get("name") or "")
        log.error("%s %s/%s can't be read and is left alone", kind, namespace, name, exc_info=error)
        if events and name:
            words = f"can't be read ({type(error).__name__}: {error}) and is left alone until it is changed"
            version = str(meta.get("resourceVersion", ""))
            events.post(
                kind, namespace, name, str(meta.get("uid") or ""), "Unreadable", words, warning=True, key=version
            )
