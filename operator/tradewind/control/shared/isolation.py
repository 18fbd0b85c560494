"""Objects that can't be read, by a hand-edit or another version's hand: each says so itself, and stops no other."""

import logging
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from tradewind.control.shared.event_recorder import EventRecorder
from tradewind.kube.errors import ApiError

log = logging.getLogger(__name__)


@contextmanager
def isolate_errors(events: EventRecorder | None, kind: str, body: Mapping[str, Any]) -> Iterator[None]:
    """What goes wrong inside is said in an Event on the object, and goes no further. Errors of the API do."""
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
