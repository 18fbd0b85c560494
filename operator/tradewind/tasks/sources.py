"""Inputs of a task that no task has stored: a file of a web server, objects of the store made by others, a text."""

import errno
import http.client
import time
import urllib.error
import urllib.request
from typing import BinaryIO

from tradewind.tasks.http import Redirects, downgraded
from tradewind.tasks.pack import copied
from tradewind.tasks.stores import Failed, Missing, Store, strays

TIMEOUT = 60
"""Seconds without a byte."""
TRIES = 5
LIMIT = 10 * 2**30
"""The maximum bytes of a file, and of the contents of an archive, where the task sets none."""
OBJECTS = 10_000
"""The maximum number of objects below one key."""
ABSENT = frozenset({404, 410})
FULL = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})


def download(url: str, into: BinaryIO, limit: int = LIMIT) -> None:
    """Reads a file of at most `limit` bytes of a web server; starts over after an error that may be transient. Raises
    Missing, Failed."""
    if not url.startswith(("http://", "https://")):
        raise Failed("not an http:// or https:// address")
    for attempt in range(1, TRIES + 1):
        try:
            into.seek(0)
            into.truncate()
            with urllib.request.build_opener(Redirects(True)).open(url, timeout=TIMEOUT) as answer:
                if (getattr(answer, "length", None) or 0) > limit or copied(answer, into, limit) > limit:
                    raise Failed(f"it has more than {limit} bytes: set maxSize to what it may have")
                if left := getattr(answer, "length", None):
                    raise OSError(f"the connection was closed {left} bytes before the end")
            return
        except urllib.error.HTTPError as error:
            problem = f"the server answers {error.code} {error.reason}".strip() + downgraded(url, error)
            if error.code in ABSENT:
                raise Missing(problem) from None
            if error.code < 500 and error.code != 429:
                raise Failed(problem) from None
        except (OSError, http.client.HTTPException, ValueError) as error:
            if getattr(error, "errno", None) in FULL:
                raise Failed("there is no room for it: give the task more ephemeral storage") from None
            reason = getattr(error, "reason", None) or error
            problem = f"the server does not answer: {reason or type(error).__name__}"
            if isinstance(error, ValueError | http.client.InvalidURL):
                raise Failed(f"not an address: {reason}") from None
        if attempt < TRIES:
            time.sleep(0.2 * 2**attempt)
    raise Failed(problem)


def below(store: Store, prefix: str) -> list[str]:
    """The keys below a prefix that ends with `/`. Raises Missing, Failed."""
    keys = store.keys(prefix, OBJECTS + 1)
    found = [key for key in keys if not key.endswith("/")]
    if not keys or (not found and len(keys) <= OBJECTS):
        raise Missing(f"there is nothing below {prefix} in {store.base}")
    if len(keys) > OBJECTS:
        raise Failed(f"there are more than {OBJECTS} objects below it: name a longer key, or make an archive of them")
    return found


def safe(key: str) -> str:
    """A key within the store. Raises Failed."""
    if strays(key.removesuffix("/")) or any(ord(letter) < 32 for letter in key):
        raise Failed(
            f"{key[:200]!r} is not a key: write one without a `/` at its beginning, and without `.` or `..` parts"
        )
    return key
