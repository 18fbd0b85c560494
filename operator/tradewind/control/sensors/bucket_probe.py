"""Lists objects of a bucket, for sensors."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any
from urllib.parse import quote, urlsplit

from tradewind.control.egress.client import Failed, HttpClient, Request
from tradewind.model.sensor import BucketPoll
from tradewind.plan.sensors.bucket_listing import Object
from tradewind.tasks.listing import PAGE, Malformed, listed, told
from tradewind.tasks.s3 import EMPTY, LISTING, encoded, signed

PAGES = 10
"""Maximum requests of one poll."""
LISTED_OBJECTS_LIMIT = 100
TIMEOUT = 30.0


class ProbeFailedError(Exception):
    """A poll failed. The message says why, without secrets."""


class BucketProbe:
    """Lists objects. `keys` returns the access key and the secret key, and raises ProbeFailedError."""

    def __init__(
        self,
        sender: HttpClient,
        poll: BucketPoll,
        namespace: str,
        prefix: str,
        key: str,
        keys: Callable[[], Awaitable[tuple[str, str]]],
    ) -> None:
        self._sender, self._poll, self._namespace, self._keys = sender, poll, namespace, keys
        self._key, self.prefix = key, key or prefix
        self.host = urlsplit(poll.endpoint).netloc
        self.what = f"s3://{poll.bucket}/{self.prefix}{'' if key else '*'}"

    async def ask(self) -> Mapping[str, Any]:
        """`objects` and `count` of the first page. Raises ProbeFailedError."""
        found, _, _ = await self.page()
        shown = [
            {"key": item.key, "size": item.size, "etag": item.etag, "lastModified": item.modified}
            for item in found[:LISTED_OBJECTS_LIMIT]
        ]
        return {"count": len(found), "objects": shown}

    def outputs(self, found: Mapping[str, Any]) -> dict[str, Any]:
        """Objects and count."""
        return dict(found)

    async def all(self) -> tuple[list[Object], float]:
        """All matching objects, and the server's time in epoch seconds. Raises ProbeFailedError, also if there are too many."""
        found: list[Object] = []
        token, now = "", 0.0
        for _ in range(PAGES):
            page, token, at = await self.page(**({"continuation-token": token} if token else {}))
            found += page
            now = now or at
            if not token:
                return found, now
        raise ProbeFailedError(
            f"{self.what}: more than {PAGES * PAGE} objects: take away what is done, set ordered if keys sort as they come, or"
            " use a narrower prefix, such as one with the date"
        )

    async def page(self, **query: str) -> tuple[list[Object], str, float]:
        """A page of objects, the token of the next page, and the server's time in epoch seconds. Raises ProbeFailedError."""
        access, secret = await self._keys()
        query = {"list-type": "2", "max-keys": str(PAGE), **({"prefix": self.prefix} if self.prefix else {}), **query}
        address, now = urlsplit(self._poll.endpoint), datetime.now(UTC)
        path = quote(f"{address.path.rstrip('/')}/{self._poll.bucket}")
        headers = signed("GET", address.netloc, path, query, EMPTY, access, secret, self._poll.region, now)
        url = f"{address.scheme}://{address.netloc}{path}?{encoded(query)}"
        request = Request(url, "GET", headers, "", (), TIMEOUT, signed=True)
        try:
            answer = await self._sender.answer(request, headers, self._namespace, LISTING)
        except Failed as error:
            raise ProbeFailedError(str(error)) from None
        if answer.status != 200:
            why = ": ".join(filter(None, await asyncio.to_thread(told, answer.body)))
            raise ProbeFailedError(f"{self.what}: {address.netloc} answers {answer.status} {why}"[:500].rstrip())
        try:
            if len(answer.body) > LISTING:
                raise Malformed("it is too long")
            found, token = await asyncio.to_thread(listed, answer.body)
        except Malformed as error:
            raise ProbeFailedError(
                f"{self.what}: the answer of {address.netloc} is not a list of objects: {error}"
            ) from None
        objects = [Object(*item) for item in found if not self._key or item.key == self._key]
        return objects, token, _epoch(answer.date) or now.timestamp()


def _epoch(date: str) -> float | None:
    try:
        return parsedate_to_datetime(date).timestamp()
    except (TypeError, ValueError, OverflowError):
        return None
