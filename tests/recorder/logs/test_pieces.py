"""A log as gzip members: to the byte, whatever was printed."""

import gzip
from collections.abc import AsyncIterator, Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tradewind.cli.history.logs import LONGEST, lines_of
from tradewind.recorder.logs import pieces
from tradewind.recorder.logs.pieces import RAW, Cutter, Piece, packed, unpacked


def cut(chunks: Sequence[bytes]) -> list[Piece]:
    cutter = Cutter()
    found = [piece for chunk in chunks for piece in cutter.feed(chunk)]
    return [*found, *cutter.end()]


PRINTED = st.sampled_from(
    [b"line\n", b"no end", b"progress\r", b"\xff\xfe\n", b"\n", b"\0", "é\n".encode(), b"x" * 700]
)


@settings(deadline=None)
@given(st.lists(PRINTED, max_size=60), st.integers(1, 200))
def test_what_goes_in_comes_out_in_bounded_pieces_that_know_their_lines(chunks: list[bytes], most: int) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(pieces, "RAW", most)
        found = cut(chunks)
    whole = b"".join(chunks)
    assert gzip.decompress(b"".join(piece.packed for piece in found)) == whole if found else whole == b""
    before = b""
    for piece in found:
        raw = unpacked(piece.packed, piece.bytes)
        assert 0 < len(raw) <= most and piece.first_line == before.count(b"\n")
        before += raw


def test_pieces_end_with_lines_where_there_are_any() -> None:
    found = cut([b"0123456789\n" * 60_000])
    assert len(found) == 3 and all(piece.bytes <= RAW and piece.bytes % 11 == 0 for piece in found)
    assert [piece.bytes for piece in cut([b"x" * (2 * RAW + 5)])] == [RAW, RAW, 5]


@pytest.mark.parametrize("member", [b"", b"x", packed(b"abc")[:-3], packed(b"abcd"), packed(b"ab")])
def test_a_damaged_piece_is_named(member: bytes) -> None:
    with pytest.raises(ValueError, match="a piece of a log"):
        unpacked(member, 3)


async def lines(*found: bytes) -> list[bytes]:
    async def each() -> AsyncIterator[bytes]:
        for piece in found:
            yield piece

    return [line async for line in lines_of(each())]


async def test_lines_over_pieces_are_whole_and_very_long_ones_come_in_parts() -> None:
    assert await lines(b"a\nb", b"c\n", b"d") == [b"a", b"bc", b"d"]
    found = await lines(*[b"x" * RAW] * 9)
    assert b"".join(found) == b"x" * RAW * 9 and max(map(len, found)) <= LONGEST + RAW
