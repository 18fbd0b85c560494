"""A log as gzip members: each is read by itself, and together they are a gzip file."""

import zlib
from collections.abc import Iterator
from typing import NamedTuple

RAW = 256 * 1024
"""Bytes of a piece before it is compressed, at most."""


class Piece(NamedTuple):
    """A part of a log."""

    packed: bytes
    """A gzip member."""
    bytes: int
    """Before it was compressed."""
    first_line: int
    """Line ends before it."""


class Cutter:
    """Cuts a stream of bytes into pieces, after line ends where there are any. What goes in comes out, to the byte."""

    def __init__(self) -> None:
        self._rest = b""
        self.lines = 0
        """Line ends so far."""

    def __len__(self) -> int:
        """Bytes that are in no piece yet."""
        return len(self._rest)

    def feed(self, data: bytes) -> Iterator[Piece]:
        """Takes bytes, and gives the pieces that they complete."""
        self._rest += data
        while len(self._rest) >= RAW:
            end = self._rest.rfind(b"\n", 0, RAW) + 1 or RAW
            yield self._piece(end)

    def end(self) -> Iterator[Piece]:
        """The last piece, if there is anything left."""
        if self._rest:
            yield self._piece(len(self._rest))

    def _piece(self, end: int) -> Piece:
        raw, self._rest = self._rest[:end], self._rest[end:]
        piece = Piece(packed(raw), len(raw), self.lines)
        self.lines += raw.count(b"\n")
        return piece


def packed(raw: bytes) -> bytes:
    """A gzip member, the same for the same bytes."""
    gzip = zlib.compressobj(1, wbits=zlib.MAX_WBITS | 16)
    return gzip.compress(raw) + gzip.flush()


def unpacked(member: bytes, size: int) -> bytes:
    """The bytes in a member, of which there are `size`. Raises ValueError for anything else."""
    try:
        gzip = zlib.decompressobj(wbits=zlib.MAX_WBITS | 16)
        raw = gzip.decompress(member, size + 1)
    except zlib.error as error:
        raise ValueError(f"a piece of a log can't be read: {error}") from None
    if not gzip.eof or len(raw) != size:
        raise ValueError(f"a piece of a log has another size than the {size} bytes on record")
    return raw
