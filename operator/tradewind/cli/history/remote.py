"""Recorded runs of a cluster, through the API server's proxy to the recorder's Service."""

from collections.abc import AsyncIterator, Collection
from typing import Any
from urllib.parse import urlsplit

import click
import orjson

from tradewind.cli.history.source import Asked, is_uid
from tradewind.kube.client import Client
from tradewind.kube.errors import ApiError, Forbidden, NotFound, Unauthorized, Unavailable

PLACE = ("tradewind", "tradewind-recorder")
"""Namespace and Service of a recorder that was installed as the README says."""
TOKEN = "X-Tradewind-Token"  # noqa: S105 - the name of a header
PORT = "api"
PATIENCE = 30.0


class Remote:
    """The recorder of a cluster. The proxy drops the header `Authorization`, so the user's token goes in another one."""

    def __init__(self, client: Client, place: tuple[str, str], token: str = "") -> None:
        """`place` is the Service's namespace and name. `token` instead of the kubeconfig's. Raises ClickException."""
        self._client, self._place = client, place
        self.where = "/".join(place)
        given = f"Bearer {token}" if token else client.connection.authorization() or ""
        if not given.startswith("Bearer "):
            if _of_dev(client.connection.server):
                words = "a session of `tradewind dev` has no recorder: start it with --data DIR, and read it with --data DIR here"
                raise click.ClickException(words)
            words = "the recorder asks the API server about your token, and your kubeconfig has none, but a certificate or a password"
            how = "set TRADEWIND_TOKEN=$(kubectl create token ACCOUNT), for a service account that may list DAGRuns"
            raise click.ClickException(f"{words}: {how}")
        self._headers = {TOKEN: given}

    async def page(self, asked: Asked, limit: int, after: str, parts: Collection[str]) -> dict[str, Any]:
        """A page. Raises ClickException."""
        query = {**_query(asked), "limit": str(limit), "after": after, "parts": ",".join(parts)}
        found = await self._call("GET", "v1/runs", {name: text for name, text in query.items() if text})
        if not isinstance(found.get("runs"), list):
            raise click.ClickException(f"{self.where}: the answer is not one of a recorder")
        return found

    async def purge(self, asked: Asked) -> int:
        """Deletes runs. Raises ClickException."""
        body = {name: int(text) if name in NUMBERS else text for name, text in _query(asked).items()}
        return int((await self._call("POST", "v1/purge", {}, orjson.dumps(body)))["purged"])

    async def logs(self, asked: Asked, task: str) -> list[dict[str, Any]]:
        """The logs of a run, as `StoredLog.data`. Raises ClickException."""
        found = await self._call("GET", "v1/logs", {**_query(asked), **({"task": task} if task else {})})
        return list(found["logs"])

    async def log(self, namespace: str, number: int) -> AsyncIterator[bytes]:
        """The pieces of a log. Raises ClickException."""
        first: int | None = 0
        while first is not None:
            query = {"namespace": namespace, "id": str(number), "first": str(first)}
            found = await self._call("GET", "v1/log", query)
            yield str(found["text"]).encode("latin-1")
            first = found["next"]

    async def _call(self, method: str, path: str, query: dict[str, str], body: bytes | None = None) -> dict[str, Any]:
        namespace, name = self._place
        try:
            answer = await self._client.call_service(
                method, namespace, f"https:{name}:{PORT}", path, query, body, self._headers
            )
        except (NotFound, Forbidden, Unauthorized, Unavailable, ApiError) as error:
            raise click.ClickException(_words(error, self._place)) from None
        found = orjson.loads(answer)
        if not isinstance(found, dict):
            raise click.ClickException(f"{self.where}: the answer is not one of a recorder")
        return found


def _of_dev(server: str) -> bool:
    """Whether an API server is that of `tradewind dev`: without TLS, on this machine, with the token in its address."""
    parts = urlsplit(server)
    return parts.scheme == "http" and parts.hostname in ("127.0.0.1", "::1", "localhost") and len(parts.path) > 1


NUMBERS = frozenset({"since", "until", "endedBefore"})


def _query(asked: Asked) -> dict[str, str]:
    uid = is_uid(asked.run)
    given = {
        "namespace": asked.namespace or "",
        "dag": asked.dag,
        "phases": ",".join(sorted(asked.phases)),
        "since": asked.since,
        "until": asked.until,
        "name": "" if uid else asked.run,
        "uid": asked.run if uid else "",
        "endedBefore": asked.ended_before,
    }
    return {name: str(value) for name, value in given.items() if value not in ("", None)}


def _words(error: ApiError, place: tuple[str, str]) -> str:
    service = "/".join(place)
    if isinstance(error, NotFound):
        return f"there is no recorder {service}: name it with --recorder NAMESPACE/SERVICE (or TRADEWIND_RECORDER); recorder.enabled installs one"
    if isinstance(error, Forbidden) and "services/proxy" in error.message:
        return f"you may not use the proxy to the recorder {service}: its administrator adds you to recorder.readers ({error.message})"
    return f"recorder {service}: {error.message}"
