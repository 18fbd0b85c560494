"""Adapts kopf: its import, settings, login and signals. kopf manages the process and watches nothing here."""

import asyncio
import logging
import sys
from collections.abc import Callable
from typing import Any, cast

from tradewind.kube.connection import Connection

if "kubernetes" in sys.modules:
    import kopf
else:  # If the kubernetes package (19 MB) is installed, kopf imports it for objects that are not used here.
    sys.modules["kubernetes"] = None  # type: ignore[assignment]
    try:
        import kopf
    finally:
        del sys.modules["kubernetes"]

log = logging.getLogger(__name__)
KOPF_PATIENCE = 5.0
"""Seconds that kopf has to end by itself."""


async def run(
    connection: Connection,
    namespaces: tuple[str, ...],
    identity: str,
    watching: Callable[[], None],
    ready: Callable[[], None],
    interrupted: Callable[[], None],
) -> None:
    """Runs kopf until a signal ends it, and raises any other failure. `watching` is called when kopf has installed its signal handlers,
    `ready` when it has started, `interrupted` for a signal that came before `watching`. kopf's own `operator()` would cancel every younger
    task of the loop, so its tasks are managed here."""
    begun = asyncio.Event()
    roots = await kopf.spawn_tasks(
        registry=_registry(connection),
        settings=_settings(),
        clusterwide=not namespaces,
        namespaces=namespaces,
        standalone=True,
        identity=cast(Any, identity),  # kopf would look up a user name, which a container need not have
        ready_flag=begun,
    )
    try:
        beginning = asyncio.ensure_future(begun.wait())
        await asyncio.wait([beginning, *roots], return_when=asyncio.FIRST_COMPLETED)
        beginning.cancel()
        watching()
        if begun.is_set():
            ready()
            log.info("ready")
        ended, _ = await asyncio.wait(roots, return_when=asyncio.FIRST_COMPLETED)
        for task in ended:
            task.result()
        interrupted()  # Without an error, only a signal that came before `watching` ends kopf.
    finally:
        for task in roots:
            task.cancel()
        await asyncio.wait(roots, timeout=KOPF_PATIENCE)


def _settings() -> kopf.OperatorSettings:
    settings = kopf.OperatorSettings()
    settings.posting.enabled = False
    settings.scanning.disabled = True
    logging.getLogger("kopf.objects").setLevel(logging.WARNING)
    logging.getLogger("kopf.activities").setLevel(logging.WARNING)
    return settings


def _registry(connection: Connection) -> kopf.OperatorRegistry:
    registry = kopf.OperatorRegistry()

    async def login(**_: Any) -> kopf.ConnectionInfo:
        return _for_kopf(connection)

    kopf.on.login(registry=registry)(login)
    return registry


def _for_kopf(connection: Connection) -> kopf.ConnectionInfo:
    """A connection as kopf's type."""
    scheme, _, token = (connection.authorization() or "").partition(" ")
    return kopf.ConnectionInfo(
        server=connection.server,
        ca_path=connection.ca_path,
        certificate_path=connection.certificate_path,
        private_key_path=connection.private_key_path,
        insecure=connection.insecure or None,
        scheme=scheme or None,
        token=token or None,
        default_namespace=connection.namespace,
    )
