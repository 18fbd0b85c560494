"""A bucket of an S3-compatible server as a store. Requests are signed with AWS Signature Version 4, by the standard
library."""

import hashlib
import hmac
import http.client
import shutil
import time
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from itertools import islice
from typing import BinaryIO
from urllib.parse import quote, urlsplit

from tradewind.tasks.listing import ERROR, Listed, Malformed, listed, told
from tradewind.tasks.pack import CHUNK
from tradewind.tasks.stores import Failed, Missing

EMPTY = hashlib.sha256().hexdigest()
LARGEST = 5 << 30
"""Bytes that S3 accepts in one request."""
LISTING = 4 << 20
"""Bytes of one page of a listing: a thousand keys of maximum length with their metadata."""
TRIES = 5
TIMEOUT = 60


def signed(
    method: str,
    host: str,
    path: str,
    query: Mapping[str, str],
    sha256: str,
    access: str,
    secret: str,
    region: str,
    now: datetime,
) -> dict[str, str]:
    """The signed headers of a request. Source: "Signature Version 4 signing process" in the documentation of AWS."""
    stamp = now.strftime("%Y%m%dT%H%M%SZ")
    headers = {"host": host, "x-amz-content-sha256": sha256, "x-amz-date": stamp}
    names = ";".join(headers)
    lines = "".join(f"{name}:{value}\n" for name, value in headers.items())
    request = "\n".join([method, path, encoded(query), lines, names, sha256])
    scope = f"{stamp[:8]}/{region}/s3/aws4_request"
    text = "\n".join(["AWS4-HMAC-SHA256", stamp, scope, hashlib.sha256(request.encode()).hexdigest()])
    key = f"AWS4{secret}".encode()
    for part in scope.split("/"):
        key = hmac.digest(key, part.encode(), "sha256")
    signature = hmac.new(key, text.encode(), "sha256").hexdigest()
    credential = f"Credential={access}/{scope}, SignedHeaders={names}, Signature={signature}"
    return {**headers, "authorization": f"AWS4-HMAC-SHA256 {credential}"}


def encoded(query: Mapping[str, str]) -> str:
    """A query in the order and spelling that the signature requires."""
    return "&".join(f"{quote(name, safe='')}={quote(value, safe='')}" for name, value in sorted(query.items()))


class Bucket:
    """A bucket, addressed by path. Every key begins with `prefix`."""

    def __init__(self, endpoint: str, bucket: str, prefix: str, region: str, access: str, secret: str) -> None:
        self._address, self._bucket, self._region = urlsplit(endpoint), bucket, region
        self._prefix = f"{prefix.strip('/')}/" if prefix.strip("/") else ""
        self._access, self._secret = access, secret
        self.base = f"s3://{bucket}/{quote(self._prefix)}"

    def put(self, key: str, file: BinaryIO, size: int, sha256: str) -> None:
        """Stores a file in one request; the server verifies its checksum."""
        if size > LARGEST:
            raise Failed(f"it has {size} bytes, and a bucket takes {LARGEST} at most: make several artifacts of it")
        self._answer("PUT", self._prefix + key, {}, sha256, file, size)

    def get(self, key: str, into: BinaryIO) -> None:
        """Reads an object; starts over if the connection breaks."""
        self._answer("GET", self._prefix + key, {}, EMPTY, into=into)

    def keys(self, prefix: str, most: int) -> list[str]:
        """The keys of objects, as the bucket sorts them."""
        objects = (item.key.removeprefix(self._prefix) for item in self._objects(prefix))
        return [*islice(objects, most)]

    def expire(self, prefix: str, age: float) -> int:
        """Removes old objects."""
        removed = 0
        for item in self._objects(prefix):
            if item.epoch < time.time() - age:
                self._answer("DELETE", item.key, {}, EMPTY)
                removed += 1
        return removed

    def _objects(self, prefix: str) -> Iterator[Listed]:
        """The objects whose keys begin with a prefix, a page of a thousand at a time."""
        query = {"list-type": "2", "prefix": f"{self._prefix}{prefix}"}
        while True:
            there, more = self._page(query)
            yield from there
            if not more:
                return
            query["continuation-token"] = more

    def _page(self, query: Mapping[str, str]) -> tuple[list[Listed], str]:
        try:
            return listed(self._answer("GET", "", query, EMPTY))
        except Malformed as error:
            raise Failed(f"the answer of {self._address.netloc} is not a list of objects: {error}") from None

    def _answer(
        self, method: str, key: str, query: Mapping[str, str], sha256: str, body: BinaryIO | None = None, size: int = 0,
        into: BinaryIO | None = None,
    ) -> bytes:  # fmt: skip
        """The body of the answer; empty if it was written `into` a file. Retries errors that may be transient."""
        for attempt in range(1, TRIES + 1):
            try:
                return self._ask(method, key, query, sha256, body, size, into)
            except (OSError, http.client.HTTPException) as error:
                problem = (
                    f"{self._address.scheme}://{self._address.netloc} does not answer: {error or type(error).__name__}"
                )
            except _Busy as busy:
                problem = str(busy)
            if attempt < TRIES:
                time.sleep(0.2 * 2**attempt)
        raise Failed(problem)

    def _ask(
        self,
        method: str,
        key: str,
        query: Mapping[str, str],
        sha256: str,
        body: BinaryIO | None,
        size: int,
        into: BinaryIO | None,
    ) -> bytes:
        path = quote(f"{self._address.path.rstrip('/')}/{self._bucket}" + (f"/{key}" if key else ""))
        now = datetime.now(UTC)
        headers = signed(
            method, self._address.netloc, path, query, sha256, self._access, self._secret, self._region, now
        )
        if body is not None:
            body.seek(0)
            headers["content-length"] = str(size)
        kind = http.client.HTTPSConnection if self._address.scheme == "https" else http.client.HTTPConnection
        connection = kind(self._address.netloc, timeout=TIMEOUT)
        try:
            connection.request(method, f"{path}?{encoded(query)}" if query else path, body, headers)
            with connection.getresponse() as answer:
                if answer.status >= 300:
                    raise self._refused(answer.status, answer.read(ERROR))
                if into is None:
                    return answer.read(LISTING)
                into.seek(0)
                into.truncate()
                shutil.copyfileobj(answer, into, CHUNK)
                return b""
        finally:
            connection.close()

    def _refused(self, status: int, body: bytes) -> Exception:
        code, words = told(body)
        what = f"{self._address.netloc} answers {status} {code}: {words}".rstrip(": ")
        if code == "NoSuchBucket":
            return Failed(f"there is no bucket {self._bucket!r}: {what}")
        if code in ("NoSuchKey", "NoSuchVersion"):
            return Missing("there is no such object in the bucket")
        return _Busy(what) if status >= 500 or status == 429 else Failed(what)


class _Busy(Exception):
    """The server may answer differently a moment later."""
