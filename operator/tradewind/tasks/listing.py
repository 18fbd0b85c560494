"""Parses the XML answers of S3-compatible servers, in one pass and within bounds. Servers are not trusted: authors of
DAGs choose them."""

import contextlib
from datetime import datetime
from typing import Any, NamedTuple
from xml.parsers import expat

PAGE = 1_000
"""Objects per page of a listing, the most that a server gives."""
DEPTH = 8
ELEMENTS = 32 * PAGE
ERROR = 64 * 1024
"""Bytes of an error that are read."""


class Malformed(ValueError):
    """The answer is not a list of objects."""


class Listed(NamedTuple):
    """One object of a listing. `modified` is the time as the server writes it."""

    key: str
    size: int
    etag: str
    modified: str

    @property
    def epoch(self) -> float:
        """When the object was modified, in epoch seconds."""
        return datetime.fromisoformat(self.modified.replace("Z", "+00:00")).timestamp()


def listed(page: bytes) -> tuple[list[Listed], str]:
    """The objects of a page and the token of the next page, empty for none. Raises Malformed."""
    found = _Reader("ListBucketResult", "Contents")
    try:
        found.read(page)
        items = [_listed(item) for item in found.items]
    except (expat.ExpatError, ValueError, OverflowError) as error:
        raise Malformed(str(error)[:200]) from None
    token = found.texts.get("NextContinuationToken", "") if found.texts.get("IsTruncated") == "true" else ""
    return items, token


def told(answer: bytes) -> tuple[str, str]:
    """Code and message of an error, as far as they can be read."""
    found = _Reader("Error", "")
    with contextlib.suppress(expat.ExpatError, ValueError):  # what came before a fault is better than nothing
        found.read(answer[:ERROR])
    return found.texts.get("Code", ""), found.texts.get("Message", "")


def _listed(item: dict[str, str]) -> Listed:
    size = int(item.get("Size", "0")[:20])
    if not 0 <= size < 2**63:
        raise Malformed("a size that is none")
    found = Listed(item.get("Key", ""), size, item.get("ETag", "").strip('"'), item.get("LastModified", ""))
    found.epoch  # noqa: B018 - raises ValueError
    return found


class _Reader:
    """Collects the texts of elements: those below `root`, and those below each `record` in it."""

    def __init__(self, root: str, record: str) -> None:
        self._root, self._record = root, record
        self.texts: dict[str, str] = {}
        self.items: list[dict[str, str]] = []
        self._open: list[str] = []
        self._text: list[str] = []
        self._elements = 0

    def read(self, document: bytes) -> None:
        """Parses a document. Raises ExpatError if it is not XML, ValueError if it is another document or too large."""
        parser = expat.ParserCreate()
        parser.buffer_text = True
        parser.StartDoctypeDeclHandler = self._doctype
        parser.StartElementHandler = self._start
        parser.EndElementHandler = self._end
        parser.CharacterDataHandler = self._text.append
        parser.Parse(document, True)

    def _doctype(self, *_: Any) -> None:
        raise Malformed("a document type declaration, which is not supported")

    def _start(self, name: str, _: Any) -> None:
        self._open.append(name)
        self._elements += 1
        self._text.clear()
        if self._open[0] != self._root:
            raise Malformed(f"the document is not a {self._root}")
        if len(self._open) > DEPTH or self._elements > ELEMENTS:
            raise Malformed("more elements than a page has")
        if self._open[1:] == [self._record]:
            if len(self.items) == PAGE:
                raise Malformed(f"more than {PAGE} objects on a page")
            self.items.append({})

    def _end(self, name: str) -> None:
        path = self._open[1:]
        if len(path) == 1:
            self.texts.setdefault(name, "".join(self._text))
        elif len(path) == 2 and path[0] == self._record:
            self.items[-1].setdefault(name, "".join(self._text))
        self._text.clear()
        self._open.pop()
